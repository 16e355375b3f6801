"""Named numpy arrays in one file, memory-mapped when read: an index that opens in milliseconds."""

import json
import mmap
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import atomic_path, json_text
from gensight.samples import Array

_MAGIC = b"GSCOLS01"
_ALIGN = 64  # bytes; arrays start at multiples of it
_PLAIN = "biuf"  # dtypes without Python objects


def cache_folder() -> Path:
    """The folder of files that can be recomputed: $GENSIGHT_CACHE, or ~/.cache/gensight."""
    return Path(os.environ.get("GENSIGHT_CACHE") or Path.home() / ".cache" / "gensight")


def write_columns(path: str | Path, columns: Mapping[str, Array], meta: Any) -> None:
    """Writes arrays of plain numbers and a JSON-able value atomically.

    Raises:
        ResourceError: The disk is full, or the folder can't be written to.
    """
    arrays = {name: np.ascontiguousarray(column) for name, column in columns.items()}
    layout: list[tuple[str, str, tuple[int, ...], int]] = []
    offset, checksum = 0, 0
    for name, array in arrays.items():
        assert array.dtype.kind in _PLAIN, f"column {name} holds {array.dtype}"
        offset += -offset % _ALIGN
        layout.append((name, array.dtype.str, array.shape, offset))
        offset += array.nbytes
        checksum = zlib.crc32(array.reshape(-1).view(np.uint8).data, checksum)
    head = json_text({"layout": layout, "size": offset, "checksum": checksum, "meta": meta}).encode()
    head += b" " * (-(len(head) + 16) % _ALIGN)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(_MAGIC + len(head).to_bytes(8, "little") + head)
        start = file.tell()
        for array, (_, _, _, place) in zip(arrays.values(), layout, strict=True):
            file.write(b"\0" * (start + place - file.tell()))
            array.tofile(file)


def read_columns(path: str | Path) -> tuple[dict[str, Array], Any]:
    """The arrays, read-only and memory-mapped, and the value that `write_columns` was given.

    Raises:
        DataError: The file is missing, cut short or damaged (its checksum is compared).
    """
    try:
        with Path(path).open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if data[:8] != _MAGIC:
            raise ValueError("unknown format")
        start = 16 + int.from_bytes(data[8:16], "little")
        head = json.loads(data[16:start])
        if len(data) != start + head["size"]:
            raise ValueError("cut short")
        columns, checksum = {}, 0
        for name, dtype, shape, offset in head["layout"]:
            count = int(np.prod(shape))
            array = np.frombuffer(data, dtype, count, start + offset)
            checksum = zlib.crc32(array.view(np.uint8).data, checksum)
            columns[name] = array.reshape(shape)
        if checksum != head["checksum"]:
            raise ValueError("wrong checksum")
        return columns, head["meta"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"damaged index: {error}", where=path, hint="remove it; it is made again") from error
