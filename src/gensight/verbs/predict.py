"""`gensight predict`: trained runs applied to an image, a folder or a video."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from gensight.encodings.gaze import GazeMap
from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError
from gensight.files.progress import batches
from gensight.prediction.detection.boxes import detect_boxes
from gensight.prediction.detection.heads import HeadFinder
from gensight.prediction.outputs.gaze import head_of_person
from gensight.prediction.outputs.writer import PredictionWriter
from gensight.prediction.shared_backbone import share_backbones
from gensight.prediction.sources import Boxes, Source, head_items, items_of, open_source, read_boxes
from gensight.prediction.tracking.gaze_smoothing import GazeSmoother
from gensight.prediction.tracking.subject import track_source
from gensight.prediction.trained_run import TrainedRun
from gensight.readers.footage.tracked import Tracker
from gensight.samples import Prediction, Sample, merge_predictions
from gensight.teachers.base import Teacher
from gensight.teachers.catalogue import load_teacher


def load(run: str | Path, device: str = "auto") -> TrainedRun:
    """A trained run, ready to predict: `gensight.load("runs/mouse").predict("frame.png")`."""
    return TrainedRun.load(run, device)


def predict(
    run: Path,
    source: Path,
    out: Path | None = None,
    device: str = "auto",
    draw: bool = True,
    boxes: Path | None = None,
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
            keypoint run's folder, which finds one head in each image, weakly.
        detector_threshold: Least score of a detection.
        smooth: Frames of a video over which gaze is averaged; 1: not at all.

    Returns:
        The folder that was written.
    """
    if boxes is not None and detector is not None:
        raise ConfigError("boxes come from a file or from a detector, not from both", where="--boxes, --detector")
    opened = open_source(Path(source))
    runs = [TrainedRun.load(one, device) for one in (run, *also)]
    found = None if boxes is None else read_boxes(Path(boxes))
    for trained in runs:
        _refuse(trained, found is not None or detector is not None)
        if smooth > 1 and not (_is_gaze(trained) and opened.frame_rate is not None):
            raise ConfigError("only gaze in a video is smoothed", where="--smooth", hint="leave --smooth out")
    finder = None if detector is None else BoxFinder.load(detector, detector_threshold, device)
    if finder is not None and finder.heads is not None and not all(_is_gaze(trained) for trained in runs):
        raise ConfigError("a keypoint run finds heads, which only gaze runs ask for", where="--detector")
    if len(runs) > 1:
        share_backbones(runs)
    folder = RunFolder(Path(run)).root / "predict" / opened.path.stem if out is None else Path(out)
    tracked = found is None and finder is None and any(trained.config.view.track for trained in runs)
    known = BoxFinder(found, tracker=track_source(opened) if tracked else None)
    _write(runs, _folders(runs, folder), opened, finder or known, draw, smooth)
    return folder


@dataclass(frozen=True)
class BoxFinder:
    """Where the subjects of images are: a file's boxes, a detector's, or nobody's (None: the image as a whole).

    Attributes:
        known: Of a detections file.
        detector: Finds people image by image.
        threshold: Least score.
        heads: Finds one head in each image.
        tracker: Follows the one subject that moves, for runs that learned that way.
    """

    known: Boxes | None = None
    detector: Teacher | None = None
    threshold: float = 0.5
    heads: HeadFinder | None = None
    tracker: Tracker | None = None

    @classmethod
    def load(cls, name: str, threshold: float, device: str) -> "BoxFinder":
        """A detector of people, or a keypoint run's folder, which finds heads.

        Raises ConfigError for an unknown one, RunError where its files are missing.
        """
        if RunFolder(Path(name)).config.is_file():
            return cls(heads=HeadFinder.load(Path(name), device))
        full = name if name.startswith("detect") else f"detect:{name}"
        return cls(detector=load_teacher(full, {"category": "person", "device": device}), threshold=threshold)

    def boxes(self, samples: Sequence[Sample]) -> Boxes | None:
        """The boxes of these images."""
        if self.tracker is not None:
            return {sample.key: [(self.tracker.box(sample), 1.0)] for sample in samples}
        if self.heads is not None:
            return self.heads.boxes(samples)
        return self.known if self.detector is None else detect_boxes(self.detector, samples, None, self.threshold)


