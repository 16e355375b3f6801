"""`gensight doctor`: every finding has a level, and what is missing has a cure."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from gensight.cli.main import app
from gensight.verbs import doctor as module
from gensight.verbs.doctor import GIB, Check, check_abilities, check_memory, doctor


def test_it_imports_no_library_of_models() -> None:
    code = (
        "import sys, gensight.verbs.doctor; print([one for one in ('diffusers', 'transformers') if one in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_findings_are_complete() -> None:
    checks = doctor()
    names = {check.name for check in checks}
    assert {"gensight", "packages", "cpu", "memory", "disk", "hub cache", "tiny", "video", "can train"} <= names
    for check in checks:
        assert check.level in ("ok", "note", "missing")
        assert check.text
        assert check.level != "missing" or check.hint


@pytest.mark.parametrize(("level", "code"), [("ok", 0), ("note", 0), ("missing", 1)])
def test_it_ends_with_1_if_something_is_missing(monkeypatch: pytest.MonkeyPatch, level: str, code: int) -> None:
    monkeypatch.setattr(module, "doctor", lambda: [Check(level, "thing", "is so", "do this")])
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == code
    assert result.stdout == f"{level:<7}  thing  is so\n{'':<16}-> do this\n"


def test_large_models_need_room() -> None:
    assert [check.level for check in check_abilities(4 * GIB, 0)] == ["note", "note"]
    assert all(check.name == "too large" for check in check_abilities(4 * GIB, 0))
    assert [check.level for check in check_abilities(4 * GIB, 12 * GIB)] == ["ok", "note"]
    assert "on the CPU" in check_abilities(64 * GIB, 0)[0].text


def test_little_memory_is_noted() -> None:
    assert check_memory(GIB, 8 * GIB).level == "note"
    assert check_memory(6 * GIB, 8 * GIB) == Check("ok", "memory", "6.0 GiB free of 8.0 GiB")
