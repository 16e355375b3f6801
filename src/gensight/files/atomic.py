"""Atomic writes: whatever happens, a file is either the old one or the whole new one. And JSON, which is written so."""

import errno
import hashlib
import json
import math
import os
import re
import secrets
import socket
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import DataError, resource_error

_MACHINE = f"{zlib.crc32(socket.gethostname().encode()) & 0xFFFF:04x}"
_LEFTOVER = re.compile(r"\..+\.([0-9a-f]{4})-(\d+)-[0-9a-f]{4}\.part(\.\w{1,15})?", re.DOTALL)
_HALVES = re.compile("[\ud800-\udfff]+")  # how Python keeps the bytes of a file name that are no text


_bulk_depth = 0  # > 0: files are being written of which none has to be on the disk before the last one is


@contextmanager
def bulk_writes() -> Iterator[None]:
    """For thousands of small files that can be made again: they reach the disk together, when the block ends.

    Within it each file is still either absent or whole after a killed process; only after a power cut may the latest
    ones be empty. Waiting for the disk at each file takes longer than rendering an image.
    """
    global _bulk_depth
    _bulk_depth += 1
    try:
        yield
    finally:
        _bulk_depth -= 1
        os.sync()


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, which takes its place once the block ends without an error.

    The temporary file is hidden (`.name.machine-process-token.part.suffix`), keeps the suffix, and is removed on
    failure, or by `remove_leftovers` where the process was killed. Missing parent folders are made. The block must
    create a file there. A permission that an existing file has is kept.

    Raises:
        ResourceError: The disk is full, or the folder can't be written to.
    """
    path = Path(path)
    suffix = path.suffix if len(path.suffix) <= 16 else ""
    owner = f"{_MACHINE}-{os.getpid()}-{secrets.token_hex(2)}"
    temporary = path.with_name(f".{path.stem[:48]}.{owner}.part{suffix}")  # a file system takes 255 bytes, all in all
    try:
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            _flush(temporary)
            if path.exists():
                temporary.chmod(path.stat().st_mode)
            temporary.replace(path)
            _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def disk_errors(path: Path, **hints: str) -> Iterator[None]:
    """Raises ResourceError where the block, which writes `path`, finds the disk full or no permission.

    Args:
        path: What is written.
        hints: As of `resource_error`.
    """
    try:
        yield
    except OSError as error:
        resource = resource_error(error, path, **hints)
        if resource is None:
            raise
        raise resource from error


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Raises ResourceError, naming `path`, where something in the block finds the disk full."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise resource_error(error, error.filename or path) or error from error


def remove_leftovers(folder: Path) -> int:
    """Removes the temporary files in a folder, and below it, of processes that were killed on this machine; how many.

    Those of processes that live, and of other machines, stay.
    """
    left = [path for path in folder.rglob(".*.part*") if path.is_file() and _is_left(path.name)]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def _is_left(name: str) -> bool:
    found = _LEFTOVER.fullmatch(name)
    if found is None or found[1] != _MACHINE:
        return False
    try:
        os.kill(int(found[2]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # another user's
        return False
    return False


def _flush(path: Path) -> None:
    """Waits until the file (or a folder's list of names) is on the disk, unless in `bulk_writes`."""
    if _bulk_depth:
        return
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
    """Writes a whole UTF-8 file atomically. File names in it as `readable`."""
    write_bytes(path, readable(text).encode())


def fitting_name(name: str, room: int = 255) -> str:
    """A file's name of at most `room` bytes: a longer one keeps its beginning and its end, around a hash of it all."""
    data = os.fsencode(name)
    if len(data) <= room:
        return name
    middle = f"~{hashlib.sha256(data).hexdigest()[:12]}~"
    end = name[-12:]
    start = name
    while len(os.fsencode(start + middle + end)) > room:
        start = start[:-1]
    return start + middle + end


def readable(text: str) -> str:
    """The text with whatever is no Unicode in it, from names of files, as the text of its bytes, or as `\\udcfc`."""
    return _HALVES.sub(lambda match: _decoded(match[0]), text)


def named_path(folder: Path, name: str) -> Path:
    """The file below a folder whose name `readable` wrote."""
    path = folder / name
    if "\\udc" in name and not path.exists():
        path = folder / re.sub(r"\\udc([89a-f][0-9a-f])", lambda match: chr(0xDC00 + int(match[1], 16)), name)
    return path


def _decoded(halves: str) -> str:
    try:
        return halves.encode(errors="surrogateescape").decode()
    except UnicodeError:
        return halves.encode(errors="backslashreplace").decode()


def write_json(path: str | Path, value: Any, indent: int | None = None) -> None:
    """Writes a value as JSON, atomically.

    Numpy scalars and arrays, paths and tuples become plain values; NaN and infinity, which JSON lacks, become null.

    Raises:
        TypeError: The value holds something that JSON can't represent.
    """
    text = json_text(value, indent=indent)
    write_text(path, text if indent is None else text + "\n")


def json_text(value: Any, **options: Any) -> str:
    """A value as strict JSON; whatever the package writes as JSON is written by this. Values as in `write_json`.

    Args:
        value: Of plain values, mappings and lists.
        options: `indent`, `separators`, `default` as of `json.dumps`.
    """
    return readable(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, **options))


def json_values(value: Any, **options: Any) -> Any:
    """A value as it is read back after it was written as JSON."""
    return json.loads(json_text(value, **options))


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
    except RecursionError as error:
        raise DataError("not valid JSON: nested too deeply", where=path) from error
    except UnicodeDecodeError as error:
        raise DataError("not valid JSON: the text is not UTF-8", where=f"{path}, byte {error.start}") from error
    except FileNotFoundError as error:
        raise DataError("file not found", where=path, hint="check the path") from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from error
