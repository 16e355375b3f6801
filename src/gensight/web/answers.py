"""A run's answer about an image, as pictures, a table and files."""

import secrets
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gensight.drawing import draw_boxes, draw_depth, draw_heatmaps, draw_keypoints, draw_masks, map_picture
from gensight.encodings.gaze import MAP
from gensight.encodings.painted.base import OUTPUT
from gensight.encodings.panels import shrunk
from gensight.errors import DataError
from gensight.files.atomic import write_json
from gensight.files.images import write_image
from gensight.prediction.outputs.choice import pictures_of, writers_of
from gensight.prediction.outputs.overlay import draw_prediction
from gensight.prediction.outputs.writer import write_one
from gensight.prediction.request import Request
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Array, Depth, Instance, Keypoints, Prediction, Sample, ScoreMap
from gensight.web.questions import request_of

COLUMNS = ("what", "where", "confidence")
CHOICES_SHOWN = 12  # of the valid ones, in a message
SHOWN_SIDE = 1600  # pixels: longest side of the pictures on the page; the files to download have the image's own size

Row = tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class Answer:
    """One image's answer.

    Attributes:
        sample: The image.
        prediction: In its frame.
        target: uint8 RGB of the image's size: what the run painted or mapped, without the image.
        drawn: uint8 RGB of the image's size: the answer on the image.
        rows: A table of it, under `COLUMNS`.
        request: As it was understood.
    """

    sample: Sample
    prediction: Prediction
    target: Array
    drawn: Array
    rows: tuple[Row, ...]
    request: Request


@dataclass(frozen=True)
class Saved:
    """An answer's files.

    Attributes:
        caption: The instruction (or the run) and the image.
        overlay: Picture for the page.
        target: Likewise.
        rows: As `Answer`.
        files: To download: the overlay, the answer as JSON, and all formats of `gensight predict` in a zip.
    """

    caption: str
    overlay: Path
    target: Path
    rows: tuple[Row, ...]
    files: tuple[Path, ...]


def answer(trained: TrainedRun, sample: Sample, boxes: str = "", instruction: str = "", task: str = "") -> Answer:
    """A run's answer to a query about an image; arguments and errors as `request_of`."""
    request = request_of(trained, sample, boxes, instruction, task)
    (prediction,) = trained.predictor.answer([sample], request, keep_maps=True)
    image = sample.image()
    target, overlay = draw_target(image, prediction), draw_prediction(image, prediction)
    return Answer(sample, prediction, target, overlay, tuple(rows(prediction)), request)


def draw_target(image: Array, prediction: Prediction) -> Array:
    """uint8 RGB: the target on black: a picture where the run paints one, else a drawing of the prediction."""
    black = np.zeros_like(image)
    if painted := [*prediction.maps_of(OUTPUT), *(one for one in prediction.maps.values() if one.kind != "scores")]:
        return np.maximum.reduce([_painted(score) for score in painted])
    if prediction.depth is not None:
        return draw_depth(prediction.depth)
    if heat := [*prediction.maps_of("heatmaps"), *prediction.maps_of(MAP)]:
        return np.maximum.reduce([draw_heatmaps(black, score, opacity=1.0) for score in heat])
    return _drawn_on(black, prediction)


def _drawn_on(black: Array, prediction: Prediction) -> Array:
    picture = draw_masks(black, [one.mask() for one in prediction.instances if one.mask is not None], opacity=1.0)
    boxed = [one for one in prediction.instances if one.box is not None and one.mask is None and one.keypoints is None]
    if boxed:
        picture = draw_boxes(picture, np.array([one.box for one in boxed]), [one.category for one in boxed])
    for one in prediction.instances:
        if one.keypoints is not None:
            picture = draw_keypoints(picture, one.keypoints)
    return picture


def _painted(score: ScoreMap) -> Array:
    picture = map_picture(score)
    return np.repeat(picture, 3, axis=-1) if picture.shape[-1] == 1 else np.ascontiguousarray(picture[..., :3])


def rows(prediction: Prediction) -> Iterator[Row]:
    """The table of a prediction, most important first."""
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
        for name, (x, y), confidence in _named(one.keypoints):
            yield name + suffix, f"x {x:.1f}, y {y:.1f}", f"{confidence:.2f}"
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
            {"name": name, "point": point, "confidence": sure} for name, point, sure in _named(one.keypoints)
        ]
    return {name: value for name, value in known.items() if value is not None}


class AnswerStore:
    """Answers on disk, the latest of them.

    Args:
        folder: Of the server's own; a folder with an unguessable name is made in it for each answer.
        keep: How many answers are kept; the oldest are removed.
    """

    def __init__(self, folder: Path, keep: int = 200) -> None:
        self.folder, self.keep = folder, keep
        self._kept: list[Path] = []

    def save(self, answered: Answer, trained: TrainedRun) -> Saved:
        """Writes pictures and files of an answer."""
        run, key = trained.config.name, answered.sample.key
        folder = self.folder / secrets.token_urlsafe(16)
        page, own = folder / "page", folder / "download"
        write_image(page / "overlay.png", shrunk(answered.drawn, SHOWN_SIDE))
        write_image(page / "target.png", shrunk(answered.target, SHOWN_SIDE))
        write_image(own / f"{key}-overlay.png", answered.drawn)
        write_json(own / f"{key}.json", described(answered, run), indent=1)
        self._write_all(own / f"{key}-all.zip", answered, trained)
        self._forget(folder)
        title = answered.request.instruction or run
        return Saved(f"{title}: {key}", page / "overlay.png", page / "target.png", answered.rows,
                     tuple(own / name for name in (f"{key}-overlay.png", f"{key}.json", f"{key}-all.zip")))  # fmt: skip

    def _write_all(self, path: Path, answered: Answer, trained: TrainedRun) -> None:
        """What `gensight predict` or `ask` would write, and the target, in a zip."""
        folder = path.with_suffix("")
        files, pictures = writers_of(trained, answered.request), pictures_of(answered.request)
        write_one(files, pictures, answered.prediction, answered.sample.image(), folder)
        write_image(folder / "target.png", answered.target)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    archive.write(file, file.relative_to(folder))
        shutil.rmtree(folder)

    def _forget(self, newest: Path) -> None:
        self._kept.append(newest)
        while len(self._kept) > self.keep:
            shutil.rmtree(self._kept.pop(0), ignore_errors=True)


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
