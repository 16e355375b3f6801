"""`gensight landmarks`: tables of learned landmarks, pictures and videos in another one's pose, a page."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gensight.errors import ConfigError
from gensight.files.atomic import atomic_path, write_text
from gensight.files.images import write_image
from gensight.files.videos import VIDEO_SUFFIXES, VideoWriter
from gensight.geometry import model_to_image
from gensight.prediction.sources import open_source
from gensight.prediction.tracking.subject import track_source
from gensight.report.landmarks import Frame, write_landmark_page
from gensight.samples import View
from gensight.verbs.landmarks.run import Crops, LandmarkRun, to_pixels


def dump(run: Path, source: Path, out: Path | None = None, device: str = "auto") -> Path:
    """Writes each frame's landmarks: place, covariance, confidence and equivariance error, in image pixels.

    `floored` is 1 where a fitted covariance had collapsed and was widened to its floor.

    Args:
        run: A finished run of landmarks.
        source: Image, folder or video.
        out: The file, `.csv` or `.parquet`; `RUN/landmarks/NAME.csv` if None.
        device: `auto`, `cpu`, `cuda` ...

    Raises:
        ConfigError: For another kind of file, or Parquet without the package that writes it.
    """
    opened = open_source(Path(source))
    path = Path(run) / "landmarks" / f"{opened.path.stem}.csv" if out is None else Path(out)
    _check_table(path)
    landmark_run = LandmarkRun.open(run, device)
    rows: list[dict[str, Any]] = []
    for crops in landmark_run.crops(opened):
        found = landmark_run.landmarks.find(crops.images).landmarks
        keys = torch.arange(len(crops.samples))  # the same warps for every batch: errors compare from frame to frame
        errors = landmark_run.landmarks.equivariance_error(crops.images, keys)
        for number, (sample, view) in enumerate(zip(crops.samples, crops.views, strict=True)):
            rows += _dump_rows(
                sample.key, view, found.mean[number], found.covariance[number], found.concentration[number],
                errors[number], found.floored[number],
            )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_table(rows, path)
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
    tracker = track_source(giver) if landmark_run.trained.config.view.track else None
    shown = landmark_run.crop([next(giver.samples())], tracker)
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


def _side_by_side(run: LandmarkRun, poses: Crops, looks: Crops) -> Iterator[np.ndarray[Any, Any]]:
    """uint8 (height, 3 * width, 3) for each pose: itself, the looks, the result."""
    count = len(poses.samples)
    given = looks.images.expand(count, -1, -1, -1)
    redrawn = run.landmarks.transfer(poses.images, given, poses.behind)
    row = torch.cat([poses.images, given, redrawn.image], dim=3)
    for number in range(count):
        yield to_pixels(row[number : number + 1])


def _frame(run: LandmarkRun, crops: Crops) -> Frame:
    image, landmarks = crops.images, run.landmarks
    height, width = image.shape[-2:]
    found = landmarks.find(image)
    mask = landmarks.masks(found.landmarks, height, width)
    redrawn = None if landmarks.model.redraws_features else landmarks.transfer(image, image, crops.behind).image
    half = np.array([width, height]) / 2
    return Frame(
        crops.samples[0].key,
        to_pixels(image),
        (found.landmarks.mean[0].cpu().numpy() + 1) * half,
        found.probabilities[0].cpu().numpy(),
        None if mask is None else mask[0, 0].cpu().numpy(),
        None if redrawn is None else to_pixels(redrawn),
        landmarks.equivariance_error(image, torch.tensor([0]))[0].cpu().numpy() * float(half.mean()),
    )


# --- Tables ---


def _dump_rows(
    key: str,
    view: View,
    mean: torch.Tensor,
    covariance: torch.Tensor,
    confidence: torch.Tensor,
    error: torch.Tensor,
    floored: torch.Tensor,
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
            "equivariance_error": float(error[number]) * scale, "floored": int(floored[number]),
        }  # fmt: skip


def _check_table(path: Path) -> None:
    if path.suffix not in (".csv", ".parquet"):
        raise ConfigError(f"`{path.name}` is no kind of table", where="--out", choices=[".csv", ".parquet"])
    if path.suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401  # an optional extra: checked before the frames are read
        except ModuleNotFoundError as error:
            raise ConfigError(
                "Parquet needs the package pyarrow, which is not installed",
                where="--out",
                hint='pip install "gensight[parquet]", or write .csv',
            ) from error


def _write_table(rows: Sequence[dict[str, Any]], path: Path) -> None:
    if path.suffix == ".csv":
        write_text(path, csv_text(rows))
        return
    from pyarrow import Table
    from pyarrow.parquet import write_table

    with atomic_path(path) as temporary:
        write_table(Table.from_pylist(list(rows)), temporary)


def csv_text(rows: Sequence[dict[str, Any]]) -> str:
    """Rows of one kind as csv, numbers to four decimals."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows({name: f"{v:.4f}" if isinstance(v, float) else v for name, v in row.items()} for row in rows)
    return text.getvalue()
