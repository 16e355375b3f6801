"""What is printed: characters that a stream can't show, and notes on files, once each."""

import codecs
import io
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any, TextIO

from gensight.errors import FileWarning

_ASCII = {"↑": "^", "↓": "v", "→": "->", "←": "<-", "−": "-", "–": "-", "—": "-", "…": "...", "×": "x", "±": "+-",
          "²": "2", "°": " deg", "·": ".", "≤": "<=", "≥": ">=", "μ": "u", "‘": "'", "’": "'", "“": '"',
          "”": '"'}  # fmt: skip
_HANDLER, _PLAIN = "gensight.replace", "gensight-ascii"


def prepare_streams() -> None:
    """What a stream can't show is replaced, names keep their bytes, and each kind of note on files is printed once.

    In a locale whose file names are ASCII, Python starts again with UTF-8: otherwise it can't write every name.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding if sys.stdout else "utf-8")
        os.execv(sys.executable, sys.orig_argv)
    codecs.register_error(_HANDLER, _replace)
    codecs.register(_plain_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # click takes a stream whose encoding is named ASCII for misconfigured, and writes UTF-8 into it.
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=_PLAIN if is_ascii else None, errors=_HANDLER)
    if getattr(warnings.showwarning, "__name__", "") != _NotesOnce.__name__:
        warnings.filterwarnings("always", category=FileWarning)
        warnings.showwarning = _NotesOnce(warnings.showwarning)


def _plain_ascii(name: str) -> codecs.CodecInfo | None:
    """ASCII under a name of its own."""
    if name.replace("_", "-") != _PLAIN:
        return None
    found = codecs.lookup("ascii")
    return codecs.CodecInfo(
        found.encode, found.decode, found.streamreader, found.streamwriter, found.incrementalencoder,
        found.incrementaldecoder, name=_PLAIN,
    )  # fmt: skip


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    if error.encoding.startswith("utf-16") or error.encoding.startswith("utf-32"):
        return "?" * (error.end - error.start), error.end  # a single byte has no place among these
    shown = (
        # Half characters stand for a file name's bytes, which are no text in this locale.
        bytes([ord(letter) - 0xDC00]) if "\udc80" <= letter <= "\udcff" else _ASCII.get(letter, "?").encode("ascii")
        for letter in error.object[error.start : error.end]
    )
    return b"".join(shown), error.end


class _NotesOnce:
    __name__ = "_NotesOnce"

    def __init__(self, otherwise: Callable[..., Any]) -> None:
        self.otherwise, self.shown = otherwise, set[str]()

    def __call__(self, message: Warning | str, category: type[Warning], filename: str, lineno: int,
                 file: TextIO | None = None, line: str | None = None) -> None:  # fmt: skip
        if not isinstance(message, FileWarning):
            self.otherwise(message, category, filename, lineno, file, line)
        elif message.what not in self.shown:
            self.shown.add(message.what)
            where = f"\n  where: {message.where} (the first such file)" if message.where else ""
            print(f"note: {message.what}{where}", file=sys.stderr, flush=True)
