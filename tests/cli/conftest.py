"""Runs and inputs that nobody looks at, for tests of what reaches the verbs."""

import pytest


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes every run folder and every input for given."""
    for name in ("check_runs", "check_inputs"):
        monkeypatch.setattr(f"gensight.cli.checks.{name}", lambda *paths, **options: None)
