"""One writer per file or folder."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gensight.errors import RunError
from gensight.files.atomic import remove_leftovers


def lock(file: int, wait: bool = False) -> bool:
    """Whether an open file is now this process's alone; on file systems without locks it is taken to be."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
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
        lock(file, wait=True)
        yield
    finally:
        os.close(file)


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Holds a folder for this process; the hold ends with the block, or with the process, however that ends.

    Temporary files that a killed process left in the folder are removed.

    Args:
        folder: Made if it is not there. The file `.lock` in it stays, and means nothing by itself.

    Raises:
        RunError: If another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not lock(file):
            hint = "wait for it to end, stop it, or choose another folder with --out"
            raise RunError("another process is writing to this folder", where=folder, hint=hint)
        remove_leftovers(folder)
        yield
    finally:
        os.close(file)
