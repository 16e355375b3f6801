"""Which classes of a vocabulary an instruction names: for decoding alone; the model reads the text."""

import re
from collections.abc import Mapping, Sequence

from gensight.instructions.grammar import plural

_EVERYTHING = ("everything", "all classes", "all objects", "every thing", "every object")


def named_classes(
    text: str, vocabulary: Sequence[str], synonyms: Mapping[str, Sequence[str]] | None = None
) -> tuple[str, ...]:
    """The classes that a text names, singular or plural, in the order in which it does; all of them for `everything`.

    Of names that overlap the longest counts: `polar bear` is no `bear`.

    Args:
        text: The instruction.
        vocabulary: Names of classes.
        synonyms: Other names of classes.
    """
    said = " ".join(re.findall(r"[a-z0-9']+", text.lower()))
    if any(word in said for word in _EVERYTHING):
        return tuple(vocabulary)
    words = {
        form.lower(): name
        for name in vocabulary
        for one in (name, *(synonyms or {}).get(name, ()))
        for form in (one, plural(one))
    }
    found: list[tuple[int, str]] = []
    for form in sorted(words, key=len, reverse=True):
        pattern = rf"\b{re.escape(' '.join(re.findall(r'[a-z0-9]+', form)))}\b"
        for match in re.finditer(pattern, said):
            found.append((match.start(), words[form]))
            said = said[: match.start()] + " " * len(match.group()) + said[match.end() :]
    return tuple(dict.fromkeys(name for _, name in sorted(found)))
