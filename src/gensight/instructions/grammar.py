"""Templates of instructions, and the English that fills them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from gensight.errors import ConfigError

Task = Literal["segment", "detect", "depth", "classify", "keypoints", "edges"]
TASKS: tuple[Task, ...] = ("segment", "detect", "depth", "classify", "keypoints", "edges")
IMAGE_TASKS: tuple[Task, ...] = ("depth", "keypoints", "edges")  # they name no class
HELD_OUT_EVERY = 5  # every fifth template of a task is kept from training

_SEGMENT = (
    "segment {the}", "segment {many}", "segment every {one}", "segment all {many}", "segment {the} in this picture",
    "mask {the}", "mask out {the}", "mark the pixels of {the}", "mark every pixel that belongs to {a}",
    "paint {the} white", "paint {the} white and the rest black", "make a mask of {the}", "create a mask for {the}",
    "show me the mask of {the}", "give me the mask of {many}", "outline the area that {the} {covers}",
    "fill the area of {the}", "colour in {the}", "separate {the} from the background", "cut out {the}",
    "isolate {the}", "extract the region of {the}", "which pixels are {many}?", "which pixels show {a}?",
    "which part of the image {is} {a}?", "where exactly {is} {the}?", "what area {does} {the} cover?",
    "can you segment {the}?", "could you mask {the} for me?", "please segment {the}",
    "please mark {the} pixel by pixel", "I need a mask of {the}", "I would like {the} segmented",
    "find the shape of {the}", "trace the shape of {the}", "highlight {the}", "highlight the region of {the}",
    "show only {the}", "keep {the} and blacken everything else", "draw the silhouette of {the}",
    "produce a segmentation of {the}", "do a segmentation of {many}", "label the pixels that are {one}",
    "divide the image into {the} and the rest", "tell {the} apart from the background",
)  # fmt: skip
_DETECT = (
    "detect {the}", "detect {many}", "detect every {one}", "detect all {many}", "detect {the} in this picture",
    "find {the}", "find all {many}", "find every {one} in the image", "locate {the}", "locate {many}",
    "locate each {one}", "box {the}", "put a box around {the}", "put a box around every {one}",
    "draw a box around {the}",
    "draw boxes around {many}", "draw the bounding box of {the}", "give me the bounding boxes of {many}",
    "show the bounding box of {the}", "mark {the} with a box", "mark each {one} with a rectangle",
    "enclose {the} in a rectangle", "frame {the}", "frame every {one}", "where {is} {the}?", "where are {the_many}?",
    "is there {a}, and where?", "are there any {many}?", "how many {many} are there, and where?",
    "can you find {the}?", "can you spot {a}?", "could you locate {the} for me?", "please detect {the}",
    "please find all {many}", "I am looking for {a}", "I want to know where {the} {is}", "show me where {the} {is}",
    "point out {the}", "point out every {one}", "spot {the}", "search for {many}", "look for {a}",
    "tell me where {the_many} are", "count {many} with boxes", "which places show {a}?",
)  # fmt: skip
_DEPTH = (
    "estimate the depth", "estimate the depth of this image", "predict the depth", "predict a depth map",
    "show the depth map", "give me the depth map", "compute the depth of every pixel", "how far away is everything?",
    "how far is each pixel?", "how far is each thing from the camera?", "what is the distance to each point?",
    "measure the distance of everything from the camera", "draw a depth map",
    "paint near things dark and far things bright",
    "can you estimate the depth?", "please estimate the depth", "could you show me how deep this scene is?",
    "I need the depth of this scene", "turn this picture into a depth map", "map the distances in this picture",
    "tell me how far things are", "make a depth image",
)  # fmt: skip
_CLASSIFY = (
    "is there {a}?", "is this {a}?", "does this picture show {a}?", "is {a} in the image?", "can you see {a}?",
    "show white if there is {a}", "turn the picture white if it shows {a}", "does {a} appear here?",
    "tell me whether this is {a}", "say if there is {a} in the picture", "is it {a}, yes or no?",
)  # fmt: skip
_CHOOSE = (
    "classify the image", "what is this?", "what does this picture show?", "name the class of the image",
    "which class is it?", "which of the classes is this?", "what kind is it?", "tell me what this is",
    "recognise what is shown", "give the class of this picture",
)  # fmt: skip
_KEYPOINTS = (
    "show the keypoints", "draw the skeleton", "draw the skeletons of all people", "detect the pose",
    "estimate the pose", "estimate the body pose of everybody", "mark the joints", "mark every joint of the body",
    "find the keypoints", "find all joints", "paint the skeleton on black", "what pose is it?",
    "how does everybody stand?", "how do they move their arms and legs?", "where are the joints?",
    "where are the arms and legs?", "give me the keypoints", "give me a stick figure", "please draw the pose",
    "turn the people into stick figures", "can you show the skeleton?", "I need the pose of each person",
)  # fmt: skip
_EDGES = (
    "show the edges", "draw the edges", "detect the edges", "find all edges", "mark every edge", "trace the edges",
    "trace the contours", "draw the contours", "make a line drawing", "turn this picture into a line drawing",
    "give me an edge map", "paint the edges white", "where are the edges?", "which pixels are edges?",
    "please find the edges", "sketch the lines of this image", "can you draw the edges?", "I need an edge map",
    "outline everything", "predict the edges",
)  # fmt: skip
_TEMPLATES: Mapping[Task, tuple[str, ...]] = {
    "segment": _SEGMENT, "detect": _DETECT, "depth": _DEPTH, "classify": _CLASSIFY, "keypoints": _KEYPOINTS,
    "edges": _EDGES,
}  # fmt: skip

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
    """

    text: str
    task: Task
    classes: tuple[str, ...] = ()


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
    if task not in _TEMPLATES:
        raise ConfigError(f"no task is called `{task}`", choices=TASKS)
    return _CHOOSE if several and task == "classify" else _TEMPLATES[task]


