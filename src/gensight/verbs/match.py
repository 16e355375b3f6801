"""`gensight match`: a run that compares images, applied to one image and others."""

import csv
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import numpy as np

from gensight.drawing import draw_matches
from gensight.errors import ConfigError, DataError
from gensight.files.atomic import atomic_path
from gensight.files.images import write_image
from gensight.files.progress import batches
from gensight.files.videos import VideoWriter
from gensight.prediction.sources import Source, open_source
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Array, Item, Prediction, Relation, Sample

NUM_GRID_POINTS = 8  # along the longer side, where no points are given


def match(
    run: Path,
    image: Path,
    others: Path,
    out: Path | None = None,
    points: Array | None = None,
    device: str = "auto",
    draw: bool = True,
) -> Path:
    """Finds points of one image in others, or tells how alike the images are, as the run was trained to.

    Writes `matches.csv` (one row per point and image: x, y in the image, its place in the other, the confidence) and
    pictures, or a video; a run that compares appearances writes `similarities.csv`, most alike first.

    Args:
        run: A finished run of a correspondence or an appearance encoding.
        image: The image with the points, or the one to compare with.
        others: An image, a folder of images, or a video.
        out: Folder to write to; `RUN/match/NAME` if None.
        points: float (num_points, 2), (x, y) in pixels of `image`; an even grid if None. For appearance: none.
        device: `auto`, `cpu`, `cuda` ...
        draw: Whether to draw pictures.

    Returns:
        The folder that was written.

    Raises:
        ConfigError: The run does not compare images.
        DataError: A point lies outside the image.
    """
    trained = TrainedRun.load(run, device)
    first, source = next(iter(open_source(Path(image)).samples())), open_source(Path(others))
    folder = trained.folder.root / "match" / source.path.stem if out is None else Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    match trained.config.encoding.facts.items:
        case "pair":
            _match_points(trained, first, source, folder, _points(first, points), draw)
        case "triplet":
            _compare(trained, first, source, folder)
        case _:
            raise ConfigError(
                f"this run reads single images ({trained.config.encoding.kind}), and compares none",
                where=run,
                hint="use `gensight predict` for it",
            )
    return folder


def parse_points(text: str) -> Array:
    """float64 (num_points, 2) from `x,y:x,y`. Raises ConfigError naming the first that is no point."""
    points = []
    for part in text.split(":"):
        try:
            x, y = (float(value) for value in part.split(","))
        except ValueError:
            raise ConfigError(
                f"`{part}` is not a point",
                where="--points",
                hint="write x,y:x,y in pixels, for example 420,210:380,260",
            ) from None
        points.append((x, y))
    return np.array(points, dtype=np.float64)


def _points(sample: Sample, points: Array | None) -> Array:
    height, width = sample.size
    if points is None:
        step = max(height, width) / NUM_GRID_POINTS
        x, y = np.meshgrid(np.arange(step / 2, width, step), np.arange(step / 2, height, step))
        return np.stack([x.ravel(), y.ravel()], axis=1)
    outside = [point for point in points.tolist() if not (0 <= point[0] <= width and 0 <= point[1] <= height)]
    if outside:
        raise DataError(
            f"the point {outside[0][0]:g},{outside[0][1]:g} lies outside the image of {width} x {height}",
            where=sample.key,
        )
    return np.asarray(points, dtype=np.float64)


def _match_points(trained: TrainedRun, first: Sample, source: Source, folder: Path, points: Array, draw: bool) -> None:
    pixels = first.image()
    with ExitStack() as stack:
        temporary = stack.enter_context(atomic_path(folder / "matches.csv"))
        table = csv.writer(stack.enter_context(temporary.open("w", encoding="utf-8", newline="")))
        table.writerow(["image", "point", "x", "y", "found_x", "found_y", "confidence"])
        video: VideoWriter | None = None
        if draw and source.frame_rate is not None:
            rate = Fraction(source.frame_rate).limit_denominator(1001)
            video = stack.enter_context(VideoWriter(folder / "matches.mp4", rate))
        for sample, prediction in _predictions(trained, first, source, points):
            matches = prediction.matches
            assert matches is not None
            for number, (point, found, confidence) in enumerate(
                zip(points, matches.points, matches.confidence, strict=True)
            ):
                numbers = [f"{value:.2f}" for value in (*point, *found)]
                table.writerow([sample.key, number, *numbers, f"{confidence:.3f}"])
            if draw:
                picture = draw_matches(pixels, sample.image(), points, matches.points)
                if video is not None:
                    video.write(picture)
                else:
                    path = folder / "matches" / f"{sample.key}.jpg"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_image(path, picture)


def _compare(trained: TrainedRun, first: Sample, source: Source, folder: Path) -> None:
    rows = [
        (sample.key, (prediction.similarities or (float("nan"),))[0])
        for sample, prediction in _predictions(trained, first, source, None)
    ]
    with atomic_path(folder / "similarities.csv") as temporary, temporary.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "similarity"])
        table.writerows((key, f"{value:.4f}") for key, value in sorted(rows, key=lambda row: -row[1]))


def _predictions(
    trained: TrainedRun, first: Sample, source: Source, points: Array | None
) -> Iterator[tuple[Sample, Prediction]]:
    unit = "images" if source.frame_rate is None else "frames"
    size = trained.config.evaluation.batch_size
    for batch in batches(source.samples(), size, source.num_samples, "match", unit):
        items = [_item(first, sample, points) for sample in batch]
        yield from zip(batch, trained.predict_items(items), strict=True)


def _item(first: Sample, second: Sample, points: Array | None) -> Item:
    """The item that asks of a pair of images: where are the points, or how alike are the images."""
    if points is None:  # a triplet whose third image says nothing new
        return Item((first, second, second), relation=Relation("triplet"))
    tracks = np.stack([points, np.full_like(points, np.nan)])
    return Item((first, second), relation=Relation("tracks", tracks))
