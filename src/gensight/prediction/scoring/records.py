"""Predictions and their truths as `predictions.json` has them, with the pictures that the report uses."""

from pathlib import Path
from typing import Any

import numpy as np

from gensight.encodings.base import Encoding
from gensight.encodings.panels import shrunk
from gensight.files.hashing import value_hash
from gensight.files.images import write_image
from gensight.metrics.base import plain
from gensight.prediction.outputs.tables import top_labels
from gensight.samples import Item, Prediction
from gensight.skeletons import Skeleton
from gensight.transforms.keypoints import convert_keypoints

PICTURE_SIDE = 512  # longest side of the copies kept for drawing


def record(
    prediction: Prediction, item: Item, encoding: Encoding, skeleton: Skeleton | None, pictures: Path
) -> dict[str, Any]:
    """One entry of `predictions.json`; its picture is written to the folder `pictures`.

    Keypoints are listed, with their errors, beside a copy of the image. Anything else is drawn beside its truth.
    """
    entry: dict[str, Any] = {"sample_key": item.sample.key, "item_key": item.key, "size": list(item.sample.size)}
    subject = item.subject
    if skeleton is not None and prediction.instances and subject is not None and subject.keypoints is not None:
        name = f"{value_hash(item.sample.key)[:16]}.jpg"
        if not (pictures / name).is_file():
            write_image(pictures / name, shrunk(item.sample.image(), PICTURE_SIDE))
        return {**entry, "image": f"{pictures.name}/{name}", **_keypoints(prediction, item, skeleton)}
    if prediction.label_scores:
        entry |= {"label": item.sample.label, "label_scores": top_labels(prediction)}
    panel = encoding.panel(prediction, item)
    if panel is None:
        return entry
    name = f"{value_hash(item.key)[:16]}.jpg"
    write_image(pictures / name, panel.picture)
    return {**entry, "panel": f"{pictures.name}/{name}", "error": plain(panel.error), "error_unit": panel.unit}


def _keypoints(prediction: Prediction, item: Item, skeleton: Skeleton) -> dict[str, Any]:
    subject, instance = item.subject, prediction.instances[0]
    assert subject is not None and subject.keypoints is not None and instance.keypoints is not None
    truth, answer = convert_keypoints(subject.keypoints, skeleton), instance.keypoints
    distances = np.linalg.norm(answer.points - truth.points, axis=-1)
    return {
        "instances": [
            {
                "category": instance.category,
                "confidence": instance.confidence,
                "box": _listed(instance.box),
                "keypoints": [[*_listed(p), float(c)] for p, c in zip(answer.points, answer.confidence, strict=True)],
            }
        ],
        "truth": [
            {
                "keypoints": [[*_listed(p), int(v)] for p, v in zip(truth.points, truth.visibility, strict=True)],
                "box": _listed(subject.box),
            }
        ],
        "error_px": [float(d) if known else None for d, known in zip(distances, truth.located, strict=True)],
    }


def _listed(values: Any) -> Any:
    """Plain floats; None for an unknown box, and None in place of NaN."""
    return None if values is None else [plain(float(value)) for value in values]
