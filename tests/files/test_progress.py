"""The progress line fits its terminal."""

import fcntl
import os
import pty
import struct
import sys
import termios

import pytest

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
