"""Overlays of predictions and labels, drawn from the pictures that a run folder keeps."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from gensight.drawing import closeup, overlay
from gensight.drawing.closeup import subject_box
from gensight.drawing.palette import sides
from gensight.errors import DataError, RunError
from gensight.files.images import read_image
from gensight.geometry import scaling, warp_image
from gensight.report.results import PredictedItem, Run, SkeletonFacts
from gensight.samples import Array, Instance, Keypoints, Prediction, Sample, View, Visibility
from gensight.skeletons import Skeleton

LONGEST_SIDE = 440  # px of a picture on the page
_QUALITY = 86


def picture_path(run: Run, item: PredictedItem) -> Path | None:
    """The file of an item's picture inside the run folder; None if there is none, or if it lies outside the folder."""
    named = item.panel or item.image
    if named is None:
        return None
    folder = run.folder.resolve()
    path = (folder / named).resolve()
    return path if path.is_relative_to(folder) and path.is_file() else None


def draw_item(run: Run, item: PredictedItem) -> Array:
    """An item's prediction over its picture with the labels beside it, cropped to the subject where that is small.

    Raises:
        RunError: The picture is missing or broken, or the item's keypoints are not those of the run's skeleton.
    """
    path = picture_path(run, item)
    if path is None:
        raise RunError("the item has no picture in the run folder", where=f"{run.folder}: {item.sample_key}")
    try:
        image = read_image(path)
    except DataError as error:
        raise RunError(error.what, where=path, hint="run `gensight evaluate` again") from error
    if item.panel is not None:  # drawn when it was scored
        return image
    if image.shape[:2] != item.size:  # the run keeps a smaller copy: coordinates are those of the original
        view = View(
            (image.shape[0], image.shape[1]),
            item.size,
            scaling(item.size[1] / image.shape[1], item.size[0] / image.shape[0]),
        )
        image = warp_image(image, view)
    prediction, truth = to_samples(run, item)
    whole = np.array([0.0, 0.0, item.size[1], item.size[0]])
    box = subject_box(prediction, truth)
    # Pictures stand small on the page, so their marks are drawn larger.
    return overlay(*closeup(image, prediction, truth, whole if box is None else box, LONGEST_SIDE), scale=1.6)


def data_uri(image: Array) -> str:
    """A JPEG of uint8 RGB as a `data:` address."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def has_sides(run: Run) -> bool:
    """Whether the run's keypoints are drawn by the subject's left, right and middle."""
    facts = run.predictions.skeleton if run.predictions is not None else None
    return any(side != "middle" for side in sides(_skeleton(facts)))


def to_samples(run: Run, item: PredictedItem) -> tuple[Prediction, Sample]:
    """An item of `predictions.json` as the types that `drawing` takes."""
    where = f"{run.folder / 'predictions.json'}: {item.sample_key}"
    skeleton = _skeleton(run.predictions.skeleton if run.predictions is not None else None)
    predicted = tuple(
        Instance(
            category=instance.category,
            box=_box(instance.box),
            keypoints=_keypoints(instance.keypoints, skeleton, where, predicted=True),
            confidence=1.0 if instance.confidence is None else instance.confidence,
        )
        for instance in item.instances
    )
    true = tuple(
        Instance(box=_box(instance.box), keypoints=_keypoints(instance.keypoints, skeleton, where, predicted=False))
        for instance in item.truth
    )
    prediction = Prediction(item.sample_key, item.size, predicted, item_key=item.item_key)
    return prediction, Sample(item.sample_key, item.size, lambda: np.zeros((*item.size, 3), np.uint8), true)


def _skeleton(facts: SkeletonFacts | None) -> Skeleton:
    if facts is None:
        return Skeleton("unknown", ())
    count = len(facts.keypoints)
    edges = tuple((a, b) for a, b in facts.edges if 0 <= a < count and 0 <= b < count)
    # Without a usable list of partners they are inferred from the names.
    mirror = tuple(facts.mirror) if sorted(facts.mirror) == list(range(count)) else ()
    return Skeleton(facts.name, tuple(facts.keypoints), edges, mirror)


def _keypoints(
    rows: list[list[float | None]] | None, skeleton: Skeleton, where: str, predicted: bool
) -> Keypoints | None:
    if rows is None:
        return None
    if len(rows) != len(skeleton) or any(len(row) != 3 for row in rows):
        raise RunError(
            f"expected {len(skeleton)} keypoints of 3 numbers each", where=where, hint="run `gensight evaluate` again"
        )
    values = np.array(rows, dtype=np.float64).reshape(-1, 3)  # None becomes NaN
    points, last = values[:, :2], np.nan_to_num(values[:, 2])
    if predicted:
        visibility = np.where(np.isfinite(points).all(1), Visibility.VISIBLE, Visibility.ABSENT)
        confidence = last
    else:
        visibility, confidence = np.clip(last, 0, 3), np.ones(len(rows))
    return Keypoints(skeleton, points, visibility.astype(np.int8), confidence.astype(np.float32))


def _box(corners: list[float | None] | None) -> Array | None:
    if corners is None or len(corners) != 4 or any(corner is None for corner in corners):
        return None
    return np.array(corners, dtype=np.float64)
