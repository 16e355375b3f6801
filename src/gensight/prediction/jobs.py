"""Runs applied to sources together, each writing its predictions into a folder of its own; a kill loses little."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from gensight.encodings.gaze import GazeMap
from gensight.errors import ConfigError, DataError
from gensight.files.atomic import atomic_path
from gensight.files.progress import ProgressLine
from gensight.files.shards import Shard
from gensight.files.videos.writing import VideoWriter, join_parts
from gensight.prediction.detection.finder import BoxFinder
from gensight.prediction.outputs.choice import pictures_of, writers_of
from gensight.prediction.outputs.writer import Files, Pictures, Shown
from gensight.prediction.request import Request, request_kind
from gensight.prediction.sources import Boxes, PredictionSource, Reading
from gensight.prediction.tracking.gaze_smoothing import GazeSmoother
from gensight.prediction.trained_run import TrainedRun
from gensight.prediction.work import PredictionWork, Task
from gensight.samples import Size

SEGMENT = 96  # frames of a video in a task, about
MOST_BYTES = 1 << 28  # of pixels in a batch
MOST_NAMES = 1000  # of unreadable images that an outcome keeps


@dataclass(frozen=True, eq=False)
class Job:
    """One run, its request, and what is written of its predictions.

    Attributes:
        run: Of single images, or comparing them.
        request: Resolved.
        name: Folder of its predictions; empty where it is the only job.
        smooth: Frames over which gaze is averaged; 1: not at all.
        formats: Of keypoint tables, besides the usual ones.
    """

    run: TrainedRun
    request: Request
    name: str = ""
    smooth: int = 1
    formats: tuple[str, ...] = ()
    files: list[Files] = field(init=False)
    pictures: Pictures | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", writers_of(self.run, self.request, self.formats))
        object.__setattr__(self, "pictures", pictures_of(self.request))

    def with_boxes(self, finder: BoxFinder, boxes: Boxes | None) -> Request:
        """The request about the boxes that a finder gave for some images."""
        if self.request.heads is not None:
            return replace(self.request, heads=finder.heads_of(boxes))
        return self.request if boxes is None else replace(self.request, boxes=boxes)

    def note(self) -> str:
        """Says that a run trained on crops looks at whole images, where it does; else empty."""
        if self.request.boxes is not None or request_kind(self.run) != "boxes" or self.run.config.view.track:
            return ""
        return (f"{self.run.config.name} is trained on crops to one subject's box, and takes each whole image for such "
                "a crop; where an image shows more, pass --boxes or --detector")  # fmt: skip

    def smoother(self) -> GazeSmoother | None:
        """For the frames of one video."""
        encoding = self.run.encoding
        return GazeSmoother(encoding, self.smooth) if self.smooth > 1 and isinstance(encoding, GazeMap) else None


@dataclass(frozen=True)
class PredictionOutcome:
    """What was done.

    Attributes:
        folder: Of the predictions.
        num_images: Images and frames of this shard.
        num_unreadable: Those of them that could not be read, and files that could not be opened.
        unreadable: The first of these, with the reasons.
        num_left: Images that other shards have not done yet; 0 where all files are written.
        notes: What to report of the predictions, where all files are written.
    """

    folder: Path
    num_images: int
    num_unreadable: int
    unreadable: Mapping[str, str]
    num_left: int
    notes: tuple[str, ...] = ()


def plan_jobs(
    runs: Sequence[TrainedRun], with_boxes: bool, are_videos: bool, smooth: int = 1, formats: Sequence[str] = ()
) -> list[Job]:
    """One job per run: of several runs each in a folder of its name.

    Args:
        runs: Of single images.
        with_boxes: Whether a file or a detector gives boxes.
        are_videos: Whether the sources are videos.
        smooth: Frames over which gaze is averaged; 1: not at all.
        formats: Of keypoint tables.

    Raises:
        ConfigError: A run takes no boxes, or needs them; smoothing of something else than gaze in a video; formats of
            keypoints for a run that finds none; two runs of one name.
    """
    given: Boxes | None = {} if with_boxes else None
    requests = []
    for run in runs:
        request = Request(heads=given) if request_kind(run) == "heads" else Request(boxes=given)
        requests.append(request.resolve(run))
        if smooth > 1 and not (request_kind(run) == "heads" and are_videos):
            raise ConfigError("only gaze in a video is smoothed", where="--smooth", hint="leave --smooth out")
    names = [run.config.name for run in runs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"two runs are named {twice[0]}, and would write to one folder", hint="predict one by one")
    return [
        Job(run, request, name if len(runs) > 1 else "", smooth, tuple(formats))
        for run, request, name in zip(runs, requests, names, strict=True)
    ]


def write_predictions(
    jobs: Sequence[Job],
    sources: Sequence[PredictionSource],
    folder: Path,
    finder_of: Callable[[PredictionSource], BoxFinder],
    *,
    identity: Mapping[str, Any],
    draw: bool = True,
    shard: Shard | None = None,
    strict: bool = False,
    label: str = "predict",
    watch: Callable[[int, int], None] | None = None,
) -> PredictionOutcome:
    """Predicts on all images of some sources, the runs side by side, so that those on one backbone share its passes.

    Killed at any moment and started again, it resumes where it stopped, and writes the same files. Shards may run at
    the same time on machines that share the folder; whichever finishes last writes the tables.

    Args:
        jobs: What is predicted.
        sources: On what; each with a name has a folder of its own below each job's.
        folder: Of all predictions.
        finder_of: Gives the boxes of subjects in a source.
        identity: Whatever changes the predictions besides runs and sources, as values for JSON.
        draw: Whether to draw pictures.
        shard: The part to predict; all of it if None.
        strict: Whether to stop at the first image that can't be read; else it has empty rows.
        label, watch: Of the progress line; called with the number of images that are done, and of all.

    Raises:
        ConfigError: Another process does this part, or the folder holds something else.
        DataError: An image can't be read, where `strict`.
        ResourceError: The disk is full: the same command resumes once there is space.
    """
    for job, source in product(jobs, sources):
        for one in job.files:
            one.check(folder / job.name / source.name)
    batch_size = min(job.run.predictor.batch_size for job in jobs)
    spans = _spans(sources, batch_size, any(job.smooth > 1 for job in jobs))
    own = [list(spans)[number] for number in (shard or Shard()).of(len(spans))]
    about = {"identity": dict(identity), "runs": [_fingerprint(job) for job in jobs], "draw": draw,
             "sources": [source.fingerprint() for source in sources], "batch_size": batch_size}  # fmt: skip
    work = PredictionWork(folder, about, shard or Shard())
    try:
        predicting = _Predicting(jobs, sources, work, spans, batch_size, draw, strict)
        left = [task for task in own if task not in work]
        predicting.problems.update({task: work.line(task)["problems"] for task in own if task in work})
        total, done = (sum(len(spans[task]) for task in some) for some in (own, set(own) - set(left)))
        line = ProgressLine(total, label, sources[0].unit if len(sources) == 1 else "images", first=done)
        for number in predicting.run_all(left, finder_of):
            line.show(done + number)
            if watch is not None:
                watch(done + number, total)
        line.close()
        with work.finishing(list(spans)) as last:
            if last:
                predicting.write_tables()
            return predicting.outcome(own, folder, predicting.notes() if last else ())
    finally:
        work.close()


def _spans(sources: Sequence[PredictionSource], batch_size: int, whole: bool) -> dict[Task, range]:
    """What each task is about: the samples of a batch; a stretch of a video, or, where frames depend on those before
    them, all of it."""
    found: dict[Task, range] = {}
    for number, source in enumerate(sources):
        size = batch_size if source.frame_rate is None else -(-SEGMENT // batch_size) * batch_size
        size = source.num_samples if whole else size
        for task, start in enumerate(range(0, source.num_samples, size)):
            found[number, task] = range(start, min(start + size, source.num_samples))
    return found


def _fingerprint(job: Job) -> Any:
    """Changes with a run's weights, and with its request."""
    root, request = job.run.folder.root, job.request
    weights = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(root.glob("model/*"))]
    reference = request.reference and [request.reference.key, request.reference.path]
    points = None if request.points is None else request.points.tolist()
    words = [request.instruction, request.task, request.classes, repr(request.sampling)]
    return [str(root.resolve()), weights, job.name, job.smooth, job.formats, reference, points, words]


