"""Content hashes: what a cached or trained thing depends on, as one short text; and numbers mixed for seeds."""

import hashlib
import json
from pathlib import Path
from typing import Any

from gensight.errors import DataError

_MASK = (1 << 64) - 1


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


def mix(*values: int) -> int:
    """One well-spread 63-bit number from several (splitmix64, Steele et al., OOPSLA 2014, applied in a chain)."""
    state = 0
    for value in values:
        state = (state ^ (value & _MASK)) & _MASK
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1
