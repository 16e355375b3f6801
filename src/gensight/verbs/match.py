"""`gensight match`: a run that compares images, applied to one image and others."""

from pathlib import Path

import numpy as np

from gensight.errors import ConfigError
from gensight.prediction.detection.finder import BoxFinder
from gensight.prediction.jobs import Job, PredictionOutcome, write_predictions
from gensight.prediction.request import Request
from gensight.prediction.sources import open_source
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Array


def match(
    run: Path,
    image: Path,
    others: Path,
    out: Path | None = None,
    points: Array | None = None,
    device: str = "auto",
    draw: bool = True,
) -> PredictionOutcome:
    """Finds points of one image in others, or how alike the images are, as the run was trained to.

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
        The folder that was written, and what could not be read.

    Raises:
        ConfigError: The run does not compare images.
        DataError: A point lies outside the image.
    """
    trained = TrainedRun.load(run, device)
    reference, source = next(iter(open_source(Path(image)).samples())), open_source(Path(others))
    request = Request(reference=reference, points=points).resolve(trained)
    folder = trained.folder.root / "match" / source.path.stem if out is None else Path(out)
    jobs, stat = [Job(trained, request)], Path(image).stat()
    identity = {"reference": [str(image), stat.st_size, stat.st_mtime_ns]}
    return write_predictions(jobs, [source], folder, lambda _: BoxFinder(), identity=identity, draw=draw, label="match")


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
