"""`gensight landmarks fit-keypoints`: labelled keypoints as linear functions of learned landmarks, and their error.

Protocols: the regressors of `methods.landmarks.regression` by name, the number of labelled frames, and the split of the
labels' data section; with blocks every labelled frame is scored once, by a regression fitted without its block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gensight.assembly.backbones import build_backbone
from gensight.assembly.experiment import Experiment
from gensight.assembly.methods import build_method
from gensight.assembly.training_settings import choose_device
from gensight.config.data import Data
from gensight.config.encodings import LandmarkPairsConfig
from gensight.config.landmarks import LandmarksConfig
from gensight.config.loading.loader import load_data, load_recipe
from gensight.config.schema import AugmentConfig, RunConfig
from gensight.engine.card import Card, package_versions
from gensight.engine.hardware import hardware
from gensight.engine.run_folder import RunFolder
from gensight.engine.weights import save_weights
from gensight.errors import ConfigError
from gensight.files.atomic import write_text
from gensight.files.progress import Announce, progress, silent
from gensight.geometry import model_to_image
from gensight.loading.cases import Cases
from gensight.loading.stream import each_once
from gensight.methods.landmarks.keypoints import LandmarkKeypoints
from gensight.methods.landmarks.method import Landmarks
from gensight.methods.landmarks.regression import REGRESSORS, Regressor, fit, mean_places
from gensight.metrics.bootstrap import interval
from gensight.prediction.trained_run import TrainedRun
from gensight.readers.splits import evenly_spaced, split_by_blocks
from gensight.samples import Array, View
from gensight.verbs.evaluate import evaluate
from gensight.verbs.landmarks.run import BATCH, LandmarkRun
from gensight.verbs.landmarks.tables import csv_text

RAW_PIXELS = (12, 16)  # height and width of the crops that the raw-pixel baseline reads
BASELINES = ("mean-position", "mean-in-image", "raw-pixels")


@dataclass(frozen=True)
class CurvePoint:
    """The error of one regressor on one number of labelled frames.

    Attributes:
        regressor: Its name. `mean-position` (in the view, which a crop moves with the subject), `mean-in-image` and
            `raw-pixels` (ridge regression from the view's grey levels at low resolution) are the baselines.
        num_labels: Labelled frames that it was fitted to.
        mean_px: Mean distance over located keypoints of the test part, in image pixels.
        low: Of its bootstrap 95 % interval.
        high: Likewise.
        median_px: Median distance.
        num_images: Test frames.
    """

    regressor: str
    num_labels: int
    mean_px: float
    low: float
    high: float
    median_px: float
    num_images: int


@dataclass(frozen=True, eq=False)
class Labelled:
    """Labelled frames as numbers.

    Attributes:
        landmarks: (n, 2K), shares of the view.
        pixels: (n, P), the view at low resolution, in [0, 1].
        points: (n, 2J), shares of the view.
        known: (n, 2J) bool.
        views: Of each frame.
        groups: Of each frame, for resampling.
    """

    landmarks: Array
    pixels: Array
    points: Array
    known: Array
    views: list[View]
    groups: list[str]

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, rows: Sequence[int]) -> "Labelled":
        return Labelled(
            self.landmarks[rows], self.pixels[rows], self.points[rows], self.known[rows],
            [self.views[row] for row in rows], [self.groups[row] for row in rows],
        )  # fmt: skip

    def __add__(self, other: "Labelled") -> "Labelled":
        return Labelled(
            np.concatenate([self.landmarks, other.landmarks]), np.concatenate([self.pixels, other.pixels]),
            np.concatenate([self.points, other.points]), np.concatenate([self.known, other.known]),
            self.views + other.views, self.groups + other.groups,
        )  # fmt: skip


Parts = tuple[Labelled, Labelled]


def fit_keypoints(
    run: Path,
    labels: str,
    overrides: Sequence[str] = (),
    regressor: Regressor = "ridge",
    counts: Sequence[int] = (1, 5, 10, 20, 50, 100),
    out: Path | None = None,
    device: str = "auto",
    blocks: int | None = None,
    announce: Announce = silent,
) -> Path:
    """Fits labelled keypoints to a run's landmarks, and scores every regressor against the number of labels.

    Args:
        run: A finished run of landmarks.
        labels: A DeepLabCut project, a recipe whose data has keypoints, or a kind of data.
        overrides: Keys of the data section (`split.kind=order`); with a recipe, of the recipe.
        regressor: Of the run that is written, fitted to all training frames.
        counts: Numbers of labelled frames of the curve, evenly spaced over the training part; all of them is added.
        out: Folder of the keypoint run; `RUN/keypoints` if None.
        device: `auto`, `cpu`, `cuda` ...
        blocks: Cross-validation over so many contiguous blocks, in place of the section's split; the run that is
            written is fitted to all blocks but the last.
        announce: Called with the table of errors.

    Returns:
        The keypoint run: `gensight predict` takes it. `curve.csv` in it has the errors.

    Raises:
        ConfigError: If the labels keep no test part.
        DataError: If no keypoint is labelled.
    """
    opened = LandmarkRun.open(run, device)
    trained, landmarks = opened.trained, opened.landmarks
    config = _keypoint_config(trained, _labels(labels, overrides, blocks), regressor)
    folder = RunFolder(Path(run) / "keypoints" if out is None else Path(out))
    experiment = Experiment.open(config)
    if experiment.splits.test is None:
        raise ConfigError("the labels keep no test part to score on", where=labels, hint="give split.test a share")
    train = read_labelled(experiment.plain_training_cases(), landmarks, "read training frames")
    test = read_labelled(experiment.test_cases(), landmarks, "read test frames")
    curve = label_curve(_divided(train, test, blocks), counts)
    folder.create(config)
    method = build_method(config, build_backbone(config), experiment.encoding)
    assert isinstance(method, LandmarkKeypoints)  # set by the config
    method.landmarks.load_trained_state(landmarks.trained_state())
    method.fit(train.landmarks, train.points, train.known, regressor)
    save_weights(method.trained_state(), folder.weights)
    folder.write_card(_card(trained, config, experiment, method, len(train), device))
    write_text(folder.root / "curve.csv", csv_text([vars(point) for point in curve]))
    announce(curve_table(curve))
    evaluate(folder.root, device=device, experiment=experiment)
    return folder.root


def _divided(train: Labelled, test: Labelled, blocks: int | None) -> list[Parts]:
    if blocks is None:
        return [(train, test)]
    everything = train + test  # the last block is the test part, so this is the label file's order
    divided = (split_by_blocks(len(everything), blocks, block) for block in range(blocks))
    return [(everything[learn], everything[score]) for learn, score in divided]


def label_curve(parts: Sequence[Parts], counts: Sequence[int]) -> list[CurvePoint]:
    """Errors of every regressor and baseline, pooled over the test parts.

    Args:
        parts: Training and test frames: one pair, or one for each block.
        counts: Numbers of evenly spaced training frames to fit to; the fewest that all parts have is added.
    """
    fewest = min(len(train) for train, _ in parts)
    curve = []
    for count in [*(n for n in counts if n < fewest), fewest]:
        chosen = [(train[evenly_spaced(range(len(train)), count)], test) for train, test in parts]
        for name in (*REGRESSORS, *BASELINES):
            curve.append(_point(name, count, [(answered_places(name, some, test), test) for some, test in chosen]))
    return curve


def curve_table(curve: Sequence[CurvePoint]) -> str:
    """The curve as text: a row for each regressor, a column for each number of labels."""
    counts = sorted({point.num_labels for point in curve})
    rows = [f"{'mean error, px':<16}" + "".join(f"{f'{n} labels':>24}" for n in counts)]
    for name in dict.fromkeys(point.regressor for point in curve):
        own = {point.num_labels: point for point in curve if point.regressor == name}
        cells = (f"{own[n].mean_px:.1f} [{own[n].low:.1f}, {own[n].high:.1f}]" for n in counts)
        rows.append(f"{name:<16}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join(rows)


# --- Labels ---


def _labels(labels: str, overrides: Sequence[str], blocks: int | None) -> Data:
    folder = Path(labels)
    recipe = folder.suffix in (".yaml", ".yml")
    if blocks is not None:
        prefix = "data." if recipe else ""
        split = ("kind=blocks", f"num_blocks={blocks}", f"test_block={blocks - 1}", "validation=0.0")
        overrides = [*overrides, *(f"{prefix}split.{one}" for one in split)]
    if (folder / "labeled-data").is_dir():
        return load_data("deeplabcut", [f"root={folder}", *overrides])
    return load_recipe(labels, overrides).data if recipe else load_data(labels, overrides)


def _keypoint_config(trained: TrainedRun, data: Data, regressor: Regressor) -> RunConfig:
    config = trained.config
    method, pairs = config.method, config.encoding
    assert isinstance(method, LandmarksConfig) and isinstance(pairs, LandmarkPairsConfig)  # LandmarkRun has seen to it
    return RunConfig.model_validate(
        {
            "name": f"{config.name}-keypoints",
            "description": f"Keypoints by {regressor} regression from the landmarks of {config.name}",
            "seed": config.seed,
            "data": data,
            "view": config.view.model_copy(update={"augment": AugmentConfig()}),
            "encoding": {"kind": "points"},
            "evaluation": {"protocols": ["bbc-6px", "mean-px"] if data.kind == "bbc-pose" else None},
            "backbone": config.backbone,
            "method": {
                "kind": "landmark-keypoints",
                "landmarks": method.model_dump(),
                "num_landmarks": pairs.num_landmarks,
            },
        }
    )


def _card(
    trained: TrainedRun, config: RunConfig, experiment: Experiment, method: LandmarkKeypoints, num_labels: int,
    device: str,
) -> Card:  # fmt: skip
    before = trained.folder.read_card()
    return Card(
        name=config.name,
        method=config.method.kind,
        backbone=before.backbone,
        skeleton=experiment.skeleton,
        calibration=(1.0, 0.0),
        threshold=before.threshold,
        num_parameters_trained=method.weights.numel() + method.offset.numel(),
        steps=before.steps,
        best_step=before.best_step,
        training_minutes=before.training_minutes,
        hardware=hardware(choose_device(device)),
        versions=package_versions(),
        num_labels=num_labels,
    )


# --- Frames as numbers ---


def read_labelled(cases: Cases, landmarks: Landmarks, label: str) -> Labelled:
    found, pixels, points, known = [], [], [], []
    views: list[View] = []
    groups: list[str] = []
    device = next(landmarks.model.parameters()).device
    batches = progress(each_once(cases, BATCH), -(-len(cases) // BATCH), label, "batches")
    for batch in batches:
        means = landmarks.predict(batch.to(device))["landmarks"][:, : 2 * landmarks.num_landmarks]
        found.append(means.double().cpu().numpy())
        small = torch.nn.functional.interpolate(batch.image, RAW_PIXELS, mode="area").mean(1).flatten(1)
        pixels.append(small.double().numpy())
        points.append(batch.targets["points"].double().numpy())
        known.append(batch.targets["points_weight"].numpy() > 0)
        views += [view for (view,) in batch.views]
        groups += [item.sample.group for item in batch.items]
    seen, small_pixels, places, located = (np.concatenate(parts) for parts in (found, pixels, points, known))
    return Labelled(seen, small_pixels, places, located, views, groups)


def answered_places(name: str, labelled: Labelled, frames: Labelled) -> Array:
    """(n, J, 2): where a regressor or a baseline, fitted to some frames, puts the keypoints of others, in pixels."""
    match name:
        case "mean-position":
            mean = mean_places(labelled.points, labelled.known)
            return places_in_image(np.tile(mean, (len(frames), 1)), frames)
        case "mean-in-image":
            places = places_in_image(labelled.points, labelled)
            mean = mean_places(places.reshape(len(places), -1), labelled.known)
            return np.tile(mean.reshape(-1, 2), (len(frames), 1, 1))
        case "raw-pixels":
            return places_in_image(_fitted(labelled.pixels, labelled, frames.pixels, "ridge"), frames)
    regressor: Regressor = next(one for one in REGRESSORS if one == name)
    return places_in_image(_fitted(labelled.landmarks, labelled, frames.landmarks, regressor), frames)


def _fitted(seen: Array, labelled: Labelled, queried: Array, regressor: Regressor) -> Array:
    weights, offset = fit(seen, labelled.points, labelled.known, regressor)
    return np.asarray(queried @ weights + offset)


def places_in_image(shares: Array, frames: Labelled) -> Array:
    """(n, J, 2): shares of the views (n, 2J) as image pixels."""
    return np.stack([
        model_to_image(row.reshape(-1, 2) * np.array(view.model_size[::-1]), view)
        for row, view in zip(shares, frames.views, strict=True)
    ])  # fmt: skip


def misses(answer: Array, frames: Labelled) -> tuple[Array, Array]:
    """Which keypoints are located, bool (num_frames, K), and the distance of an answer to them in px, likewise."""
    located = frames.known.reshape(len(frames), -1, 2)[..., 0]
    return located, np.linalg.norm(answer - places_in_image(frames.points, frames), axis=-1)


def _point(name: str, num_labels: int, answered: Sequence[tuple[Array, Labelled]]) -> CurvePoint:
    statistics, distances, groups = [], [], []
    for answer, frames in answered:
        located, distance = misses(answer, frames)
        statistics.append(np.stack([np.where(located, distance, 0).sum(1), located.sum(1)], axis=1))
        distances.append(distance[located])
        groups += frames.groups
    rows, all_distances = np.concatenate(statistics), np.concatenate(distances)
    low, high = interval(rows, lambda sums: sums[..., 0] / np.maximum(sums[..., 1], 1e-12), groups)
    return CurvePoint(
        name, num_labels, float(all_distances.mean()), low, high, float(np.median(all_distances)), len(rows)
    )
