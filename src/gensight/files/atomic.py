"""Atomic writes: whatever happens, a file is either the old one or the whole new one. And JSON, which is written so."""

import errno
import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import DataError, ResourceError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, which takes its place once the block ends without an error.

    The temporary file is hidden (`.name.token.suffix`), keeps the suffix, and is removed on failure. Missing parent
    folders are made. The block must create a file there. A permission that an existing file has is kept.

    Raises:
        ResourceError: The disk is full, or the folder can't be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush(temporary)
        if path.exists():
            temporary.chmod(path.stat().st_mode)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as error:
        resource = _resource_error(error, path)
        if resource is None:
            raise
        raise resource from error
    finally:
        temporary.unlink(missing_ok=True)


def _resource_error(error: OSError, path: Path) -> ResourceError | None:
    if error.errno in _DISK_FULL:
        return ResourceError("the disk is full", where=path, hint="free some space, or write to another disk")
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return ResourceError("no permission to write here", where=path, hint="choose a folder that you may write to")
    return None


def _flush(path: Path) -> None:
    """Waits until the file (or a folder's list of names) is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network folders can't; nothing to be done there
            raise
    finally:
        os.close(handle)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Writes a whole file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Writes a whole UTF-8 file atomically."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, value: Any, indent: int | None = None) -> None:
    """Writes a value as JSON, atomically.

    Numpy scalars and arrays, paths and tuples become plain values; NaN and infinity, which JSON lacks, become null.

    Raises:
        TypeError: The value holds something that JSON can't represent.
    """
    text = json.dumps(_plain(value), indent=indent, ensure_ascii=False, allow_nan=False)
    write_text(path, text if indent is None else text + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def read_json(path: str | Path) -> Any:
    """The value of a JSON file.

    Raises:
        DataError: The file is missing, can't be read, or isn't JSON (with the line and column).
    """
    try:
        return json.loads(Path(path).read_bytes())
    except json.JSONDecodeError as error:
        raise DataError(
            f"not valid JSON: {error.msg}",
            where=f"{path}, line {error.lineno}, column {error.colno}",
            hint="was the file cut short? Write or download it again",
        ) from error
    except UnicodeDecodeError as error:
        raise DataError("not valid JSON: the text is not UTF-8", where=f"{path}, byte {error.start}") from error
    except FileNotFoundError as error:
        raise DataError("file not found", where=path, hint="check the path") from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from error
