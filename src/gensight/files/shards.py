"""Work that is divided into shards and survives a kill: append-only files, one per shard, from which a job resumes.

One line is one task, written whole once all of its files are on disk. A line that a kill or a full disk cut short is
cut off; its task is done again, to the same bytes.
"""

import errno
import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gensight.errors import ConfigError, ResourceError

WORK = "work"  # below the folder that is written, until all is done


def json_line(value: Any) -> bytes:
    """One value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `total`: a contiguous run of the batches, so that videos are read forwards."""

    number: int = 1
    total: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """`I/N`. Raises ConfigError if it is none."""
        match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise ConfigError(f"`{text}` is no part of the work", where="--shard",
                              hint="write I/N with I from 1 to N, such as --shard 1/4")  # fmt: skip
        return cls(int(match[1]), int(match[2]))

    def of(self, num_tasks: int) -> range:
        """Which of the tasks are this shard's."""
        return range(num_tasks * (self.number - 1) // self.total, num_tasks * self.number // self.total)

    @property
    def file_name(self) -> str:
        return f"{self.number}-of-{self.total}.jsonl"


class WorkFile:
    """One shard's lines; only one process may have it open.

    Raises:
        ConfigError: Another process does this part already.
        ResourceError: The disk is full, or the folder can't be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _disk(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _lock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB):
            os.close(self._file)
            raise ConfigError("another process is doing this part", where=path,
                              hint="wait for it, or give each process its own --shard")  # fmt: skip
        whole = _end_of_lines(path)
        os.truncate(self._file, whole)
        os.lseek(self._file, whole, os.SEEK_SET)

    def append(self, value: dict[str, Any]) -> None:
        """Adds a line, and waits until it is on the disk."""
        line = json_line(value)
        with _disk(self.path):
            while line:
                line = line[os.write(self._file, line) :]
            os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> "WorkFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _end_of_lines(path: Path) -> int:
    """Where the last whole line ends."""
    with path.open("rb") as file:
        stop = file.seek(0, os.SEEK_END)
        while stop:
            start = max(0, stop - (1 << 16))
            file.seek(start)
            found = file.read(stop - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            stop = start
    return 0


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "free some space and run the same command: it resumes where it stopped"
            raise ResourceError("the disk is full", where=path, hint=hint) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ResourceError("no permission to write here", where=path,
                                hint="choose a folder that you may write to") from error  # fmt: skip
        raise


def _lock(file: int, how: int) -> bool:
    """Whether the lock was got; folders on file systems without locks count as got."""
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise
    return True


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Only one process at a time is inside, whatever happens to the others (a killed one lets go)."""
    file = os.open(folder, os.O_RDONLY)
    try:
        _lock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
