"""What a visitor sends to one of the page's functions, built anew from the parts that are known to be harmless.

Nothing is passed on as it was sent: texts stay texts, a file becomes the key of a file that is listed for the visitor,
and every other field (`url`, `meta`, `size`, `event_id`, `batched` ...) is left out.
"""

import json
import math
from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeGuard

from gensight.files.atomic import json_text
from gensight.web.served_files import NOT_TAKEN, ServedFiles
from gensight.web.visitors import Visitors

Slot = Literal["text", "file", "state"]
Slots = Mapping[int, tuple[Slot, ...]]  # of each function, by its number: what it takes

UNREADABLE = "The request cannot be read."
_NAME_LENGTH = 255
_SESSION_LENGTH = 100


class RefusedError(Exception):
    """A request that is not passed on.

    Args:
        status: HTTP.
        reason: Shown to the visitor; the same for all requests of a kind.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def no_page() -> RefusedError:
    """A new one each time: a raised exception keeps the request that it was raised for."""
    return RefusedError(404, "There is no such page.")


class Questions:
    """Reads the questions of visitors.

    Args:
        slots: Of the page's functions.
        direct: Numbers of those that are run at once; the others wait in the queue.
        named: Number of the function that programs call.
        files: That may be named.
        visitors: Their sessions.
    """

    def __init__(
        self, slots: Slots, direct: Collection[int], named: int, files: ServedFiles, visitors: Visitors
    ) -> None:
        self.slots, self.direct, self.named, self.files, self.visitors = slots, direct, named, files, visitors

    def from_page(self, body: bytes, visitor: str, direct: bool) -> bytes:
        """A question of the page's own script, for the queue or to be run at once.

        Raises:
            RefusedError: It names no function, no session, or a file that is not this visitor's.
        """
        question = _read(body)
        number, session = question.get("fn_index"), question.get("session_hash")
        if not _is_integer(number) or number not in self.slots or (number in self.direct) != direct:
            raise no_page()
        trigger = question.get("trigger_id")
        built = {
            "data": self._data(question.get("data"), self.slots[number], visitor),
            "fn_index": number,
            "trigger_id": trigger if _is_integer(trigger) else None,
            "event_data": _event(question.get("event_data")),
            "session_hash": self.session(session, visitor),
        }
        return json_text(built).encode()

    def from_program(self, body: bytes, visitor: str) -> bytes:
        """A question by the function's name; errors as `from_page`."""
        question = _read(body)
        session = question.get("session_hash")
        slots, data = self.slots[self.named], question.get("data")
        if isinstance(data, list) and 0 < len(data) < len(slots):
            data = [*data, *[None] * (len(slots) - len(data))]  # what is not given at the end is empty
        built: dict[str, Any] = {"data": self._data(data, slots, visitor)}
        if session is not None:
            built["session_hash"] = self.session(session, visitor)
        return json_text(built).encode()

    def session(self, session: Any, visitor: str) -> str:
        """This visitor's session under a name."""
        if not isinstance(session, str) or not 0 < len(session) <= _SESSION_LENGTH:
            raise RefusedError(400, UNREADABLE)
        return self.visitors.session(visitor, session)

    def _data(self, data: Any, slots: tuple[Slot, ...], visitor: str) -> list[Any]:
        if not isinstance(data, list):
            raise RefusedError(400, UNREADABLE)
        if len(data) != len(slots):
            raise RefusedError(400, UNREADABLE)
        return [self._value(value, slot, visitor) for value, slot in zip(data, slots, strict=True)]

    def _value(self, value: Any, slot: Slot, visitor: str) -> Any:
        if slot == "file" and value is not None:
            return self._file(value, visitor)
        if slot == "state" or value is None:
            return None
        if not isinstance(value, str):
            raise RefusedError(403, NOT_TAKEN)
        return value

    def _file(self, value: Any, visitor: str) -> dict[str, Any]:
        key = value.get("path") if isinstance(value, dict) else None
        if not isinstance(key, str) or not self.files.may_open(key, visitor):
            raise RefusedError(403, NOT_TAKEN)
        name = value.get("orig_name")
        return {"path": key, "orig_name": name[:_NAME_LENGTH] if isinstance(name, str) else None}


def _read(body: bytes) -> dict[str, Any]:
    try:
        question = json.loads(body)
        json.dumps(question, ensure_ascii=False).encode()  # refuses half characters, which no text holds
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, UNREADABLE) from error
    if not isinstance(question, dict):
        raise RefusedError(400, UNREADABLE)
    return question


def _event(event: Any) -> dict[str, Any] | None:
    """Where something was clicked: an index, or the two coordinates of a place."""
    index = event.get("index") if isinstance(event, dict) else None
    if _is_integer(index) or (isinstance(index, list) and len(index) == 2 and all(_is_finite(one) for one in index)):
        return {"index": index, "value": None}
    return None


def _is_integer(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    return _is_integer(value) or (isinstance(value, float) and math.isfinite(value))
