"""Which task an instruction means, where nobody says: a rule of words, for decoding alone; the model reads the text."""

import re
from dataclasses import dataclass

from gensight.errors import ConfigError
from gensight.instructions.grammar import TASKS, Task

# In this order: the first row of which a word occurs decides.
RULES: tuple[tuple[Task, tuple[str, ...]], ...] = (
    ("depth", ("depth", "deep", "distance", "distances", "far", "near")),
    ("segment", ("segment", "segmented", "segmentation", "mask", "pixel", "pixels", "silhouette", "shape", "area",
                 "region", "isolate", "cut", "outline", "highlight", "paint", "colour", "color", "background", "only",
                 "part", "exactly", "blacken", "rest")),
    ("detect", ("detect", "find", "locate", "box", "boxes", "bounding", "rectangle", "where", "frame", "spot", "count",
                "point", "search", "look", "looking", "places", "many", "any")),
    ("classify", ("classify", "class", "kind", "what", "which", "is", "does", "whether", "show", "say", "tell", "can",
                  "turn", "recognise", "recognize", "name")),
)  # fmt: skip


@dataclass(frozen=True)
class InferredTask:
    """A task and the word that it was inferred from."""

    task: Task
    word: str

    def __str__(self) -> str:
        return f"task: {self.task} (because of `{self.word}`; choose another with --task)"


def infer_task(text: str) -> InferredTask:
    """The task of a free instruction: the first row of `RULES` of which a word occurs.

    Raises:
        ConfigError: No word of the rule occurs.
    """
    words = re.findall(r"[a-z]+", text.lower())
    for task, telling in RULES:
        for word in words:
            if word in telling:
                return InferredTask(task, word)
    hint = "say so with --task, or use a word such as segment, detect, depth or classify"
    raise ConfigError(f"the instruction doesn't say which task is meant: `{text}`", choices=TASKS, hint=hint)
