"""One writer per folder, and a writer that dies holds nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from gensight.errors import RunError
from gensight.files.lock import only_writer

HOLD = """
import sys
from pathlib import Path
from gensight.files.lock import only_writer
with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(RunError, match="another process is writing to this folder"), only_writer(folder):
        pass
    other.kill()
    other.communicate()
    with only_writer(folder):
        pass
    with only_writer(folder):
        pass