def _refuse(trained: TrainedRun, by_box: bool) -> None:
    items = trained.config.encoding.facts.items
    if items == "words":
        raise ConfigError(
            "this run is told in words what to do",
            where=trained.folder.root,
            hint='say it: gensight predict RUN IMAGES --instruction "segment the ..."',
        )
    if items == "head":
        if not by_box:
            raise ConfigError(
                "this run is asked about heads, and none are known",
                where="--boxes, --detector",
                hint="give a file of head boxes with --boxes, or a detector of people, whose heads are then guessed",
            )
        return
    if by_box and trained.config.view.crop in ("frame", "stretched-frame"):
        raise ConfigError("this run looks at whole images, so it takes no boxes", where="--boxes, --detector")
    if items in ("pair", "triplet"):
        raise ConfigError(
            f"this run compares images ({trained.config.encoding.kind}), and has nothing to say of a single one",
            where=trained.folder.root,
            hint="use `gensight match RUN IMAGE OTHER` for it",
        )


def _folders(runs: Sequence[TrainedRun], folder: Path) -> list[Path]:
    names = [trained.config.name for trained in runs]
    if len(runs) == 1:
        return [folder]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"two runs are named {twice[0]}, and would write to one folder", hint="predict one by one")
    return [folder / name for name in names]


def _write(
    runs: Sequence[TrainedRun],
    folders: Sequence[Path],
    source: Source,
    finder: "BoxFinder",
    draw: bool,
    smooth: int = 1,
) -> None:
    smoothers = [_smoother(trained, smooth) for trained in runs]
    unit = "images" if source.frame_rate is None else "frames"
    batch_size = min(trained.config.evaluation.batch_size for trained in runs)
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                PredictionWriter(
                    folder,
                    trained.config.encoding.facts.files,
                    trained.skeleton,
                    trained.config.name,
                    source.frame_rate,
                    draw,
                ).open()
            )
            for trained, folder in zip(runs, folders, strict=True)
        ]
        for batch in batches(source.samples(), batch_size, source.num_samples, "predict", unit):
            boxes = finder.boxes(batch)
            for trained, writer, smoother in zip(runs, writers, smoothers, strict=True):
                found = _predict_samples(trained, batch, boxes, finder.detector is not None, smoother)
                for sample, prediction in zip(batch, found, strict=True):
                    writer.add(prediction, sample.image())


def _is_gaze(trained: TrainedRun) -> bool:
    return trained.config.encoding.facts.items == "head"


def _smoother(trained: TrainedRun, num_frames: int) -> GazeSmoother | None:
    if num_frames == 1 or not isinstance(trained.encoding, GazeMap):
        return None
    return GazeSmoother(trained.encoding, num_frames)


def _heads(boxes: Boxes, detected: bool) -> Boxes:
    """A file's boxes are heads already; a detector's are people."""
    if not detected:
        return boxes
    return {key: [(head_of_person(box), score) for box, score in found] for key, found in boxes.items()}


def _predict_samples(
    trained: TrainedRun,
    samples: list[Sample],
    boxes: Boxes | None,
    detected: bool = False,
    smoother: GazeSmoother | None = None,
) -> list[Prediction]:
    """One merged prediction per sample; one without instances where no box was given for it."""
    if _is_gaze(trained):
        items = [item for sample in samples for item in head_items(sample, _heads(boxes or {}, detected))]
    else:
        items = [item for sample in samples for item in items_of(sample, boxes)]
    answers = trained.predict_items(items) if items else []
    merged = merge_predictions(answers if smoother is None else smoother(items, answers)) if items else []
    by_key = {prediction.sample_key: prediction for prediction in merged}
    return [by_key.get(s.key, Prediction(sample_key=s.key, size=s.size, group=s.group)) for s in samples]
