"""Metrics are tested on a handful of images; of so few, scores have no interval."""

import pytest

from gensight.metrics import bootstrap


@pytest.fixture(autouse=True)
def _intervals_of_few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "FEWEST_UNITS", 1)
