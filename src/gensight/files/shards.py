"""Work that is divided into shards and survives a kill: append-only files, one per shard, from which a job resumes.

One line is one task, written whole once all of its files are on disk. A line that a kill or a full disk cut short is
cut off; its task is done again, to the same bytes.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gensight.errors import ConfigError
from gensight.files.atomic import disk_errors, json_text
from gensight.files.lock import lock

WORK = "work"  # below the folder that is written, until all is done
_FULL = "free some space and run the same command: it resumes where it stopped"


def json_line(value: Any) -> bytes:
    """One value as one line of JSON."""
    return json_text(value, separators=(",", ":")).encode() + b"\n"


def whole_lines(folder: Path) -> Iterator[tuple[tuple[Path, int], bytes]]:
    """The lines of all shards, each with its place for `line_at`; not one that is being written or was cut short."""
    for path in sorted(folder.glob("*.jsonl")):
        offset = 0
        with path.open("rb") as file:
            for text in file:
                if not text.endswith(b"\n"):
                    break
                yield (path, offset), text
                offset += len(text)


def line_at(place: tuple[Path, int]) -> dict[str, Any]:
    """The value of one line."""
    with place[0].open("rb") as file:
        file.seek(place[1])
        value: dict[str, Any] = json.loads(file.readline())
    return value


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
        with disk_errors(path, full=_FULL):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not lock(self._file):
            os.close(self._file)
            raise ConfigError("another process is doing this part", where=path,
                              hint="wait for it, or give each process its own --shard")  # fmt: skip
        whole = _end_of_lines(path)
        os.truncate(self._file, whole)
        os.lseek(self._file, whole, os.SEEK_SET)

    def append(self, value: dict[str, Any]) -> None:
        """Adds a line, and waits until it is on the disk."""
        line = json_line(value)
        with disk_errors(self.path, full=_FULL):
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
