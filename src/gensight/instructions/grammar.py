"""Templates of instructions, `grammar.yaml`, and the English that fills them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from random import Random
from typing import Literal, get_args

import yaml

from gensight.errors import ConfigError

Task = Literal[
    "segment", "detect", "depth", "classify", "keypoints", "edges", "colour", "derain", "low-light", "denoise"
]  # fmt: skip
TASKS: tuple[Task, ...] = get_args(Task)
RESTORATIONS: tuple[Task, ...] = ("derain", "low-light", "denoise")  # from image to image
IMAGE_TASKS: tuple[Task, ...] = ("depth", "keypoints", "edges", *RESTORATIONS)  # they name no class
COLOURS = (
    "red", "green", "blue", "purple", "white", "black", "yellow", "orange", "cyan", "pink", "brown", "grey",
)  # fmt: skip
YES_AND_NO = ("white", "black")  # the usual colours
HELD_OUT_EVERY = 5  # every fifth template of a task is kept from training

_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    name: tuple(texts)
    for name, texts in yaml.safe_load(
        (files("gensight.instructions") / "grammar.yaml").read_text(encoding="utf-8")
    ).items()
}
_IRREGULAR = {
    "person": "people", "man": "men", "woman": "women", "child": "children", "mouse": "mice", "sheep": "sheep",
    "knife": "knives", "shelf": "shelves", "leaf": "leaves", "wolf": "wolves", "skis": "skis", "scissors": "scissors",
    "stairs": "stairs", "fish": "fish", "goose": "geese", "foot": "feet", "tooth": "teeth",
}  # fmt: skip
_SILENT = ("hour", "honest", "heir")
_LIKE_YOU = ("uni", "use", "euro", "one", "ute", "ufo")


@dataclass(frozen=True)
class Instruction:
    """An instruction and its meaning.

    Attributes:
        text: The words.
        task: Of `TASKS`.
        classes: The queried classes, in the order of their colours; none for `IMAGE_TASKS`.
        colours: Of `colour`: names of those of yes and no.
    """

    text: str
    task: Task
    classes: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()


def as_task(name: str | None) -> Task | None:
    """The task of that name; None where there is none."""
    return next((task for task in TASKS if task == name), None)


def article(word: str) -> str:
    """`a` or `an`, by the sound that a word begins with, guessed from its letters."""
    word = word.lower()
    if word.startswith(_SILENT):
        return "an"
    return "an" if word[:1] in "aeiou" and not word.startswith(_LIKE_YOU) else "a"


def plural(name: str) -> str:
    """The plural of a class name; the last word of several takes it."""
    if name in _IRREGULAR:
        return _IRREGULAR[name]
    first, space, last = name.rpartition(" ")
    if space:
        return f"{first} {plural(last)}"
    if last.endswith("s") and not last.endswith(("ss", "us")):  # glasses, stairs
        return last
    if last.endswith(("s", "x", "z", "ch", "sh")):
        return f"{last}es"
    if last.endswith("y") and last[-2:-1] not in "aeiou":
        return f"{last[:-1]}ies"
    return f"{last}s"


def is_plural(name: str) -> bool:
    """Whether a name is a plural already, such as `stairs`."""
    return plural(name) == name and name not in ("sheep", "fish")


def joined(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def templates(task: Task, several: bool = False) -> tuple[str, ...]:
    """All templates of a task; `several`: of classification, those that choose among classes.

    Raises:
        ConfigError: There is no such task.
    """
    if task not in TASKS:
        raise ConfigError(f"no task is called `{task}`", choices=TASKS)
    return _TEMPLATES["classify-among" if several and task == "classify" else task]


def held_out(task: Task, several: bool = False) -> tuple[str, ...]:
    """The templates that training never sees: every fifth."""
    return templates(task, several)[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]


def filled(template: str, names: Sequence[str], colours: Sequence[str] = ()) -> str:
    """A template with its classes: articles, plurals, `and`, and verbs that agree with them; and with its colours."""
    if not names or "{" not in template:
        return template
    named = list(names)
    verbs = ("are", "do", "cover") if len(named) > 1 or is_plural(named[0]) else ("is", "does", "covers")
    yes, no = colours or YES_AND_NO
    return template.format(
        yes=yes,
        no=no,
        **dict(zip(("is", "does", "covers"), verbs, strict=True)),
        a=joined([name if is_plural(name) else f"{article(name)} {name}" for name in named]),
        the=joined([f"the {name}" for name in named]),
        the_many="the " + joined([plural(name) for name in named]),
        many=joined([plural(name) for name in named]),
        one=joined(named),
    )


def fixed(task: Task, classes: Sequence[str] = (), colours: Sequence[str] = ()) -> Instruction:
    """The one usual instruction of a task: its first template."""
    several = task == "classify" and len(classes) != 1
    return Instruction(filled(templates(task, several)[0], classes, colours), task, tuple(classes), tuple(colours))


def rephrased(
    task: Task,
    classes: Sequence[str] = (),
    seed: int = 0,
    synonyms: Mapping[str, Sequence[str]] | None = None,
    part: Literal["train", "held-out"] = "train",
    more: Mapping[Task, Sequence[str]] | None = None,
    colours: Sequence[str] = (),
) -> Instruction:
    """An instruction sampled from a task's templates; the same for the same seed.

    Args:
        task: Of `TASKS`.
        classes: Queried classes, named in any order; none for `IMAGE_TASKS`.
        seed: Seeds the choice of the template, the synonyms and the order of the names.
        synonyms: Other names of classes: one of them always replaces the class in the text. `classes` keep their names.
        part: Templates of training, or those kept from it.
        more: Task -> templates of training beside the grammar's own.
        colours: Of `colour`: names of those of yes and no; a template names both, but for a no in black.

    Raises:
        ConfigError: There is no such task.
    """
    random = Random(f"{task} {seed}")
    several = task == "classify" and len(classes) != 1
    choices = held_out(task, several)
    if part == "train":
        extra = () if several else (more or {}).get(task, ())
        choices = (*(one for one in templates(task, several) if one not in choices), *extra)
    if task == "segment" and len(classes) > 1:
        choices = tuple(one for one in choices if "white" not in one)  # they have a colour each
    if colours and colours[1] != "black":
        choices = tuple(one for one in choices if "{no}" in one)
    named = [random.choice(list((synonyms or {}).get(name, ())) or [name]) for name in classes]
    if len(named) > 1 and task != "classify":
        random.shuffle(named)  # the order of the words means nothing: colours follow that of `classes`
    text = filled(random.choice(choices), named, colours)
    if random.random() < 0.15:
        text = text[0].upper() + text[1:] + ("" if text.endswith("?") else ".")
    return Instruction(text, task, tuple(classes), tuple(colours))
