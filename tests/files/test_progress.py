"""The progress line fits its terminal."""

import fcntl
import gc
import os
import pty
import struct
import sys
import termios
import time

import pytest

from gensight.files import progress
from gensight.files.progress import loading, start_quickly

CODE = """
from gensight.files.progress import progress
for _ in progress(range(3), 3, "predict a rather long name", "images"):
    pass
"""


@pytest.mark.parametrize("columns", [20, 44, 200])
def test_a_line_of_progress_does_not_wrap(columns):
    process, terminal = pty.fork()
    if process == 0:  # the child, whose terminal it is
        os.environ.pop("COLUMNS", None)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execv(sys.executable, [sys.executable, "-c", CODE])
    output = b""
    try:
        while data := os.read(terminal, 4096):
            output += data
    except OSError:  # the child has ended
        pass
    os.waitpid(process, 0)
    lines = output.decode().replace("\r\n", "").split("\r\x1b[2K")[1:]
    assert lines
    assert max(map(len, lines)) < columns, lines
    assert all(line.startswith("predict a rather"[: columns - 1]) for line in lines)


def test_a_process_that_starts_quickly_collects_garbage_again_once_it_has_loaded() -> None:
    usual = gc.get_threshold()
    start_quickly()
    try:
        assert gc.get_threshold()[0] > 100 * usual[0]
        with loading():
            assert gc.get_threshold()[0] > 100 * usual[0]
        assert gc.get_threshold() == usual
        with loading():  # of a process that didn't
            assert gc.get_threshold() == usual
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


@pytest.mark.parametrize("seconds", [0.05, 60.0])
def test_garbage_is_collected_again_by_what_loads_nothing(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOADED_SECONDS", seconds)
    usual = gc.get_threshold()
    start_quickly()
    try:
        if seconds < 1:
            time.sleep(10 * seconds)
        else:
            progress.ProgressLine(3, "predict")
        assert gc.get_threshold() == usual
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


@pytest.mark.parametrize(("seconds", "shown"), [(0.0, ""), (0.2, "loading ...\n")])
def test_loading_is_shown_where_it_takes_long(
    seconds: float, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.05 if seconds else 60.0)
    with loading():
        time.sleep(seconds)
    assert capsys.readouterr().err == shown
