"""What a stream can't show is replaced, notes on files are printed once, and nothing ends in a traceback."""

import os
import subprocess
import sys

import pytest

CODE = """
import os, sys, warnings
from gensight.cli.streams import prepare_streams
from gensight.errors import FileWarning
prepare_streams()
prepare_streams()
print("mean-px \u2193 \u2212 3 \u9f20", os.fsdecode(b"bild_\\xfc.jpg"))
for number in range(3):
    warnings.warn(FileWarning("only the first page is read", f"{number}.tif"))
warnings.warn(FileWarning("nearly black"))
"""


def _run(code, **environment):
    given = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LC_", "LANG"))}
    given |= {"PYTHONPATH": os.pathsep.join(sys.path)} | environment
    return subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", b"mean-px v - 3 ? bild_\xfc.jpg\n"),
        ("latin-1", b"mean-px v - 3 ? bild_\xfc.jpg\n"),
        ("utf-8", "mean-px \u2193 \u2212 3 \u9f20 ".encode() + b"bild_\xfc.jpg\n"),
    ],
)
def test_what_a_stream_cannot_show_is_replaced(encoding, shown):
    result = _run(CODE, PYTHONIOENCODING=encoding)
    assert (result.returncode, result.stdout) == (0, shown), result.stderr.decode()
    notes = result.stderr.decode().splitlines()
    assert notes == ["note: only the first page is read", "  where: 0.tif (the first such file)", "note: nearly black"]


LIBRARIES = """
import logging
from gensight.cli.streams import prepare_streams
prepare_streams()
import click, rich.console, typer
for write in (print, typer.echo, click.echo, rich.console.Console().print):
    write("pck \u2191 \xe9")
    print(end="", flush=True)
logging.warning("\u2212 3")
typer.secho("\u2193", fg="red", err=True)
"""


@pytest.mark.parametrize("encoding", ["ascii", "US-ASCII:strict", "koi8-r", "utf-16", "utf-8"])
def test_it_is_whichever_library_prints(encoding):
    result = _run(LIBRARIES, PYTHONIOENCODING=encoding)
    name = encoding.partition(":")[0]
    whole = name.startswith("utf")
    assert result.stdout.decode(name).splitlines() == 4 * ["pck \u2191 \xe9" if whole else "pck ^ ?"]
    shown = ["WARNING:root:\u2212 3", "\u2193"] if whole else ["WARNING:root:- 3", "v"]
    assert result.stderr.decode(name).splitlines() == shown


def test_a_locale_of_ascii_starts_again_with_utf8():
    code = "import sys; from gensight.cli.streams import prepare_streams; prepare_streams(); " \
           "print(sys.getfilesystemencoding(), chr(252))"  # fmt: skip
    result = _run(code, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (result.returncode, result.stdout) == (0, b"utf-8 ?\n"), result.stderr.decode()
