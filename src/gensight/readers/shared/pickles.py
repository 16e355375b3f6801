"""Pickles, read without following what they name: a pickle may name any function to be called while it is read."""

import io
import pickle
from collections.abc import Mapping
from typing import Any

_DAMAGED = (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError, MemoryError,
            OverflowError)  # fmt: skip


class RefusedPickleError(Exception):
    """The pickle is damaged, or names something that is not known; the message is the end of `the pickle ...`."""


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, known: Mapping[str, Any]) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._known = known

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in self._known:
            raise RefusedPickleError(f"references `{module}.{name}`, which is not allowed: nothing was executed")
        return self._known[f"{module}.{name}"]


def read_pickle(data: bytes, known: Mapping[str, Any]) -> Any:
    """The numbers, texts, lists, tuples and dictionaries of a pickle.

    Args:
        data: Its bytes.
        known: Qualified name -> the only other things that it may name.

    Raises:
        RefusedPickleError: It names anything else, or is damaged.
    """
    try:
        return _Unpickler(data, known).load()
    except _DAMAGED as error:
        raise RefusedPickleError(f"is damaged: {error}") from error
