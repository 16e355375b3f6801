"""What a teacher is called in a data set, where another teacher may have the name already."""

import copy
from collections.abc import Sequence
from itertools import count

from gensight.readers.annotated.labels import Entry
from gensight.teachers.base import Teacher


def named_apart(teacher: Teacher, entries: Sequence[Entry]) -> Teacher:
    """The teacher; under another name, `NAME#2` and so on, where its own is another teacher's in the data set.

    A newer version of a teacher, or one with other settings, keeps the name and takes the former one's place. Another
    model, such as a folder of the same name, or another way of prompting (`Teacher.identity_settings`), is
    another teacher, and the labels of both are kept.

    Args:
        teacher: Who labels.
        entries: The teachers of the data set, as `dataset.json` has them.
    """
    held = {entry["name"]: entry for entry in entries}
    name, numbers = teacher.name, count(2)
    while name in held and not _is_same(teacher, held[name]):
        name = f"{teacher.name}#{next(numbers)}"
    if name == teacher.name:
        return teacher
    renamed = copy.copy(teacher)
    renamed.name = name
    return renamed


def _is_same(teacher: Teacher, entry: Entry) -> bool:
    """Whether an entry is this teacher's, in this or another version."""
    settings = teacher.settings()
    if any(entry["settings"].get(key) != settings.get(key) for key in teacher.identity_settings):
        return False
    # Entries of earlier releases don't have the model's location; and a folder may have been moved.
    return entry.get("model") in (None, teacher.model_location) or entry["version"] == teacher.version