def held_out(task: Task, several: bool = False) -> tuple[str, ...]:
    """The templates that training never sees: every fifth."""
    return templates(task, several)[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]


def filled(template: str, names: Sequence[str]) -> str:
    """A template with its classes: articles, plurals, `and`, and verbs that agree with them."""
    if not names or "{" not in template:
        return template
    named = list(names)
    verbs = ("are", "do", "cover") if len(named) > 1 or is_plural(named[0]) else ("is", "does", "covers")
    return template.format(
        **dict(zip(("is", "does", "covers"), verbs, strict=True)),
        a=joined([name if is_plural(name) else f"{article(name)} {name}" for name in named]),
        the=joined([f"the {name}" for name in named]),
        the_many="the " + joined([plural(name) for name in named]),
        many=joined([plural(name) for name in named]),
        one=joined(named),
    )


def fixed(task: Task, classes: Sequence[str] = ()) -> Instruction:
    """The one usual instruction of a task: its first template."""
    several = task == "classify" and len(classes) != 1
    return Instruction(filled(templates(task, several)[0], classes), task, tuple(classes))


def rephrased(
    task: Task,
    classes: Sequence[str] = (),
    seed: int = 0,
    synonyms: Mapping[str, Sequence[str]] | None = None,
    part: Literal["train", "held-out"] = "train",
    more: Mapping[Task, Sequence[str]] | None = None,
) -> Instruction:
    """An instruction sampled from a task's templates; the same for the same seed.

    Args:
        task: Of `TASKS`.
        classes: Queried classes, named in any order; none for `IMAGE_TASKS`.
        seed: Seeds the choice of the template, the synonyms and the order of the names.
        synonyms: Other names of classes: one of them always replaces the class in the text. `classes` keep their names.
        part: Templates of training, or those kept from it.
        more: Task -> templates of training beside the grammar's own.

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
    named = [random.choice(list((synonyms or {}).get(name, ())) or [name]) for name in classes]
    if len(named) > 1 and task != "classify":
        random.shuffle(named)  # the order of the words means nothing: colours follow that of `classes`
    text = filled(random.choice(choices), named)
    if random.random() < 0.15:
        text = text[0].upper() + text[1:] + ("" if text.endswith("?") else ".")
    return Instruction(text, task, tuple(classes))
