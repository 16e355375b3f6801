"""Bytes on disk: files of their own, or members of uncompressed tar files, read without unpacking these."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gensight.errors import DataError


@dataclass(frozen=True)
class Stored:
    """A file, or a piece of one.

    Attributes:
        path: The file.
        start: First byte.
        size: Number of bytes; None: the file as a whole.
        name: Of the tar's member; empty for a file of its own.
    """

    path: Path
    start: int = 0
    size: int | None = None
    name: str = ""

    def read(self) -> bytes:
        """The bytes. Raises DataError where they are not there."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                data = file.read() if self.size is None else file.read(self.size)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", where=str(self)) from error
        if self.size is not None and len(data) < self.size:
            raise DataError("the file was cut short", where=str(self), hint="write or copy it again")
        return data

    def __str__(self) -> str:
        return f"{self.path}, {self.name}" if self.name else str(self.path)


def tar_members(path: Path) -> Iterator[Stored]:
    """The plain files in an uncompressed tar, in order. Raises DataError for what is no such tar, or cut short."""
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if member.isreg() and not member.issparse():
                    yield Stored(path, member.offset_data, member.size, member.name)
    except (tarfile.TarError, OSError, EOFError) as error:
        hint = "was it cut short? Write or copy it again; a compressed one must be unpacked first"
        raise DataError(f"not a tar file that can be read: {error}", where=path, hint=hint) from error
