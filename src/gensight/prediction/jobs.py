"""Several runs applied to one source together, each writing its predictions into a folder of its own."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from gensight.encodings.gaze import GazeMap
from gensight.errors import ConfigError
from gensight.files.progress import batches
from gensight.prediction.detection.finder import BoxFinder
from gensight.prediction.outputs.choice import open_writer
from gensight.prediction.request import Request, request_kind
from gensight.prediction.sources import Boxes, PredictionSource
from gensight.prediction.tracking.gaze_smoothing import GazeSmoother
from gensight.prediction.trained_run import TrainedRun


@dataclass(frozen=True, eq=False)
class Job:
    """One run, its request, and the writer of its predictions."""

    run: TrainedRun
    request: Request
    folder: Path
    smoother: GazeSmoother | None = None

    def with_boxes(self, finder: BoxFinder, boxes: Boxes | None) -> Request:
        """The request about the boxes that a finder gave for some images."""
        if self.request.heads is None:
            return replace(self.request, boxes=boxes)
        return replace(self.request, heads=finder.heads_of(boxes))


def plan_jobs(runs: Sequence[TrainedRun], folder: Path, with_boxes: bool, is_video: bool, smooth: int = 1) -> list[Job]:
    """One job per run: in the folder itself, or for several runs in folders below it by their names.

    Args:
        runs: Of single images.
        folder: Where predictions go.
        with_boxes: Whether a file or a detector gives boxes.
        is_video: Whether the source is a video.
        smooth: Frames over which gaze is averaged; 1: not at all.

    Raises:
        ConfigError: A run takes no boxes, or needs them; smoothing of something else than gaze in a video; two runs of
            one name.
    """
    given: Boxes | None = {} if with_boxes else None
    requests = []
    for run in runs:
        request = Request(heads=given) if request_kind(run) == "heads" else Request(boxes=given)
        requests.append(request.resolve(run))
        if smooth > 1 and not (request_kind(run) == "heads" and is_video):
            raise ConfigError("only gaze in a video is smoothed", where="--smooth", hint="leave --smooth out")
    names = [run.config.name for run in runs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"two runs are named {twice[0]}, and would write to one folder", hint="predict one by one")
    folders = [folder] if len(runs) == 1 else [folder / name for name in names]
    smoothers = [
        GazeSmoother(run.encoding, smooth) if smooth > 1 and isinstance(run.encoding, GazeMap) else None for run in runs
    ]
    return [Job(*parts) for parts in zip(runs, requests, folders, smoothers, strict=True)]


def write_predictions(jobs: Sequence[Job], source: PredictionSource, finder: BoxFinder, draw: bool) -> None:
    """Predicts on all images of a source, the runs side by side, so that those on one backbone share its passes."""
    batch_size = min(job.run.config.evaluation.batch_size for job in jobs)
    with ExitStack() as stack:
        writers = [
            stack.enter_context(open_writer(job.run, job.request, job.folder, source.frame_rate, draw).open())
            for job in jobs
        ]
        for batch in batches(source.samples(), batch_size, source.num_samples, "predict", source.unit):
            boxes = finder.boxes(batch)
            streams = [
                job.run.predictor.stream(batch, job.with_boxes(finder, boxes), smooth=job.smoother) for job in jobs
            ]
            for answers in zip(*streams, strict=True):
                for writer, (sample, prediction) in zip(writers, answers, strict=True):
                    writer.add(prediction, sample.image)
