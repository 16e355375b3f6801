"""A visitor's input beside the image: boxes as typed or clicked, an instruction -> a Request."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from gensight.encodings.painted.instructed import Instructed
from gensight.errors import ConfigError
from gensight.instructions.tasks import infer_task
from gensight.prediction.request import Request, request_kind
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Array, Sample

InputKind = Literal["image", "boxes", "heads", "words"]
MAX_BOXES = 20
_MAX_LETTERS = 500


def input_kind(trained: TrainedRun) -> InputKind:
    """What a run takes beside an image: nothing, boxes of subjects or of heads, or words.

    Raises:
        ConfigError: The run compares several images, and the page shows it one.
    """
    kind = request_kind(trained)
    if kind != "pair":
        return kind
    landmarks = str(trained.config.method.kind) == "landmarks"
    raise ConfigError(
        f"this run compares images ({trained.config.encoding.kind}), and the page takes one at a time",
        where=trained.folder.root,
        hint="fit keypoints to its landmarks (`gensight landmarks --help`), and serve the run that this makes"
        if landmarks
        else "use `gensight match RUN IMAGE OTHER` for it",
    )


def request_of(trained: TrainedRun, sample: Sample, boxes: str = "", instruction: str = "", task: str = "") -> Request:
    """The resolved request of what a visitor types beside an image.

    Args:
        trained: The run.
        sample: The image.
        boxes: One a line, `x_min y_min x_max y_max` in pixels.
        instruction: Such as "segment the cat".
        task: Of the instruction: how the answer is decoded; empty: inferred from the instruction.

    Raises:
        ConfigError: Something that the run needs is missing, or can't be read.
    """
    kind = input_kind(trained)
    if kind == "words":
        return _instruction(trained, instruction.strip(), task).resolve(trained)
    marked = [(box, 1.0) for box in read_boxes(boxes, sample.size)]
    if kind == "heads":
        if not marked:
            raise ConfigError(
                "this run needs the boxes of heads, and none is marked",
                hint="click two opposite corners of each head, or type its box",
            )
        return Request(heads={sample.key: marked}).resolve(trained)
    return Request(boxes={sample.key: marked} if marked and kind == "boxes" else None).resolve(trained)


def _instruction(trained: TrainedRun, text: str, task: str) -> Request:
    if not text:
        raise ConfigError("no instruction is given", hint='type one, such as "segment the cat"')
    if len(text) > _MAX_LETTERS:
        raise ConfigError(f"the instruction is longer than {_MAX_LETTERS} letters", hint="shorten it")
    assert isinstance(trained.encoding, Instructed)  # as the run's method requires
    return Request(instruction=text, task=_task(task, text, tuple(trained.encoding.tasks)))


def _task(chosen: str, text: str, tasks: Sequence[str]) -> str:
    """The chosen task, or the one inferred from the words: one of the run's."""
    try:
        task = chosen or infer_task(text).task
    except ConfigError as error:
        hint = 'choose one under "Read the answer as", or use one of these words in the instruction'
        raise ConfigError(error.what, choices=tasks, hint=hint) from error
    if task not in tasks:
        hint = 'ask for one of these, or choose one under "Read the answer as"'
        raise ConfigError(f"this run was not trained to {task}", choices=tasks, hint=hint)
    return task


def read_boxes(text: str, size: tuple[int, int]) -> list[Array]:
    """Boxes of text, one a line, clipped to the image.

    Args:
        text: `x_min y_min x_max y_max` in pixels, separated by blanks or commas; any two opposite corners will do.
        size: (height, width) of the image.

    Raises:
        ConfigError: Naming the first line that is no box, or if there are more than `MAX_BOXES`.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > MAX_BOXES:
        raise ConfigError(f"{len(lines)} boxes are marked, and at most {MAX_BOXES} are taken at once")
    return [_box(line, number, size) for number, line in enumerate(lines, 1)]


def _box(line: str, number: int, size: tuple[int, int]) -> Array:
    hint = "write x_min y_min x_max y_max in pixels, one box a line"
    try:
        values = np.array([float(word) for word in line.replace(",", " ").split()])
    except ValueError:
        values = np.zeros(0)
    if values.shape != (4,) or not np.isfinite(values).all():
        raise ConfigError(f"line {number} of the boxes is not four numbers: `{line.strip()[:60]}`", hint=hint)
    corners = values.reshape(2, 2)
    limits = np.array([size[1], size[0]], dtype=np.float64)
    low, high = np.clip(corners.min(0), 0, limits), np.clip(corners.max(0), 0, limits)
    if (high - low < 1).any():
        raise ConfigError(f"box {number} has no area within the image ({size[1]} x {size[0]} pixels)", hint=hint)
    return np.concatenate([low, high])


def with_corner(text: str, corner: tuple[float, float]) -> str:
    """The boxes' text once another corner has been clicked: it completes a begun line, or begins one."""
    lines = [line for line in text.splitlines() if line.strip()]
    words = f"{corner[0]:.0f} {corner[1]:.0f}"
    if lines and len(lines[-1].replace(",", " ").split()) == 2:
        lines[-1] = f"{lines[-1].strip()} {words}"
    else:
        lines.append(words)
    return "\n".join(lines)
