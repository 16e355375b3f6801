"""`gensight landmarks`: keypoints fitted to learned landmarks, tables of them, pictures in another one's pose."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gensight.build.backbones import build_backbone
from gensight.build.methods import build_method
from gensight.config.data import Data
from gensight.config.encodings import LandmarkPairsConfig
from gensight.config.landmarks import LandmarksConfig
from gensight.config.loader import dump_config, load_data, load_recipe
from gensight.config.schema import AugmentConfig, RunConfig
from gensight.engine.experiment import Experiment
from gensight.engine.run_folder import RunFolder
from gensight.engine.settings import choose_device
from gensight.engine.weights import save_weights
from gensight.errors import ConfigError, RunError
from gensight.files.atomic import write_text
from gensight.files.images import write_image
from gensight.files.progress import progress
from gensight.geometry import model_to_image, warp_image
from gensight.loading.cases import Cases, stack_images
from gensight.loading.stream import each_once
from gensight.methods.landmarks.keypoints import LandmarkKeypoints
from gensight.methods.landmarks.method import Landmarks
from gensight.methods.landmarks.regression import REGRESSORS, Regressor, fit, mean_places
from gensight.metrics.bootstrap import interval
from gensight.prediction.sources import open_source
from gensight.prediction.trained_run import TrainedRun, skeleton_card
from gensight.readers.splits import evenly_spaced
from gensight.report.landmarks import Frame, write_landmark_page
from gensight.samples import Array, Item, Sample, View
from gensight.verbs.evaluate import evaluate
from gensight.verbs.hardware import hardware

RAW_PIXELS = (12, 16)  # height and width of the frames that the raw-pixel baseline reads
_BATCH = 16


@dataclass(frozen=True)
class CurvePoint:
    """The error of one regressor on one number of labelled frames.

    Attributes:
        regressor: Its name; `mean-position` and `raw-pixels` are the baselines.
        num_labels: Labelled frames that it was fitted to.
        mean_px: Mean distance over located keypoints of the test part, in image pixels.
        low: Of its bootstrap 95 % interval.
        high: Likewise.
        num_images: Test frames.
    """

    regressor: str
    num_labels: int
    mean_px: float
    low: float
    high: float
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

    def __getitem__(self, rows: Sequence[int]) -> "Labelled":
        return Labelled(
            self.landmarks[rows], self.pixels[rows], self.points[rows], self.known[rows],
            [self.views[row] for row in rows], [self.groups[row] for row in rows],
        )  # fmt: skip


def fit_keypoints(
    run: Path,
    labels: str,
    overrides: Sequence[str] = (),
    regressor: Regressor = "ridge",
    counts: Sequence[int] = (1, 5, 10, 20, 50, 100),
    out: Path | None = None,
    device: str = "auto",
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

    Returns:
        The keypoint run: `gensight predict` takes it. `curve.csv` in it has the errors.
    """
    trained, landmarks = _open(run, device)
    config = _keypoint_config(trained, _labels(labels, overrides), regressor)
    folder = RunFolder(Path(run) / "keypoints" if out is None else Path(out))
    experiment = Experiment.open(config)
    if experiment.splits.test is None:
        raise ConfigError("the labels keep no test part to score on", where=labels, hint="give split.test a share")
    train = _read(experiment.plain_training_cases(), landmarks, "read training frames")
    test = _read(experiment.test_cases(), landmarks, "read test frames")
    curve = label_curve(train, test, [n for n in counts if n < len(train.points)] + [len(train.points)])
    folder.create(dump_config(config))
    method = build_method(config, build_backbone(config), experiment.encoding)
    assert isinstance(method, LandmarkKeypoints)  # as the config says
    method.landmarks.load_trained_state(landmarks.trained_state())
    method.fit(train.landmarks, train.points, train.known, regressor)
    save_weights(method.trained_state(), folder.weights)
    folder.write_card(_card(trained, config, experiment, method, len(train.points), device))
    write_text(folder.root / "curve.csv", _csv([vars(point) for point in curve]))
    print(curve_table(curve))
    evaluate(folder.root, device=device)
    return folder.root


def label_curve(train: Labelled, test: Labelled, counts: Sequence[int]) -> list[CurvePoint]:
    """Errors on the test part of every regressor and baseline, fitted to so many evenly spaced training frames."""
    curve = []
    for count in counts:
        some = train[evenly_spaced(range(len(train.points)), count)]
        for name in REGRESSORS:
            answer = _answer(some.landmarks, some, test.landmarks, name)
            curve.append(_point(name, count, answer, test))
        curve.append(_point("mean-position", count, _mean_position(some, len(test.points)), test))
        curve.append(_point("raw-pixels", count, _answer(some.pixels, some, test.pixels, "ridge"), test))
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


