"""GOO's annotation files: pickles, read without executing code from them, or the same records as json.

Of what a pickle may name, `read_records` follows only what rebuilds arrays of numbers.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core import multiarray, numeric

from gensight.errors import DataError
from gensight.files.atomic import read_json, write_json
from gensight.readers.shared.pickles import RefusedPickleError, read_pickle

# Both names that numpy's own pickles go by, before and since its second version.
_ARRAYS: dict[str, Any] = {
    "multiarray._reconstruct": multiarray._reconstruct,
    "multiarray.scalar": multiarray.scalar,
    "numeric._frombuffer": getattr(numeric, "_frombuffer"),  # noqa: B009 (missing from numpy's stubs)
}
_KNOWN: dict[str, Any] = {
    **{f"numpy.{package}.{name}": value for package in ("core", "_core") for name, value in _ARRAYS.items()},
    "numpy.ndarray": np.ndarray,
    "numpy.dtype": np.dtype,
    "builtins.list": list,
    "builtins.dict": dict,
    "builtins.tuple": tuple,
    "collections.OrderedDict": dict,
}


def read_records(path: Path) -> list[dict[str, Any]]:
    """The records of a .pickle, .pkl or .json file, as plain json values.

    Raises:
        DataError: The file is missing or damaged, holds something else than a list of records, or is a pickle that
            names anything but numbers, texts, lists, dictionaries and arrays of numbers.
    """
    if not path.is_file():
        raise DataError("file not found", where=path, hint="check the path")
    records = read_json(path) if path.suffix == ".json" else _unpickle(path)
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise DataError("not a list of GOO's records", where=path)
    return [{str(key): _plain(value) for key, value in one.items()} for one in records]


def _unpickle(path: Path) -> Any:
    try:
        return read_pickle(path.read_bytes(), _KNOWN)
    except RefusedPickleError as error:
        hint = "do not open this file with other tools; get it from the authors' own page"
        raise DataError(f"the pickle {error}", where=path, hint=hint) from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            return [_plain(one) for one in value.tolist()]
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bytes):
        return value.decode("latin1")
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def pickle_to_json(source: str | Path, target: str | Path) -> int:
    """Writes the records of a GOO pickle as json, atomically, and returns their number. Raises DataError as above."""
    records = read_records(Path(source))
    try:
        json.dumps(records, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"a record holds what json cannot represent: {error}", where=source) from error
    write_json(target, records)
    return len(records)
