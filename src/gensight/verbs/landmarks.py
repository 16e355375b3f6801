"""`gensight landmarks`: keypoints, tables, pictures, videos and a page from learned landmarks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gensight.assembly.backbones import build_backbone
from gensight.assembly.devices import choose_device
from gensight.assembly.experiment import Experiment
from gensight.assembly.methods import build_method
from gensight.config.data import Data
from gensight.config.encodings import LandmarkPairsConfig
from gensight.config.loading.loader import load_data, load_recipe
from gensight.config.schema import AugmentConfig, RunConfig
from gensight.engine.card import package_versions
from gensight.engine.hardware import hardware
from gensight.engine.run_folder import RunFolder
from gensight.engine.weights import save_weights
from gensight.errors import ConfigError
from gensight.files.images import write_image
from gensight.files.progress import Announce, silent
from gensight.files.tables import check_table, write_table
from gensight.files.videos.reading import VIDEO_SUFFIXES
from gensight.files.videos.writing import VideoWriter
from gensight.methods.landmarks.keypoints import LandmarkKeypoints
from gensight.methods.landmarks.regression import Regressor
from gensight.prediction.landmark_run import Crops, LandmarkRun
from gensight.prediction.sources import open_source
from gensight.readers.splits import split_by_blocks
from gensight.report.landmarks import Frame, write_landmark_page
from gensight.samples import Array
from gensight.studies.label_curve import Labelled, curve_table, label_curve, read_labelled
from gensight.verbs.evaluate import evaluate

# Scores that are published for a data set; the usual ones elsewhere.
_PUBLISHED = {"bbc-pose": ["bbc-6px", "mean-px"], "faces": ["nme-inter-ocular", "mean-px"]}


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
    config = _keypoint_config(opened.trained.config, _labels(labels, overrides, blocks), regressor)
    folder = RunFolder(Path(run) / "keypoints" if out is None else Path(out))
    experiment = Experiment.open(config)
    if experiment.splits.test is None:
        raise ConfigError("the labels keep no test part to score on", where=labels, hint="give split.test a share")
    train = experiment.plain_training_cases()
    frames = read_labelled([train, experiment.test_cases()], opened.landmarks, "read labelled frames")
    if blocks is None:
        curve = label_curve(frames, [(range(len(train)), range(len(train), len(frames)))], counts)
    else:  # the last block is the test part, so the frames are in the label file's order
        parts = [split_by_blocks(len(frames), blocks, block) for block in range(blocks)]
        curve = label_curve(frames, parts, counts)
    folder.create(config)
    _write_run(folder, config, opened, experiment, frames[range(len(train))], regressor, device)
    write_table([vars(point) for point in curve], folder.root / "curve.csv")
    announce(curve_table(curve))
    evaluate(folder.root, device=device, experiment=experiment)
    return folder.root


def _write_run(
    folder: RunFolder,
    config: RunConfig,
    opened: LandmarkRun,
    experiment: Experiment,
    learned: Labelled,
    regressor: Regressor,
    device: str,
) -> None:
    method = build_method(config, build_backbone(config), experiment.encoding)
    assert isinstance(method, LandmarkKeypoints)  # set by the config
    method.landmarks.load_trained_state(opened.landmarks.trained_state())
    method.fit(learned.landmarks, learned.points, learned.known, regressor)
    save_weights(method.trained_state(), folder.weights)
    card = replace(
        opened.trained.folder.read_card(),
        name=config.name,
        method=config.method.kind,
        skeleton=experiment.skeleton,
        calibration=(1.0, 0.0),
        num_parameters_trained=method.weights.numel() + method.offset.numel(),
        hardware=hardware(choose_device(device)),
        versions=package_versions(),
        num_labels=len(learned),
    )
    folder.write_card(card)


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


def _keypoint_config(config: RunConfig, data: Data, regressor: Regressor) -> RunConfig:
    assert isinstance(config.encoding, LandmarkPairsConfig)  # LandmarkRun has seen to it
    return RunConfig.model_validate(
        {
            "name": f"{config.name}-keypoints",
            "description": f"Keypoints by {regressor} regression from the landmarks of {config.name}",
            "seed": config.seed,
            "data": data,
            "view": config.view.model_copy(update={"augment": AugmentConfig()}),
            "encoding": {"kind": "points"},
            "evaluation": {"protocols": _PUBLISHED.get(data.kind)},
            "backbone": config.backbone,
            "method": {
                "kind": "landmark-keypoints",
                "landmarks": config.method,
                "num_landmarks": config.encoding.num_landmarks,
            },
        }
    )


def dump(
    run: Path, source: Path, out: Path | None = None, device: str = "auto", unreadable: dict[str, str] | None = None
) -> Path:
    """Writes each frame's landmarks: place, covariance, confidence and equivariance error, in image pixels.

    A frame that can't be read has one row, with nothing but its name.

    Args:
        run: A finished run of landmarks.
        source: Image, folder or video.
        out: The file, `.csv` or `.parquet`; `RUN/landmarks/NAME.csv` if None.
        device: `auto`, `cpu`, `cuda` ...
        unreadable: Receives the frames that can't be read, with the reasons.

    Raises:
        ConfigError: For another kind of file, or Parquet without the package that writes it.
    """
    opened = open_source(Path(source))
    path = Path(run) / "landmarks" / f"{opened.path.stem}.csv" if out is None else Path(out)
    check_table(path)
    landmark_run = LandmarkRun.open(run, device)
    write_table(landmark_run.table(opened, {} if unreadable is None else unreadable), path)
    return path


def transfer(run: Path, pose: Path, looks: Path, out: Path, device: str = "auto") -> Path:
    """Redraws the subject of one image in the pose of another, or in all poses of a video.

    Args:
        run: A finished run of landmarks.
        pose: Image or video whose poses are taken.
        looks: Image or video whose subject and background are taken; of a video the first frame. A run with
            recorded backgrounds keeps the pose's.
        out: A picture of pose, looks and result side by side; of a video an mp4 with a frame of these for each frame.
        device: `auto`, `cpu`, `cuda` ...

    Raises:
        ConfigError: If the file's kind does not go with the pose's.
    """
    poses, giver = open_source(Path(pose)), open_source(Path(looks))
    path, moving = Path(out), poses.frame_rate is not None
    if moving != (path.suffix.lower() in VIDEO_SUFFIXES):
        output = "a video (.mp4)" if moving else "a picture (.png)"
        raise ConfigError(f"{poses.path.name} is redrawn as {output}", where=str(path), hint="choose another --out")
    landmark_run = LandmarkRun.open(run, device)
    shown = landmark_run.crop([next(giver.samples())], landmark_run.tracker(giver)).images
    path.parent.mkdir(parents=True, exist_ok=True)
    crops = landmark_run.crops(poses, label="redraw")
    rows = (row for some in crops for row in _side_by_side(landmark_run, some, shown))
    if poses.frame_rate is None:
        write_image(path, next(rows))
        return path
    with VideoWriter(path, poses.frame_rate) as video:
        for row in rows:
            video.write(row)
    return path


def page(run: Path, source: Path, out: Path | None = None, num_frames: int = 12, device: str = "auto") -> Path:
    """Writes a page of evenly spaced frames: landmarks, part maps, masks, reconstructions, equivariance errors.

    Args:
        run: A finished run of landmarks.
        source: Image, folder or video.
        out: The page; `RUN/landmarks.html` if None.
        num_frames: How many to show, at most.
        device: `auto`, `cpu`, `cuda` ...
    """
    landmark_run = LandmarkRun.open(run, device)
    opened = open_source(Path(source))
    step = max(1, -(-opened.num_samples // num_frames))
    frames = [_frame(landmark_run, crops) for crops in landmark_run.crops(opened, 1, step)]
    path = Path(run) / "landmarks.html" if out is None else Path(out)
    return write_landmark_page(landmark_run.trained.config.name, frames, path)


def _side_by_side(run: LandmarkRun, poses: Crops, looks: Tensor) -> Iterator[Array]:
    """uint8 (height, 3 * width, 3) for each pose: itself, the looks, the result."""
    given = looks.expand(len(poses.images), -1, -1, -1)
    redrawn = run.landmarks.transfer(poses.images, given, poses.behind)
    yield from map(_to_pixels, torch.cat([poses.images, given, redrawn.image], dim=3))


def _frame(run: LandmarkRun, crops: Crops) -> Frame:
    image, landmarks = crops.images, run.landmarks
    height, width = image.shape[-2:]
    found = landmarks.find(image)
    mask = landmarks.masks(found.landmarks, height, width)
    redrawn = None if landmarks.model.redraws_features else landmarks.transfer(image, image, crops.behind).image
    half = np.array([width, height]) / 2
    return Frame(
        crops.samples[0].key,
        _to_pixels(image[0]),
        (found.landmarks.mean[0].cpu().numpy() + 1) * half,
        found.probabilities[0].cpu().numpy(),
        None if mask is None else mask[0, 0].cpu().numpy(),
        None if redrawn is None else _to_pixels(redrawn[0]),
        landmarks.equivariance_error(image, torch.tensor([0]))[0].cpu().numpy() * float(half.mean()),
    )


def _to_pixels(image: Tensor) -> Array:
    """uint8 (height, width, 3) of an image (3, height, width) in [0, 1]."""
    return np.asarray((image.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().cpu().numpy())