def dump(run: Path, source: Path, out: Path | None = None, device: str = "auto") -> Path:
    """Writes each frame's landmarks as csv: place, covariance, confidence and equivariance error, in image pixels.

    Args:
        run: A finished run of landmarks.
        source: Image, folder or video.
        out: The file; `RUN/landmarks/NAME.csv` if None.
        device: `auto`, `cpu`, `cuda` ...
    """
    trained, landmarks = _open(run, device)
    opened = open_source(Path(source))
    rows: list[dict[str, Any]] = []
    samples = progress(opened.samples(), opened.num_samples, "landmarks", "frames")
    for batch in _batched(samples, _BATCH):
        views = [trained.policy.view(Item((sample,))) for sample in batch]
        images = _stack(batch, views, trained)
        found = landmarks.find(images).landmarks
        keys = torch.arange(len(batch))  # the same warps for every batch: errors compare from frame to frame
        errors = landmarks.equivariance_error(images, keys)
        for number, (sample, view) in enumerate(zip(batch, views, strict=True)):
            rows += _dump_rows(
                sample.key, view, found.mean[number], found.covariance[number], found.concentration[number],
                errors[number],
            )  # fmt: skip
    path = Path(run) / "landmarks" / f"{opened.path.stem}.csv" if out is None else Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, _csv(rows))
    return path


def transfer(run: Path, pose: Path, looks: Path, out: Path, device: str = "auto") -> Path:
    """Redraws the subject of one image in the pose of another, and writes pose, looks and result side by side.

    Args:
        run: A finished run of landmarks.
        pose: Image whose pose is taken.
        looks: Image whose subject and background are taken.
        out: The picture.
        device: `auto`, `cpu`, `cuda` ...
    """
    trained, landmarks = _open(run, device)
    images = []
    for path in (pose, looks):
        (sample,) = open_source(Path(path)).samples()
        images.append(_stack([sample], [trained.policy.view(Item((sample,)))], trained))
    redrawn = landmarks.transfer(*images)
    row = torch.cat([*images, redrawn.image], dim=3)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    write_image(out, _pixels(row))
    return Path(out)


