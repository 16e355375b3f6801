"""One writer per folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gensight.errors import RunError
from gensight.files.atomic import remove_leftovers


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
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(
                "another process is writing to this folder",
                where=folder,
                hint="wait for it to end, stop it, or choose another folder with --out",
            ) from error
        remove_leftovers(folder)
        yield
    finally:
        os.close(lock)
