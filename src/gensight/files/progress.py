"""A progress line with rate and time left, on standard error."""

import gc
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from threading import Timer
from typing import TypeVar

T = TypeVar("T")


def clock(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _columns() -> int:
    """Width of the terminal that standard error is; 80 where it does not say."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


class ProgressLine:
    """Redrawn twice a second on a terminal, and printed at each tenth of the way elsewhere.

    Args:
        total: Number of steps in all, or None if unknown.
        label: What is being done.
        unit: What is counted, in the plural.
        first: Steps done in earlier runs.
    """

    def __init__(self, total: int | None, label: str, unit: str = "steps", first: int = 0) -> None:
        self.total, self.label, self.unit, self.first = total, label, unit, first
        self._begun = time.monotonic()
        self._shown = 0.0
        self._tenth = 10 * first // total if total else 0
        self._terminal = sys.stderr.isatty()
        self._open = False
        _collect_as_usual()  # long work begins

    def show(self, done: int, note: str = "") -> None:
        """Reports that `done` steps are done; `note` stands before the rate."""
        if not self._due(done):
            return
        rate = (done - self.first) / max(time.monotonic() - self._begun, 1e-9)
        text = f"{self.label}: {done}/{self.total}" if self.total else f"{self.label}: {done}"
        text += f" {self.unit}{'  ' + note if note else ''}  {rate:.1f}/s"
        if self.total and rate > 0:
            text += f"  {clock((self.total - done) / rate)} left"
        if self._terminal:  # a longer line would wrap, and leave a row behind at each update
            text = text[: _columns() - 1]
        sys.stderr.write(f"\r\x1b[2K{text}" if self._terminal else f"{text}\n")
        sys.stderr.flush()
        self._open = self._terminal

    def close(self) -> None:
        """Ends the line."""
        if self._open:
            sys.stderr.write("\n")
            self._open = False

    def _due(self, done: int) -> bool:
        if self._terminal:
            now = time.monotonic()
            due = now - self._shown > 0.5 or done == self.total
            self._shown = now if due else self._shown
            return due
        if not self.total:
            return done % 1000 == 0
        tenth = 10 * done // self.total
        due = tenth > self._tenth
        self._tenth = tenth
        return due


def progress(values: Iterable[T], total: int | None, label: str, unit: str = "images") -> Iterator[T]:
    """Yields `values` while showing how far it has come."""
    for batch in batches(values, 1, total, label, unit):
        yield from batch


def batches(values: Iterable[T], size: int, total: int | None, label: str, unit: str = "images") -> Iterator[list[T]]:
    """Yields lists of `size` values, the last perhaps shorter. One counts as done when the next is requested."""
    line, rest, done = ProgressLine(total, label, unit), iter(values), 0
    while batch := list(islice(rest, size)):
        yield batch
        for _ in batch:
            done += 1
            line.show(done)
    line.close()


Announce = Callable[[str], None]  # receives the messages of a long job; the command line prints them


def silent(text: str) -> None:
    """Announces nothing."""


QUIET_SECONDS = 1.0
LOADED_SECONDS = 15.0
_RARE = 200_000  # new objects between two collections; Python's usual number is 700
_usual = gc.get_threshold()


def start_quickly() -> None:
    """For a process that begins with imports: its garbage is collected rarely, until it has loaded.

    What modules define is never garbage, and looking through it again and again doubles the time of imports. The usual
    way returns at the end of `loading`, with the first line of progress, or after some seconds.
    """
    gc.set_threshold(_RARE)
    timer = Timer(LOADED_SECONDS, _collect_as_usual)
    timer.daemon = True
    timer.start()


def _collect_as_usual() -> None:
    """After `start_quickly`, without looking at what was imported."""
    if gc.get_threshold()[0] == _RARE:
        gc.freeze()
        gc.set_threshold(*_usual)


@contextmanager
def loading(what: str = "loading") -> Iterator[None]:
    """`loading ...` on standard error, if the block, which imports and opens models, takes longer than a second."""
    terminal = sys.stderr.isatty()

    def show() -> None:
        sys.stderr.write(f"{what} ..." if terminal else f"{what} ...\n")
        sys.stderr.flush()

    timer = Timer(QUIET_SECONDS, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        _collect_as_usual()
        if terminal:
            sys.stderr.write("\r\x1b[2K")