def page(run: Path, source: Path, out: Path | None = None, num_frames: int = 12, device: str = "auto") -> Path:
    """Writes a page of evenly spaced frames: landmarks, part maps, masks, reconstructions, equivariance errors.

    Args:
        run: A finished run of landmarks.
        source: Image, folder or video.
        out: The page; `RUN/landmarks.html` if None.
        num_frames: How many to show, at most.
        device: `auto`, `cpu`, `cuda` ...
    """
    trained, landmarks = _open(run, device)
    opened = open_source(Path(source))
    step = max(1, -(-opened.num_samples // num_frames))
    frames = [_frame(sample, trained, landmarks) for sample in islice(opened.samples(), 0, None, step)]
    path = Path(run) / "landmarks.html" if out is None else Path(out)
    return write_landmark_page(trained.config.name, frames, path)


def _frame(sample: Sample, trained: TrainedRun, landmarks: Landmarks) -> Frame:
    image = _stack([sample], [trained.policy.view(Item((sample,)))], trained)
    height, width = image.shape[-2:]
    found = landmarks.find(image)
    mask = landmarks.masks(found.landmarks, height, width)
    redrawn = None if landmarks.model.redraws_features else landmarks.transfer(image, image).image
    half = np.array([width, height]) / 2
    return Frame(
        sample.key,
        _pixels(image),
        (found.landmarks.mean[0].cpu().numpy() + 1) * half,
        found.probabilities[0].cpu().numpy(),
        None if mask is None else mask[0, 0].cpu().numpy(),
        None if redrawn is None else _pixels(redrawn),
        landmarks.equivariance_error(image, torch.tensor([0]))[0].cpu().numpy() * float(half.mean()),
    )


def _pixels(image: torch.Tensor) -> Array:
    return np.asarray((image[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().cpu().numpy())


# --- Runs and labels ---


def _open(run: Path, device: str) -> tuple[TrainedRun, Landmarks]:
    trained = TrainedRun.load(run, device)
    if not isinstance(trained.method, Landmarks):
        raise RunError(
            f"this is a run of the {trained.config.method.kind} method, not of landmarks",
            where=run,
            hint="train one with method.kind=landmarks",
        )
    return trained, trained.method


def _labels(labels: str, overrides: Sequence[str]) -> Data:
    folder = Path(labels)
    if (folder / "labeled-data").is_dir():
        return load_data("deeplabcut", [f"root={folder}", *overrides])
    if folder.suffix in (".yaml", ".yml"):
        return load_recipe(labels, overrides).data
    return load_data(labels, overrides)


def _keypoint_config(trained: TrainedRun, data: Data, regressor: Regressor) -> RunConfig:
    config = trained.config
    method, pairs = config.method, config.encoding
    assert isinstance(method, LandmarksConfig) and isinstance(pairs, LandmarkPairsConfig)  # _open has seen to it
    return RunConfig.model_validate(
        {
            "name": f"{config.name}-keypoints",
            "description": f"Keypoints by {regressor} regression from the landmarks of {config.name}",
            "seed": config.seed,
            "data": data,
            "view": config.view.model_copy(update={"augment": AugmentConfig()}),
            "encoding": {"kind": "points"},
            "backbone": config.backbone,
            "method": {
                "kind": "landmark-keypoints",
                "landmarks": method.model_dump(),
                "num_landmarks": pairs.num_landmarks,
                "regressor": regressor,
            },
        }
    )


def _card(
    trained: TrainedRun, config: RunConfig, experiment: Experiment, method: LandmarkKeypoints, num_labels: int,
    device: str,
) -> dict[str, Any]:  # fmt: skip
    before = trained.folder.read_card()
    assert experiment.skeleton is not None  # the points encoding has one
    return {
        "name": config.name,
        "method": config.method.kind,
        "backbone": before["backbone"],
        "skeleton": skeleton_card(experiment.skeleton),
        "calibration": [1.0, 0.0],
        "num_parameters_trained": method.weights.numel() + method.offset.numel(),
        "num_labels": num_labels,
        "steps": before["steps"],
        "best_step": before["best_step"],
        "training_minutes": before["training_minutes"],
        "hardware": hardware(choose_device(device)),
        "versions": {name: version(name) for name in ("gensight", "torch", "diffusers", "lightning")},
    }


# --- Frames as numbers ---


def _read(cases: Cases, landmarks: Landmarks, label: str) -> Labelled:
    found, pixels, points, known = [], [], [], []
    views: list[View] = []
    groups: list[str] = []
    device = next(landmarks.model.parameters()).device
    batches = progress(each_once(cases, _BATCH), -(-len(cases) // _BATCH), label, "batches")
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


def _answer(seen: Array, labelled: Labelled, asked: Array, regressor: Regressor) -> Array:
    weights, offset = fit(seen, labelled.points, labelled.known, regressor)
    return np.asarray(asked @ weights + offset)


def _mean_position(labelled: Labelled, count: int) -> Array:
    return np.tile(mean_places(labelled.points, labelled.known), (count, 1))


def _point(name: str, num_labels: int, answer: Array, test: Labelled) -> CurvePoint:
    statistics = np.array(
        [_error(answer[row], test.points[row], test.known[row], view) for row, view in enumerate(test.views)]
    )
    total = statistics.sum(0)
    low, high = interval(statistics, lambda sums: sums[..., 0] / np.maximum(sums[..., 1], 1e-12), test.groups)
    return CurvePoint(name, num_labels, float(total[0] / total[1]), low, high, len(statistics))


def _error(answer: Array, truth: Array, known: Array, view: View) -> tuple[float, float]:
    """Sum of distances in image pixels over located keypoints, and their number."""
    size = np.array(view.model_size[::-1])
    ours, theirs = (model_to_image(values.reshape(-1, 2) * size, view) for values in (answer, truth))
    located = known.reshape(-1, 2)[:, 0]
    return float(np.linalg.norm(ours - theirs, axis=1)[located].sum()), float(located.sum())


def _stack(samples: Sequence[Sample], views: Sequence[View], trained: TrainedRun) -> torch.Tensor:
    pixels = [warp_image(sample.image(), view) for sample, view in zip(samples, views, strict=True)]
    return stack_images(pixels).to(trained.predictor.device)


def _batched(samples: Iterator[Sample], size: int) -> Iterator[list[Sample]]:
    while batch := list(islice(samples, size)):
        yield batch


def _dump_rows(
    key: str, view: View, mean: torch.Tensor, covariance: torch.Tensor, confidence: torch.Tensor, error: torch.Tensor
) -> Iterator[dict[str, Any]]:
    height, width = view.model_size
    half = np.array([width, height]) / 2  # model pixels per unit of the landmarks' coordinates
    points = model_to_image((mean.double().cpu().numpy() + 1) * half, view)
    linear = view.inverse[:2, :2] @ np.diag(half)
    spread = linear @ covariance.double().cpu().numpy() @ linear.T
    scale = float(np.sqrt(abs(np.linalg.det(linear))))
    for number, (x, y) in enumerate(points):
        yield {
            "frame": key, "landmark": number, "x": x, "y": y, "xx": spread[number, 0, 0], "xy": spread[number, 0, 1],
            "yy": spread[number, 1, 1], "confidence": float(confidence[number]),
            "equivariance_error": float(error[number]) * scale,
        }  # fmt: skip


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows({name: f"{v:.4f}" if isinstance(v, float) else v for name, v in row.items()} for row in rows)
    return text.getvalue()
