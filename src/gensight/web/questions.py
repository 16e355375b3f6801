"""A visitor's input beside the image: boxes or points as drawn or typed, an instruction -> a Request."""

from collections.abc import Iterator, Sequence

import numpy as np

from gensight.encodings.painted.instructed import Instructed
from gensight.errors import ConfigError
from gensight.instructions.tasks import infer_task
from gensight.prediction.request import Kind, Request, request_kind
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Array, Sample

InputKind = Kind
MAX_MARKS = 20
_MAX_LETTERS = 500


def input_kind(trained: TrainedRun) -> InputKind:
    """What a run takes beside an image: nothing, boxes of subjects or of heads, words, or another image.

    Raises:
        ConfigError: The run compares several images by landmarks, which nobody has named.
    """
    kind = request_kind(trained)
    if kind == "pair" and str(trained.config.encoding.kind) == "landmark-pairs":
        raise ConfigError(
            "this run has learned landmarks, which have no names yet",
            where=trained.folder.root,
            hint="fit keypoints to its landmarks (`gensight landmarks --help`), and serve the run that this makes",
        )
    return kind


def takes_points(trained: TrainedRun) -> bool:
    """Whether a run finds points of one image in another."""
    return input_kind(trained) == "pair" and str(trained.config.encoding.kind) == "correspondence"


def request_of(
    trained: TrainedRun,
    sample: Sample,
    marks: str = "",
    instruction: str = "",
    task: str = "",
    other: Sample | None = None,
) -> Request:
    """The resolved request of what a visitor draws or types beside an image.

    Args:
        trained: The run.
        sample: The image.
        marks: Boxes, one a line, `x_min y_min x_max y_max` in pixels; of runs that compare images points, `x y`.
        instruction: Such as "segment the cat".
        task: Of the instruction: how the answer is decoded; empty: inferred from the instruction.
        other: The image that the first one is compared with.

    Raises:
        ConfigError: Something that the run needs is missing, or can't be read.
    """
    kind = input_kind(trained)
    if kind == "words":
        return _instruction(trained, instruction.strip(), task).resolve(trained)
    if kind == "pair":
        if other is None:
            raise ConfigError("this run compares two images, and there is no second one",
                              hint="choose the other image, too")  # fmt: skip
        points = read_points(marks, sample.size) if takes_points(trained) else None
        return Request(reference=sample, points=points).resolve(trained)
    marked = [(box, 1.0) for box in read_boxes(marks, sample.size)]
    if kind == "heads":
        if not marked:
            raise ConfigError(
                "this run needs the boxes of heads, and none is marked", hint="draw a box around each head"
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
        ConfigError: Naming the first line that is no box, or if there are more than `MAX_MARKS`.
    """
    return [_box(values, number, size) for number, values in enumerate(_numbers(text, 4, "box", "boxes"), 1)]


def read_points(text: str, size: tuple[int, int]) -> Array | None:
    """float64 (num_points, 2): points of text, `x y` a line; None where there are none. Errors as `read_boxes`."""
    points = list(_numbers(text, 2, "point", "points"))
    limits = np.array([size[1], size[0]], dtype=np.float64)
    return np.clip(np.stack(points), 0, limits) if points else None


_FORM = {2: ("two", "x y"), 4: ("four", "x_min y_min x_max y_max")}


def _numbers(text: str, count: int, one: str, several: str) -> Iterator[Array]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > MAX_MARKS:
        raise ConfigError(f"{len(lines)} {several} are marked, and at most {MAX_MARKS} are taken at once")
    for number, line in enumerate(lines, 1):
        try:
            values = np.array([float(word) for word in line.replace(",", " ").split()])
        except ValueError:
            values = np.zeros(0)
        if values.shape != (count,) or not np.isfinite(values).all():
            words, form = _FORM[count]
            raise ConfigError(f"line {number} of the {several} is not {words} numbers: `{line.strip()[:60]}`",
                              hint=f"write {form} in pixels, one {one} a line")  # fmt: skip
        yield values


def _box(values: Array, number: int, size: tuple[int, int]) -> Array:
    corners = values.reshape(2, 2)
    limits = np.array([size[1], size[0]], dtype=np.float64)
    low, high = np.clip(corners.min(0), 0, limits), np.clip(corners.max(0), 0, limits)
    if (high - low < 1).any():
        raise ConfigError(f"box {number} has no area within the image ({size[1]} x {size[0]} pixels)",
                          hint="draw it within the image")  # fmt: skip
    return np.concatenate([low, high])
