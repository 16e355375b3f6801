"""Which classes of a vocabulary an instruction names: for decoding alone; the model reads the text."""

import re
from collections.abc import Sequence

from gensight.errors import ConfigError
from gensight.instructions.grammar import plural

_EVERYTHING = ("everything", "every thing", "every object", "all classes", "all objects")
_EVERYTHING_ELSE = "everything else"  # `keep the cat and blacken everything else` names the cat only
_UNLESS_NAMED = ("every pixel", "full segmentation")  # `mark every pixel that belongs to a cat` names the cat only


def named_classes(text: str, vocabulary: Sequence[str]) -> tuple[str, ...]:
    """The classes that a text names, singular or plural, in the order in which it does; all of them for `everything`.

    Of names that overlap the longest counts: `polar bear` is no `bear`.

    Args:
        text: The instruction.
        vocabulary: Names of classes.
    """
    normalized = " ".join(re.findall(r"[a-z0-9']+", text.lower()))
    if _contains(normalized.replace(_EVERYTHING_ELSE, " "), _EVERYTHING):
        return tuple(vocabulary)
    found = _found(normalized, vocabulary)
    return tuple(vocabulary) if not found and _contains(normalized, _UNLESS_NAMED) else found


def _contains(normalized: str, phrases: Sequence[str]) -> bool:
    return any(re.search(rf"\b{phrase}\b", normalized) for phrase in phrases)


def _found(normalized: str, vocabulary: Sequence[str]) -> tuple[str, ...]:
    words = {form.lower(): name for name in vocabulary for form in (name, plural(name))}
    found: list[tuple[int, str]] = []
    for form in sorted(words, key=len, reverse=True):
        pattern = rf"\b{re.escape(' '.join(re.findall(r'[a-z0-9]+', form)))}\b"
        for match in re.finditer(pattern, normalized):
            found.append((match.start(), words[form]))
            normalized = normalized[: match.start()] + " " * len(match.group()) + normalized[match.end() :]
    return tuple(dict.fromkeys(name for _, name in sorted(found)))


def in_vocabulary_order(names: Sequence[str], vocabulary: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Classes as typed -> in the order of their colours, and a note to show, or an empty text.

    Colours were learned in the vocabulary's order; where one is not in it, the typed order is all there is.

    Raises:
        ConfigError: A name is empty, or occurs twice.
    """
    if any(not name.strip() for name in names):
        typed = ",".join(names)
        raise ConfigError(f"an empty name among the classes: `{typed}`", where="--classes", hint="write A,B,C")
    twice = next((name for name in names if list(names).count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"`{twice}` is named twice", where="--classes", hint="name each class once")
    foreign = [name for name in names if name not in vocabulary]
    if foreign:
        return tuple(names), f"as typed: {', '.join(foreign)} not in the run's vocabulary"
    ordered = tuple(name for name in vocabulary if name in names)
    return ordered, "" if ordered == tuple(names) else "in the order of the vocabulary, which is that of their colours"
