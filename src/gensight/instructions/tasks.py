"""The task of an instruction, where it is not given: a keyword rule, for decoding alone; the model reads the text."""

import re
from dataclasses import dataclass

from gensight.errors import ConfigError
from gensight.instructions.colours import named_colours
from gensight.instructions.grammar import TASKS, YES_AND_NO, Task

# In this order: the first row of which a word occurs decides. Words that name a task (`STRONG`) come before words that
# can also state a place or appear in any task (`WEAK`): `detect the cat near the sofa` is not about depth.
STRONG: tuple[tuple[Task, tuple[str, ...]], ...] = (
    ("derain", ("rain", "derain", "raindrops")),
    ("denoise", ("denoise", "noise", "noisy", "grain")),
    ("low-light", ("brighten", "brighter", "bright one", "low light", "lighting", "light up", "dark image",
                   "good light")),
    ("segment", ("segment", "segments", "segmented", "segmenting", "segmentation", "mask", "masks", "masked",
                 "silhouette", "shape", "where exactly")),
    ("depth", ("depth", "depths", "how far", "how deep", "near things", "far things")),
    ("keypoints", ("keypoint", "keypoints", "skeleton", "skeletons", "pose", "poses", "joints", "every joint",
                   "stick figure", "stick figures", "arms and legs", "everybody stand")),
    ("edges", ("edges", "every edge", "edge map", "contours", "line drawing", "sketch", "outline everything")),
    ("segment", ("pixel", "pixels")),
    ("detect", ("detect", "detects", "detected", "detecting", "detection", "find", "finds", "locate", "box", "boxes",
                "bounding", "rectangle", "rectangles", "where", "frame", "spot", "count", "point out", "search",
                "look", "looking", "places", "how many", "are there any")),
    ("classify", ("classify", "classification", "kind", "recognise", "recognize", "is there", "is this", "does this",
                  "can you see", "whether")),
)  # fmt: skip
WEAK: tuple[tuple[Task, tuple[str, ...]], ...] = (
    ("segment", ("area", "region", "isolate", "cut", "outline", "highlight", "paint", "colour", "color", "separate",
                 "apart", "background", "only", "part", "blacken", "rest")),
    ("depth", ("deep", "distance", "distances", "far", "near")),
    ("classify", ("class", "what", "which", "is", "does", "show", "say", "tell", "can", "turn", "name")),
)  # fmt: skip


@dataclass(frozen=True)
class InferredTask:
    """A task and the word, or words, that it was inferred from."""

    task: Task
    word: str

    def __str__(self) -> str:
        return f"task: {self.task} (because of `{self.word}`; choose another with --task)"


def infer_task(text: str) -> InferredTask:
    """The task of a free instruction: the first row of `STRONG`, then of `WEAK`, of which a word occurs.

    Raises:
        ConfigError: No word of the rule occurs.
    """
    colours = named_colours(text)
    if colours is not None and colours != YES_AND_NO:
        return InferredTask("colour", colours[0])
    words = re.findall(r"[a-z]+", text.lower())
    padded = f" {' '.join(words)} "
    for task, keywords in (*STRONG, *WEAK):
        places = {padded.find(f" {word} "): word for word in keywords if f" {word} " in padded}
        if places:
            return InferredTask(task, places[min(places)])
    if colours is not None:  # white for yes and black for no, as in `classify`
        return InferredTask("classify", colours[0])
    hint = "name it with --task, or use a word such as segment, detect, depth or classify"
    raise ConfigError(f"the instruction names no task: `{text}`", choices=TASKS, hint=hint)
