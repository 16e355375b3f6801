"""The files that the page may read or hand out: an explicit list, each entry bound to one visitor.

A visitor names a file by a random key, which is looked up and never used as a path. What is not in the list is refused
without a look at the disk, so that a refusal does not depend on what is there. Files are opened by descriptor, folder
by folder from the server's own one, without following links, and only if they are still the files that were listed.
"""

import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gensight.errors import DataError
from gensight.web.visitors import NOBODY

EVERYONE = "everyone"  # owner of the examples; no visitor is called so
NOT_TAKEN = "Only uploaded files are taken."
_LISTED = 20_000


@dataclass(frozen=True)
class _Entry:
    parts: tuple[str, ...]  # of the path within the server's folder
    name: str
    owner: str
    identity: tuple[int, int]  # device and inode
    listed: float


class ServedFiles:
    """The list.

    Args:
        folder: Of the server's own, which only this user can read. Uploads are written into it.
        uploads: The latest that are kept.
        seconds: How long an entry lasts.
        clock: Seconds.
    """

    def __init__(
        self, folder: Path, uploads: int = 500, seconds: float = 86_400.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder, self.uploads, self.seconds, self.clock = folder.resolve(), uploads, seconds, clock
        self._entries: dict[str, _Entry] = {}
        self._keys: dict[tuple[str, tuple[str, ...]], str] = {}
        self._uploads: list[str] = []
        self._lock = threading.RLock()
        (self.folder / "uploads").mkdir(mode=0o700, parents=True, exist_ok=True)

    def add_upload(self, content: bytes, name: str, owner: str) -> str:
        """Writes an upload under a random name, and lists it for its owner.

        Args:
            content: Of the file.
            name: What its owner calls it.
            owner: A visitor.

        Returns:
            Its key.
        """
        self._sweep()
        path = self.folder / "uploads" / secrets.token_hex(16)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        key = self.add(path, owner, name)
        with self._lock:
            self._uploads.append(key)
        return key

    def add(self, path: str | Path, owner: str, name: str | None = None) -> str:
        """Lists a file of the server's folder for a visitor, and returns its key: the same one each time.

        Raises:
            DataError: It is no plain file there, or reached by a link.
        """
        try:
            parts = Path(path).relative_to(self.folder).parts
        except ValueError as error:
            raise _refusal() from error
        with _open_within(self.folder, parts) as file:
            identity = _identity(file)
        with self._lock:
            former = self._keys.get((owner, parts), "")
            if former and self._entries[former].identity == identity and self.may_open(former, owner):
                return former
            if len(self._entries) >= _LISTED:
                self._sweep()
            title = (name or parts[-1]).replace("\\", "/").rpartition("/")[2]
            key = f"{secrets.token_urlsafe(16)}/{_plain(title)}"
            self._entries[key] = _Entry(parts, title, owner, identity, self.clock())
            self._keys[owner, parts] = key
        return key

    def may_open(self, key: str, visitor: str) -> bool:
        """Whether the key is listed for this visitor; the disk is not looked at."""
        with self._lock:
            entry = self._entries.get(key)
        if entry is None or entry.owner not in (visitor, EVERYONE, NOBODY):
            return False
        return entry.owner == EVERYONE or entry.listed >= self.clock() - self.seconds

    def open(self, key: str, visitor: str) -> tuple[BinaryIO, str]:
        """The file that a key stands for, and its name.

        Raises:
            DataError: It is not listed for this visitor, or is not the file any more that was listed; one and the same
                error for all.
        """
        with self._lock:
            entry = self._entries.get(key)
        if entry is None or not self.may_open(key, visitor):
            raise _refusal()
        file = _open_within(self.folder, entry.parts)
        if _identity(file) != entry.identity:
            file.close()
            raise _refusal()
        return file, entry.name

    def _sweep(self) -> None:
        """Forgets what is too old, or too much for one more; uploads are removed, too."""
        with self._lock:
            oldest = self.clock() - self.seconds
            num_spare = max(0, len(self._entries) + 1 - _LISTED)
            mortal = [key for key, entry in self._entries.items() if entry.owner != EVERYONE]
            gone = {key for key in mortal if self._entries[key].listed < oldest}
            gone |= {*mortal[:num_spare], *self._uploads[: max(0, len(self._uploads) + 1 - self.uploads)]}
            for key in gone:
                entry = self._entries.pop(key)
                if self._keys.get((entry.owner, entry.parts)) == key:
                    del self._keys[entry.owner, entry.parts]
                if entry.parts[0] == "uploads":
                    with suppress(OSError):
                        self.folder.joinpath(*entry.parts).unlink()
            self._uploads = [key for key in self._uploads if key not in gone]


def _open_within(folder: Path, parts: tuple[str, ...]) -> BinaryIO:
    """A plain file, opened step by step so that no part of its path is a link.

    Raises:
        DataError: There is none; not saying why.
    """
    below = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        if not parts or {"", ".", ".."} & set(parts):
            raise OSError
        at = os.open(folder, below)
        try:
            for part in parts[:-1]:
                upper, at = at, os.open(part, below, dir_fd=at)
                os.close(upper)
            # Not blocking: opening a named pipe would wait for its writer.
            descriptor = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
        finally:
            os.close(at)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError
    except (OSError, ValueError) as error:
        raise _refusal() from error
    return os.fdopen(descriptor, "rb")


def _refusal() -> DataError:
    return DataError(NOT_TAKEN.rstrip(".").lower(), hint="upload an image")


def _identity(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino


def _plain(name: str) -> str:
    """A name that needs no quoting in an address."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).lstrip(".")[-80:] or "file"
