"""Instructions: the task and classes of one, and its items of an image.

Several classes are queried in one picture where training had so many in one, else one by one; `merging.py` joins the
answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gensight.encodings.painted.instructed import Instructed
from gensight.errors import ConfigError
from gensight.instructions.class_lists import COUNTS
from gensight.instructions.classes import in_vocabulary_order, named_classes
from gensight.instructions.grammar import IMAGE_TASKS, fixed
from gensight.instructions.tasks import infer_task
from gensight.samples import Item, Sample


@dataclass(frozen=True)
class ResolvedInstruction:
    """An instruction as it was understood.

    Attributes:
        task: How the answer is decoded.
        classes: In the order of their colours; none of tasks about the whole image.
        note: What was chosen, and why.
    """

    task: str
    classes: tuple[str, ...]
    note: str


def understand(
    encoding: Instructed, text: str, task: str | None = None, classes: Sequence[str] = (), where: str = ""
) -> ResolvedInstruction:
    """The task and the classes of an instruction.

    Args:
        encoding: Of the run.
        text: The words that the model reads.
        task: None: by the rule of `instructions/tasks.py`.
        classes: None: those of the run's vocabulary that the text names.
        where: The run, for messages.

    Raises:
        ConfigError: A task that the run was not trained for, or classes that are missing or cannot be distinguished.
    """
    note, hint = f"task: {task}", None
    if task is None:
        inferred = infer_task(text)
        task, note = inferred.task, str(inferred)
        hint = f"it was inferred from `{inferred.word}`, choose another with --task"
    if task not in encoding.tasks:
        raise ConfigError(f"this run was not trained to {task}", where=where, choices=encoding.tasks, hint=hint)
    found, notes = _classes(encoding, text, task, classes)
    return ResolvedInstruction(task, found, "; ".join([note, *notes]))


def _classes(encoding: Instructed, text: str, task: str, chosen: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """The classes in the order of their colours, and notes about them."""
    if task in IMAGE_TASKS:
        if chosen:
            raise ConfigError(f"`{task}` is a task of the whole image, without classes", where="--classes")
        return (), []
    vocabulary, note = encoding.labels if task in ("classify", "colour") else encoding.categories, ""
    if chosen:
        classes, note = in_vocabulary_order(chosen, vocabulary)
    else:
        named = named_classes(text, vocabulary)
        classes = tuple(name for name in vocabulary if name in named)
        classes = classes or (vocabulary if task == "classify" else ())
    if not classes:
        hint = "name one of them in the instruction, or another with --classes"
        raise ConfigError("the instruction names no class of this run", choices=vocabulary, hint=hint)
    notes = [f"classes: {', '.join(classes)}" + (f" ({note})" if note else "")]
    most = most_at_once(encoding, task)
    if len(classes) > most and task in ("classify", "colour"):
        hint = f"choose among {most} or fewer, with --classes"
        raise ConfigError(f"{len(classes)} classes have no distinct colours in one answer of this run", hint=hint)
    if len(classes) > most:
        words = fixed("segment" if task == "segment" else "detect", classes[:1]).text
        notes.append(f"queried one by one (`{words}` ...), since training has {most} in one query at most")
    return classes, notes


def most_at_once(encoding: Instructed, task: str) -> int:
    """Classes in one query at most: of segmentation and detection, as many as in training."""
    most = encoding.tasks[task].most_classes
    if task not in ("segment", "detect"):
        return most
    return min(most, max(COUNTS)) if encoding.several else 1


def in_one_query(encoding: Instructed, task: str, classes: Sequence[str]) -> bool:
    """Whether one picture answers all of these classes."""
    return len(classes) <= most_at_once(encoding, task)


def instruction_items(encoding: Instructed, sample: Sample, task: str, classes: Sequence[str], text: str) -> list[Item]:
    """One item in these words, or one for each class in the task's usual words."""
    if in_one_query(encoding, task, classes):
        return [encoding.item(sample, task, classes, text)]
    return [encoding.item(sample, task, (name,)) for name in classes]
