"""The colours that a yes-or-no instruction names for its answers: `show purple if there is a cat, otherwise green`."""

import re

from PIL import ImageColor

_CONDITION = re.compile(
    r"\b(?:if|when|whether|in case)\b.*?"
    r"(?=[,.;]|\b(?:and|or|otherwise|else|show|display|indicate|paint|turn|make|answer|colour|color)\b|$)"
)


def named_colours(text: str) -> tuple[str, str] | None:
    """(colour of yes, colour of no), names of CSS in lower case, no in black where none is named; None without any.

    What the condition is about names no colour: `show blue if there is an orange`.
    """
    lower = text.lower()
    if _CONDITION.search(lower) is None:
        return None
    words = re.findall(r"[a-z]+", _CONDITION.sub(" ", lower))
    found = list(dict.fromkeys(word for word in words if word in ImageColor.colormap))
    return (found[0], found[1] if len(found) > 1 else "black") if found else None