@dataclass(frozen=True, eq=False)
class _Predicting:
    """What all tasks of a prediction share."""

    jobs: Sequence[Job]
    sources: Sequence[PredictionSource]
    work: PredictionWork
    spans: Mapping[Task, range]
    batch_size: int
    draw: bool
    strict: bool
    problems: dict[Task, dict[str, str]] = field(default_factory=dict)

    def run_all(self, tasks: Sequence[Task], finder_of: Callable[[PredictionSource], BoxFinder]) -> Iterator[int]:
        """Does tasks; yields how many of their samples are done."""
        done = 0
        for task in tasks:
            yield from (done + number for number in self.run(task, finder_of(self.sources[task[0]])))
            done += len(self.spans[task])

    def run(self, task: Task, finder: BoxFinder) -> Iterator[int]:
        """Does a task; yields how many of its samples are done."""
        source, span = self.sources[task[0]], self.spans[task]
        smoothers = [job.smoother() for job in self.jobs]
        rows: list[list[Any]] = [[] for _ in self.jobs]
        sizes, problems, done = list[Size](), dict[str, str](), 0
        with ExitStack() as stack:
            clips = [self._clip(number, job, task, stack) for number, job in enumerate(self.jobs)]
            for readings in _batches(source.read(span), self.batch_size):
                self._stop_at(source, readings)
                samples = [reading.sample for reading in readings if reading.sample is not None]
                boxes = finder.boxes(samples) if samples else None
                streams = [
                    job.run.predictor.stream(samples, job.with_boxes(finder, boxes), smooth=smoother)
                    for job, smoother in zip(self.jobs, smoothers, strict=True)
                ]
                for reading in readings:
                    sizes.append(reading.size)
                    if reading.sample is None:
                        problems[str(reading.index)] = reading.problem
                    for number, stream in enumerate(streams):
                        found = None if reading.sample is None else next(stream)[1]
                        rows[number].append(self._write(number, source, reading, found, clips[number]))
                    done += 1
                    yield done
        self.problems[task] = problems
        self.work.append(task, {"sizes": sizes, "problems": problems, "rows": rows})

    def _stop_at(self, source: PredictionSource, readings: Sequence[Reading]) -> None:
        for reading in readings if self.strict else ():
            if reading.sample is None:
                raise DataError(reading.problem, where=f"{source.path}: {reading.key}",
                                hint="replace or remove it, or leave --strict out")  # fmt: skip

    def _folder(self, job: Job, source: PredictionSource) -> Path:
        return self.work.files / job.name / source.name

    def _part(self, number: int, task: Task) -> Path:
        return self.work.parts / f"{number}-{task[0]}-{task[1]}.mp4"

    def _clip(self, number: int, job: Job, task: Task, stack: ExitStack) -> VideoWriter | None:
        rate = self.sources[task[0]].frame_rate
        if rate is None or job.pictures is None or not self.draw:
            return None
        return stack.enter_context(VideoWriter(self._part(number, task), rate, is_part=True))

    def _write(
        self, number: int, source: PredictionSource, reading: Reading, found: Any, clip: VideoWriter | None
    ) -> dict[str, Any] | None:
        """The files of one sample; what its tables need of it."""
        job, sample = self.jobs[number], reading.sample
        pictures = job.pictures if self.draw else None
        if clip is not None and pictures is not None:
            assert source.times is not None  # of a video
            black = np.zeros((*reading.size, 3), np.uint8)
            clip.write(black if sample is None else pictures.draw(sample.image(), found), source.times[reading.index])
        if sample is None:
            return None
        stem, folder = source.file_stem(reading.index), self._folder(job, source)
        if pictures is not None and clip is None:
            pictures.save(sample.image(), found, stem, folder)
        return {one.name: one.add(found, stem, folder) for one in job.files}

    def write_tables(self) -> None:
        """What is about whole sources, from the rows of all tasks."""
        for number, job in enumerate(self.jobs):
            for place, source in enumerate(self.sources):
                folder = self._folder(job, source)
                for one in job.files:
                    one.write(_Rows(self, number, place, one.name), source, folder)
                self._write_listing(number, place, folder / "frames.csv")
                tasks = [task for task in self.spans if task[0] == place]
                if source.frame_rate is not None and job.pictures is not None and self.draw:
                    assert source.times is not None  # of a video
                    parts = [self._part(number, task) for task in tasks]
                    join_parts(parts, folder / job.pictures.video, source.times)

    def notes(self) -> tuple[str, ...]:
        """What to report of all tasks."""
        found = [job.note() for job in self.jobs]
        for number, job in enumerate(self.jobs):
            summaries = (one.summary(partial(self._rows, number, one.name)) for one in job.files)
            found += [f"{job.name}: {text}" if job.name else text for text in summaries if text]
        return tuple(filter(None, found))

    def _rows(self, job: int, name: str) -> Iterator[tuple[Shown, Any]]:
        """Those of all sources."""
        for source in range(len(self.sources)):
            yield from _Rows(self, job, source, name)()

    def outcome(self, own: Sequence[Task], folder: Path, notes: tuple[str, ...]) -> PredictionOutcome:
        """Of the tasks of a shard."""
        found = [(task[0], index, text) for task in own for index, text in self.problems[task].items()]
        unreadable = {self.sources[source].keys[int(index)]: text for source, index, text in found[:MOST_NAMES]}
        gone = not self.work.root.exists()  # another shard has finished
        left = 0 if gone else sum(len(span) for task, span in self.spans.items() if task not in self.work)
        return PredictionOutcome(
            folder, sum(len(self.spans[task]) for task in own), len(found), unreadable, left, notes
        )

    def _write_listing(self, number: int, place: int, path: Path) -> None:
        """One row per image or frame: its name, its time, and the problem where it could not be read."""
        with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["image", "frame", "time", "height", "width", "problem"])
            for shown, _ in _Rows(self, number, place, "")():
                table.writerow([shown.key, shown.frame, shown.time, *shown.size, shown.problem])


@dataclass(frozen=True, eq=False)
class _Rows:
    """All images of a source in order, each with what one kind of files needs of it; read from disk task by task."""

    predicting: _Predicting
    job: int
    source: int
    name: str

    def __call__(self) -> Iterator[tuple[Shown, Any]]:
        source = self.predicting.sources[self.source]
        for task, span in self.predicting.spans.items():
            if task[0] != self.source:
                continue
            line = self.predicting.work.line(task)
            for index, size, row in zip(span, line["sizes"], line["rows"][self.job], strict=True):
                frame = None if source.times is None else index
                time = None if source.times is None else source.times[index]
                problem = line["problems"].get(str(index), "")
                shown = Shown(source.keys[index], (size[0], size[1]), frame, time, problem)
                yield shown, None if row is None else row.get(self.name)


def _batches(readings: Iterator[Reading], size: int) -> Iterator[list[Reading]]:
    """At most `size` of them, and fewer of large images."""
    some, held = list[Reading](), 0
    for reading in readings:
        some.append(reading)
        held += 3 * reading.size[0] * reading.size[1]
        if len(some) == size or held > MOST_BYTES:
            yield some
            some, held = [], 0
    if some:
        yield some
