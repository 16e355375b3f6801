"""A run's answer about an image: as layers over it, as a table and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gensight.drawing import draw_matches
from gensight.errors import DataError
from gensight.prediction.outputs.overlay import LegendEntry, legend_entries
from gensight.prediction.request import Request
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Array, Depth, Instance, Keypoints, Prediction, Sample, Visibility
from gensight.web.answers.pictures import Layer, flattened, layers_of, shown_image, truth_of
from gensight.web.questions import request_of

COLUMNS = ("what", "where", "confidence")
CHOICES_SHOWN = 12  # of the valid ones, in a message
_TASK_TRUTHS = {"segment": ("masks",), "detect": ("boxes",), "depth": ("depth",), "edges": ("edges",),
                "keypoints": ("keypoints",), "classify": ("label",)}  # fmt: skip

Row = tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class Answer:
    """One image's answer.

    Attributes:
        sample: The image.
        prediction: In its frame, or in that of the image that it is compared with.
        picture: uint8 RGB: what the page shows below the layers.
        layers: Over it, in its size.
        legend: Of the layers.
        rows: A table of it, under `COLUMNS`.
        request: As it was understood.
        sheet: uint8 RGB: two images that were compared, beside each other; None for single ones.
    """

    sample: Sample
    prediction: Prediction
    picture: Array
    layers: tuple[Layer, ...]
    legend: tuple[LegendEntry, ...]
    rows: tuple[Row, ...]
    request: Request
    sheet: Array | None = None

    @property
    def drawn(self) -> Array:
        """uint8 RGB: the picture with the layers that are on at first, or the sheet."""
        return self.sheet if self.sheet is not None else flattened(self.picture, list(self.layers))


def answer(
    trained: TrainedRun,
    sample: Sample,
    marks: str = "",
    instruction: str = "",
    task: str = "",
    other: Sample | None = None,
    truth: Sample | None = None,
) -> Answer:
    """A run's answer to a query about an image.

    Args:
        trained: The run.
        sample: The image.
        marks, instruction, task, other: As `request_of` has them, with its errors.
        truth: The sample with its annotations, where they are known.
    """
    request = request_of(trained, sample, marks, instruction, task, other)
    (prediction,) = trained.predictor.answer([other or sample], request, keep_maps=request.reference is None)
    table, image = tuple(rows(prediction, request)), sample.image()
    if request.reference is not None:
        assert other is not None  # `request_of` has checked it
        sheet = _compared(image, other.image(), request.points, prediction)
        return Answer(sample, prediction, shown_image(image), (), (), table, request, sheet)
    true = None if truth is None else truth_of(truth, _truths(trained, request))
    layers = layers_of(image, prediction, true)
    legend = legend_entries(prediction)
    if any(one.name == "Ground truth" for one in layers) and trained.skeleton is not None:
        legend.append(LegendEntry("ring", (255, 255, 255), "ring: ground truth"))
    return Answer(sample, prediction, shown_image(image), tuple(layers), tuple(legend), table, request)


def _compared(first: Array, second: Array, points: Array | None, prediction: Prediction) -> Array:
    """uint8 RGB: two images beside each other, with the points of one where they were found in the other."""
    left, right = shown_image(first), shown_image(second)
    if points is None or prediction.matches is None:
        points = found = np.zeros((0, 2))
    else:
        points, found = points * len(left) / len(first), prediction.matches.points * len(right) / len(second)
    return draw_matches(left, right, points, found)


def _truths(trained: TrainedRun, request: Request) -> tuple[str, ...]:
    facts = trained.config.encoding.facts
    if request.task is not None:
        return _TASK_TRUTHS.get(request.task, ())
    if "labels" in facts.files:
        return ("label",)
    return () if "camera" in facts.truths else facts.truths  # nobody draws the normals of a depth map


def rows(prediction: Prediction, request: Request | None = None) -> Iterator[Row]:
    """The table of a prediction, most important first; of points that a request names, where they were found."""
    if request is not None and request.points is not None and prediction.matches is not None:
        found = zip(request.points, prediction.matches.points, prediction.matches.confidence, strict=True)
        for number, ((x, y), (to_x, to_y), sure) in enumerate(found, 1):
            yield f"point {number}", f"x {x:.1f}, y {y:.1f} → x {to_x:.1f}, y {to_y:.1f}", f"{sure:.2f}"
    if prediction.similarities:
        yield "similarity", "of the two images, from -1 to 1", f"{prediction.similarities[0]:.3f}"
    for name, share in sorted((prediction.label_scores or {}).items(), key=lambda entry: -entry[1]):
        yield name, "the whole image", f"{share:.2f}"
    if prediction.depth is not None:
        yield from _depth_rows(prediction.depth)
    for number, instance in enumerate(prediction.instances, 1):
        yield from _instance_rows(instance, f" {number}" if len(prediction.instances) > 1 else "")


def _depth_rows(depth: Depth) -> Iterator[Row]:
    known = depth.values[np.isfinite(depth.values)]
    unit = " m" if depth.kind == "metric" else " (up to scale and shift)"
    for name, percent in (("2 % of the pixels", 2), ("half of the pixels", 50), ("98 % of the pixels", 98)):
        if len(known):
            yield name, f"depth below {np.percentile(known, percent):.2f}{unit}", ""


def _named(keypoints: Keypoints) -> Iterator[tuple[str, Array, float]]:
    return zip(keypoints.skeleton.keypoints, keypoints.points, keypoints.confidence, strict=True)


def _instance_rows(one: Instance, suffix: str) -> Iterator[Row]:
    if one.keypoints is not None:
        for (name, (x, y), confidence), known in zip(_named(one.keypoints), one.keypoints.located, strict=True):
            where = f"x {x:.1f}, y {y:.1f}{'' if known else ' (a guess)'}"
            yield name + suffix, where if np.isfinite((x, y)).all() else "not found", f"{confidence:.2f}"
    elif one.gaze is not None:
        share = one.gaze.in_frame_probability
        known = len(one.gaze.points) and one.gaze.in_frame is not False
        x, y = one.gaze.points.mean(0) if known else (np.nan, np.nan)
        where = f"looks at x {x:.1f}, y {y:.1f}" if known else "looks out of the image"
        yield f"person{suffix}", where, "" if share is None else f"{share:.2f} in the image"
    elif one.mask is not None:
        yield one.category + suffix, f"{100 * float(one.mask().mean()):.1f} % of the image", f"{one.confidence:.2f}"
    elif one.box is not None:
        x_min, y_min, x_max, y_max = one.box
        where = f"x {x_min:.1f} to {x_max:.1f}, y {y_min:.1f} to {y_max:.1f}"
        yield one.category + suffix, where, f"{one.confidence:.2f}"


def described(answered: Answer, run: str) -> dict[str, Any]:
    """The answer as JSON-able values, in pixels of the upright image (top-left pixel's centre at 0.5, 0.5)."""
    prediction, request, depth = answered.prediction, answered.request, answered.prediction.depth
    words: dict[str, Any] = {"instruction": request.instruction}
    if request.instruction is not None:
        words |= {"task": request.task, "classes": list(request.classes)}
    return {
        "run": run,
        "image": answered.sample.key,
        "size": list(prediction.size),
        **words,
        "instances": [_instance(one) for one in prediction.instances],
        "label_scores": None if prediction.label_scores is None else dict(prediction.label_scores),
        "matches": None if prediction.matches is None else prediction.matches.points,
        "similarities": prediction.similarities,
        "depth": None if depth is None else {"kind": depth.kind, "median": float(np.nanmedian(depth.values))},
    }


def _instance(one: Instance) -> dict[str, Any]:
    known: dict[str, Any] = {
        "category": one.category,
        "confidence": one.confidence,
        "box": one.box,
        "head_box": one.head_box,
        "mask_area": None if one.mask is None else int(one.mask().sum()),
    }
    if one.gaze is not None:
        known["gaze"] = {name: getattr(one.gaze, name) for name in ("points", "in_frame", "in_frame_probability")}
    if one.keypoints is not None:
        known["keypoints"] = [
            {"name": name, "point": point, "confidence": sure, "visibility": Visibility(state).name.lower()}
            for (name, point, sure), state in zip(_named(one.keypoints), one.keypoints.visibility, strict=True)
        ]
    return {name: value for name, value in known.items() if value is not None}


def message(error: Exception) -> str:
    """The message to a visitor about a mistake: what, the valid choices, and what to do; without paths of this machine
    and options of the command line, which the page does not have."""
    what = getattr(error, "what", str(error))
    where = f" ({error.where})" if isinstance(error, DataError) and error.where and "/" not in error.where else ""
    choices, hint = _few(getattr(error, "choices", None) or ()), _without_options(getattr(error, "hint", None) or "")
    text = f"{what[:1].upper()}{what[1:]}{where}."
    return text + (f" Valid: {choices}." if choices else "") + (f" Next: {hint}." if hint else "")


def _few(choices: Sequence[str]) -> str:
    listed = ", ".join(choices[:CHOICES_SHOWN])
    return listed if len(choices) <= CHOICES_SHOWN else f"{listed} and {len(choices) - CHOICES_SHOWN} more"


def _without_options(hint: str) -> str:
    return ", ".join(clause for clause in hint.split(", ") if "--" not in clause).removeprefix("or ")
