"""Templates beside the grammar's own, from a file: written by a language model and reviewed by hand."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from gensight.errors import DataError
from gensight.files.atomic import read_json
from gensight.instructions.grammar import IMAGE_TASKS, TASKS, Instruction, Task, as_task, filled, held_out, templates
from gensight.instructions.paraphrase import LONGEST, Paraphraser

Templates = Mapping[Task, tuple[str, ...]]

_EXAMPLE = "zebra"  # stands for the class while a template is rephrased
_FORMS = (
    ("the zebras", "{the_many}"), ("the zebra", "{the}"), ("a zebra", "{a}"), ("zebras", "{many}"), ("zebra", "{one}"),
)  # fmt: skip
_SLOT = re.compile(r"\{[^{}]*\}")
_COLOUR_SLOTS, _EXAMPLE_COLOURS = ("{yes}", "{no}"), ("purple", "green")
_SLOTS = ("{a}", "{the}", "{the_many}", "{many}", "{one}")


def read_templates(path: Path) -> Templates:
    """Task -> its templates, of a JSON file.

    Raises:
        DataError: The file is missing or no JSON, names another task, or holds a text that is no template of its task.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError("templates are lists by task", where=path, choices=TASKS)
    found: dict[Task, tuple[str, ...]] = {}
    for name, texts in content.items():
        task = as_task(name)
        if task is None:
            raise DataError(f"no task is called `{name}`", where=path, choices=TASKS)
        if not isinstance(texts, list):
            raise DataError(f"`{name}` is no list of templates", where=path)
        for text in texts:
            what = wrong_with(text, task)
            if what is not None:
                raise DataError(f"{what}: {text!r}", where=f"{path}, {name}", choices=_SLOTS)
        found[task] = tuple(texts)
    return found


def wrong_with(text: object, task: Task) -> str | None:
    """Why a text cannot be a template of a task; None where it can."""
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        return f"a template is a text of 1 to {LONGEST} characters"
    slots = _SLOT.findall(text)
    if task == "colour":
        if slots.count("{yes}") != 1 or slots.count("{no}") > 1:
            return "a template of colours has a slot {yes}, and may have {no}"
        text, slots = text.replace("{yes}", "").replace("{no}", ""), [one for one in slots if one not in _COLOUR_SLOTS]
    if any(slot not in _SLOTS for slot in slots) or "{" in _SLOT.sub("", text) or "}" in _SLOT.sub("", text):
        return "a template has no other braces than its slot"
    if task in IMAGE_TASKS:
        return "this task has no classes, so its templates have no slot" if slots else None
    return None if len(slots) == 1 else "a template has one slot for its classes"


def rephrased_templates(paraphraser: Paraphraser, task: Task, times: int) -> Iterator[str | None]:
    """Paraphrases of each of a task's training templates by a language model, `times` rounds; None where it fails.

    Held-out templates are neither passed to the model nor returned.
    """
    kept, classes = set(held_out(task)), () if task in IMAGE_TASKS else (_EXAMPLE,)
    known = {filled(one, classes, _EXAMPLE_COLOURS).lower() for one in templates(task)}
    for _ in range(times):
        paraphraser.seed += 1
        for template in templates(task):
            if template in kept:
                continue
            text = paraphraser(Instruction(filled(template, classes, _EXAMPLE_COLOURS), task, classes)).text
            new = as_template(text, task)
            example = None if new is None else filled(new, classes, _EXAMPLE_COLOURS).lower()
            if example is None or example in known:
                yield None
                continue
            known.add(example)
            yield new


def as_template(text: str, task: Task) -> str | None:
    """A rephrased example with a slot in place of its class; None where that makes no template."""
    text = text.rstrip(".")
    if not re.match(r"I\b", text):
        text = text[:1].lower() + text[1:]
    if task not in IMAGE_TASKS:
        for form, slot in _FORMS:
            text = re.sub(rf"\b{form}\b", slot, text, flags=re.IGNORECASE)
    if task == "colour":
        for colour, slot in zip(_EXAMPLE_COLOURS, _COLOUR_SLOTS, strict=True):
            text = re.sub(rf"\b{colour}\b", slot, text, flags=re.IGNORECASE)
    return text if wrong_with(text, task) is None else None
