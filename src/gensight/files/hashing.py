"""Content hashes: what a cached or trained thing depends on, as one short text."""

import hashlib
import json
from pathlib import Path
from typing import Any

from gensight.errors import DataError


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits; read in pieces.

    Raises:
        DataError: The file is missing or can't be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from error


def value_hash(value: Any) -> str:
    """SHA-256 of a JSON-able value, 64 hexadecimal digits; the order of a mapping's keys does not matter.

    Raises:
        TypeError: The value holds something that JSON can't represent.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
