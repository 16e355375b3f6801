"""`gensight predict`: trained runs applied to an image, a folder or a video."""

from collections.abc import Sequence
from pathlib import Path

from gensight.errors import ConfigError
from gensight.prediction.detection.box_files import fit_boxes
from gensight.prediction.detection.finder import BoxFinder
from gensight.prediction.jobs import plan_jobs, write_predictions
from gensight.prediction.request import request_kind
from gensight.prediction.shared_backbone import share_backbones
from gensight.prediction.sources import open_source, read_boxes
from gensight.prediction.tracking.subject import track_source
from gensight.prediction.trained_run import TrainedRun
from gensight.teachers.box_finders import load_box_finder


def predict(
    run: Path,
    source: Path,
    out: Path | None = None,
    device: str = "auto",
    draw: bool = True,
    boxes: str | Path | None = None,
    also: Sequence[Path] = (),
    detector: str | None = None,
    detector_threshold: float = 0.5,
    smooth: int = 1,
) -> Path:
    """Predicts on an image, a folder of images or a video, and writes tables, maps and pictures.

    Args:
        run: A finished run folder.
        source: Image, folder or video.
        out: Folder to write to; `RUN/predict/NAME` if None.
        device: `auto`, `cpu`, `cuda` ...
        draw: Whether to draw overlays (and the overlaid video).
        boxes: A detections file, for runs that look at one subject's box at a time.
        also: Further runs; those on the same backbone are read off the same pass. Each then writes to a folder of its
            own below `out`, by its name.
        detector: Instead of `boxes`: a detection teacher that finds the people first (`detect`, `detect:MODEL`), or a
            keypoint run's folder, which finds one head in each image, unreliably.
        detector_threshold: Least score of a detection.
        smooth: Frames of a video over which gaze is averaged; 1: not at all.

    Returns:
        The folder that was written.

    Raises:
        ConfigError: A run takes something else than images and these boxes (`gensight ask`, `gensight match`), or
            options that exclude each other.
    """
    if boxes is not None and detector is not None:
        raise ConfigError("boxes come from a file or from a detector, not from both", where="--boxes, --detector")
    opened = open_source(Path(source))
    runs = [TrainedRun.load(one, device) for one in (run, *also)]
    known = None if boxes is None else fit_boxes(read_boxes(Path(boxes)), Path(boxes), [opened])
    folder = runs[0].folder.root / "predict" / opened.path.stem if out is None else Path(out)
    with_boxes = known is not None or detector is not None
    jobs = plan_jobs(runs, folder, with_boxes, opened.frame_rate is not None, smooth)
    if detector is not None:
        finder = load_box_finder(detector, detector_threshold, device)
        if finder.heads is not None and any(request_kind(one) != "heads" for one in runs):
            raise ConfigError("a keypoint run finds heads, which only gaze runs ask for", where="--detector")
    else:
        tracked = known is None and any(one.config.view.track for one in runs)
        finder = BoxFinder(known, tracker=track_source(opened) if tracked else None)
    if len(runs) > 1:
        share_backbones(runs)
    write_predictions(jobs, opened, finder, draw)
    return folder
