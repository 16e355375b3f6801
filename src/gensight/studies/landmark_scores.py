"""Scores of landmarks learned on synthetic people: keypoints fitted to them, parts on the subject, the mask."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from gensight.config.data import PuppetsData
from gensight.encodings.points import Points
from gensight.errors import ConfigError
from gensight.files.atomic import write_json
from gensight.files.hashing import mix
from gensight.geometry import model_to_image
from gensight.loading.cases import Cases
from gensight.metrics.base import Result
from gensight.metrics.bootstrap import make_result
from gensight.prediction.landmark_run import LandmarkRun
from gensight.readers.puppets import PuppetsReader
from gensight.samples import Array
from gensight.studies.label_curve import Labelled, answered_places, misses, read_labelled

NUM_LABELS, NUM_TEST = 50, 100


def score_landmarks(folder: Path, device: str = "auto") -> list[Result]:
    """Scores a run of landmarks on new synthetic scenes, and writes `metrics.json`, as `gensight study` compares it.

    - `keypoints-px@50`: mean distance of keypoints fitted to 50 labelled scenes by ridge regression, image px.
    - `on-subject`: share of landmarks inside the subject's silhouette.
    - `mask-iou`: of the foreground mask at one half and the silhouette, where the background is factored out.

    The baseline is `mean-position`: the mean of the labelled scenes' keypoints.

    Args:
        folder: A finished run of landmarks, trained on puppets.
        device: `auto`, `cpu`, `cuda` ...

    Raises:
        ConfigError: If it was trained on other data, whose truth is not known.
        RunError: If it is no run of landmarks.
    """
    run = LandmarkRun.open(folder, device)
    data = run.trained.config.data
    if not isinstance(data, PuppetsData):
        raise ConfigError("landmarks alone are scored on synthetic data (puppets) only", where=f"data.kind={data.kind}")
    train, test = (_scenes(data, part, count) for part, count in ((10, NUM_LABELS), (11, NUM_TEST)))
    assert train.skeleton is not None  # one kind of subject has keypoints of its own
    labelled, frames = (
        read_labelled([Cases(scenes, Points(train.skeleton), run.trained.policy)], run.landmarks, f"read {name} scenes")
        for name, scenes in (("labelled", train), ("test", test))
    )
    fitted, mean = (_keypoints(answered_places(name, labelled, frames), frames) for name in ("ridge", "mean-position"))
    inside, overlap = _parts(run, test)
    results = [fitted, _result("on-subject", inside, "%", True)]
    if overlap:
        results.append(_result("mask-iou", overlap, "%", True))
    cost = {"training_minutes": run.trained.folder.read_card().training_minutes}
    scores = [
        {"model": run.trained.config.name, "results": [one.to_json() for one in results], "cost": cost},
        {"model": "mean-position", "results": [mean.to_json()]},
    ]
    write_json(run.trained.folder.metrics, {"scores": scores}, indent=1)
    return results


def _keypoints(places: Array, frames: Labelled) -> Result:
    located, distance = misses(places, frames)
    errors = np.where(located, distance, 0).sum(1) / located.sum(1)
    return _result(f"keypoints-px@{NUM_LABELS}", errors.tolist(), "px", False)


def _scenes(data: PuppetsData, part: int, count: int) -> PuppetsReader:
    seed = mix(data.seed, part) % (1 << 31)
    truths = ("keypoints", "boxes", "masks")
    return PuppetsReader(count, seed, data.size, truths, subjects=data.subjects, num_subjects=(1, 1), style=data.style)


def _parts(run: LandmarkRun, scenes: PuppetsReader) -> tuple[list[float], list[float]]:
    """Of each scene: share of landmarks on the subject, and the mask's overlap; no overlaps where there is no mask."""
    inside, overlap = [], []
    for sample in scenes:
        subject = sample.instances[0] if sample.instances else None
        if subject is None or subject.mask is None or subject.box is None:
            continue
        silhouette = subject.mask()
        crops = run.crop([sample], boxes={sample.key: [(subject.box, 1.0)]})
        height, width = crops.images.shape[-2:]
        found = run.landmarks.find(crops.images).landmarks
        shares = (found.mean[0].double().cpu().numpy() + 1) / 2
        points = model_to_image(shares * (width, height), crops.views[0])
        rows = np.clip(points[:, ::-1].astype(int), 0, np.array(silhouette.shape) - 1)
        inside.append(float(silhouette[rows[:, 0], rows[:, 1]].mean()))
        mask = run.landmarks.masks(found, height, width)
        if mask is not None:
            overlap.append(_iou(mask[0, 0].cpu().numpy() > 0.5, silhouette))
    return inside, overlap


def _iou(mask: Array, silhouette: Array) -> float:
    small = cv2.resize(silhouette.astype(np.uint8), mask.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    return float((mask & small).sum() / max(1, (mask | small).sum()))


def _result(protocol: str, scores: Sequence[float], unit: str, higher_is_better: bool) -> Result:
    keys = [f"scene-{number:04d}" for number in range(len(scores))]
    return make_result(
        protocol,
        rows=[{"sample_key": key, "group": key, "score": score} for key, score in zip(keys, scores, strict=True)],
        higher_is_better=higher_is_better,
        unit=unit,
    )
