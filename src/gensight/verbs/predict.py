"""`gensight predict`: trained runs applied to images, folders and videos."""

import hashlib
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gensight.errors import ConfigError
from gensight.files.progress import loading
from gensight.files.shards import Shard
from gensight.prediction.sources import PredictionSource, open_sources, read_boxes
from gensight.readers.poses.formats import parse_formats

if TYPE_CHECKING:
    from gensight.prediction.detection.finder import BoxFinder
    from gensight.prediction.jobs import PredictionOutcome
    from gensight.prediction.trained_run import TrainedRun


def predict(run: Path, source: Path | Sequence[Path], out: Path | None = None, *args: Any, **options: Any) -> Path:
    """As `predict_files`; returns the folder, and warns of images that can't be read."""
    outcome = predict_files(run, source, out, *args, **options)
    if outcome.num_unreadable:
        first = next(iter(outcome.unreadable.items()))
        warnings.warn(f"{outcome.num_unreadable} of {outcome.num_images} images can't be read, and have empty rows; "
                      f"the first is {first[0]}: {first[1]}", stacklevel=2)  # fmt: skip
    return outcome.folder


def predict_files(
    run: Path,
    source: Path | Sequence[Path],
    out: Path | None = None,
    device: str = "auto",
    draw: bool = True,
    boxes: str | Path | None = None,
    also: Sequence[Path] = (),
    detector: str | None = None,
    detector_threshold: float = 0.5,
    smooth: int = 1,
    formats: str = "",
    shard: str = "1/1",
    strict: bool = False,
    perception_only: bool = False,
) -> "PredictionOutcome":
    """Predicts on images, folders of images or videos, and videos, and writes tables, maps and pictures.

    Started again after a kill, it resumes, and writes the same files.

    Args:
        run: A finished run folder.
        source: Image, folder, video, or several of these.
        out: Folder to write to; `RUN/predict/NAME` if None. Of several sources each has a folder below it.
        device: `auto`, `cpu`, `cuda` ...
        draw: Whether to draw overlays (and the overlaid video).
        boxes: A detections file, for runs that look at one subject's box at a time.
        also: Further runs; those on the same backbone are read off the same pass. Each then writes to a folder of its
            own below `out`, by its name.
        detector: Instead of `boxes`: a detection teacher that finds the people first (`detect`, `detect:MODEL`), or a
            keypoint run's folder, which finds one head in each image, unreliably.
        detector_threshold: Least score of a detection.
        smooth: Frames of a video over which gaze is averaged; 1: not at all.
        formats: Of keypoints, `A,B`: `sleap`, `coco`, `parquet`, `nwb`, beside csv (and h5 where PyTables is there).
        shard: `I/N`: the I-th of N parts, which may run at the same time. The last to finish writes the tables.
        strict: Whether to stop at the first image that can't be read; else it has empty rows.
        perception_only: See `TrainedRun.load`; not with a detector.

    Raises:
        ConfigError: A run takes something else than images and these boxes (`gensight ask`, `gensight match`), or
            options that exclude each other.
        DataError: There is no such source, or an image can't be read, where `strict`.
    """
    if boxes is not None and detector is not None:
        raise ConfigError("boxes come from a file or from a detector, not from both", where="--boxes, --detector")
    part, also_written = Shard.parse(shard), parse_formats(formats, "--formats")
    paths = [Path(source)] if isinstance(source, str | Path) else [Path(one) for one in source]
    sources, unopened = open_sources(paths)
    runs = _load([run, *also], device, perception_only and detector is None)
    from gensight.prediction.jobs import PredictionOutcome, plan_jobs, write_predictions

    folder = runs[0].folder.root / "predict" / paths[0].resolve().stem if out is None else Path(out)
    with_boxes, are_videos = boxes is not None or detector is not None, all(one.frame_rate for one in sources)
    jobs = plan_jobs(runs, with_boxes, are_videos, smooth, also_written)
    finder_of = _finders(runs, sources, boxes, detector, detector_threshold, device)
    found = None if boxes is None else hashlib.sha256(Path(boxes).read_bytes()).hexdigest()
    identity = {"boxes": found, "detector": detector, "threshold": detector_threshold}
    done = write_predictions(jobs, sources, folder, finder_of, draw=draw, shard=part, strict=strict, identity=identity)
    unreadable, num_unreadable = {**unopened, **done.unreadable}, done.num_unreadable + len(unopened)
    return PredictionOutcome(folder, done.num_images, num_unreadable, unreadable, done.num_left, done.notes)


def _load(folders: Sequence[Path], device: str, perception_only: bool) -> "list[TrainedRun]":
    """The runs, those on one backbone sharing it; after what can be refused without torch."""
    with loading():
        from gensight.prediction.shared_backbone import share_backbones
        from gensight.prediction.trained_run import TrainedRun

        runs = [TrainedRun.load(one, device, perception_only=perception_only) for one in folders]
    if len(runs) > 1:
        share_backbones(runs)
    return runs


def _finders(
    runs: "Sequence[TrainedRun]",
    sources: Sequence[PredictionSource],
    boxes: str | Path | None,
    detector: str | None,
    threshold: float,
    device: str,
) -> "Callable[[PredictionSource], BoxFinder]":
    """What finds the subjects of each source."""
    from gensight.prediction.detection.box_files import fit_boxes
    from gensight.prediction.detection.finder import BoxFinder
    from gensight.prediction.request import request_kind
    from gensight.prediction.tracking.subject import track_source

    if detector is not None:
        from gensight.teachers.box_finders import load_box_finder  # its models are slow to import

        found = load_box_finder(detector, threshold, device)
        if found.heads is not None and any(request_kind(one) != "heads" for one in runs):
            raise ConfigError("a keypoint run finds heads, which only gaze runs ask for", where="--detector")
        return lambda _: found
    known = BoxFinder(None if boxes is None else fit_boxes(read_boxes(Path(boxes)), Path(boxes), sources))
    if boxes is not None or not any(one.config.view.track for one in runs):
        return lambda _: known
    return lru_cache(maxsize=1)(lambda source: BoxFinder(tracker=track_source(source)))
