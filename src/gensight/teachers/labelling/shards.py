"""Work in progress: append-only files, one per shard, from which a killed job resumes.

One line is one batch (or one video), written whole once all of its files are on disk. A line that a kill or a full
disk cut short is cut off; its batch is labelled again, to the same bytes.
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
from gensight.readers.annotated.labels import Entry
from gensight.readers.annotated.writer import json_line

WORK = "work"  # below the data set's folder, until its labels are part of it


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
        ConfigError: Another process labels this part already.
        ResourceError: The disk is full, or the folder can't be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _disk(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _lock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB):
            os.close(self._file)
            raise ConfigError("another process is labelling this part", where=path,
                              hint="wait for it, or give each process its own --shard")  # fmt: skip
        whole = path.read_bytes().rfind(b"\n") + 1
        os.truncate(self._file, whole)
        os.lseek(self._file, whole, os.SEEK_SET)

    def append(self, value: Entry) -> None:
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


class Work:
    """All lines of one teacher's shards, by image and by video; read again on demand.

    Args:
        folder: The teacher's folder below `work`; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._lines: list[tuple[Path, int]] = []
        self._rows: dict[str, tuple[int, int]] = {}
        self._videos: dict[str, int] = {}
        self._read: tuple[int, Entry] | None = None
        self.skeletons: dict[str, Any] = {}
        for path in sorted(folder.glob("*.jsonl")):
            self._scan(path)

    def _scan(self, path: Path) -> None:
        offset = 0
        with path.open("rb") as file:
            for text in file:
                if not text.endswith(b"\n"):  # being written, or cut short
                    return
                line = json.loads(text)
                number = len(self._lines)
                self._lines.append((path, offset))
                self._rows.update({row["key"]: (number, place) for place, row in enumerate(line["rows"])})
                self.skeletons |= line["skeletons"]
                if line["video"] is not None:
                    self._videos[line["video"]["group"]] = number
                offset += len(text)

    def __bool__(self) -> bool:
        return bool(self._lines)

    def _line(self, number: int) -> Entry:
        if self._read is None or self._read[0] != number:
            path, offset = self._lines[number]
            with path.open("rb") as file:
                file.seek(offset)
                self._read = number, json.loads(file.readline())
        return self._read[1]

    def row(self, key: str) -> Entry | None:
        """What was found out about an image; the latest line's word."""
        if key not in self._rows:
            return None
        number, place = self._rows[key]
        row: Entry = self._line(number)["rows"][place]
        return row

    def video(self, group: str) -> Entry | None:
        """What was found out about a video."""
        if group not in self._videos:
            return None
        video: Entry = self._line(self._videos[group])["video"]
        return video
