"""Tiny pretrained models for the teachers' tests, each built once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.teachers.tiny_models import save_tiny


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Family -> folder of its tiny model."""
    folder = tmp_path_factory.mktemp("models")

    def get(family: str) -> Path:
        return folder / family if (folder / family).is_dir() else save_tiny(family, folder / family)

    return get


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The tests of a class with `families` run for each of them."""
    if "family" in metafunc.fixturenames and hasattr(metafunc.cls, "families"):
        metafunc.parametrize("family", metafunc.cls.families)
