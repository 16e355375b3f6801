"""`gensight predict`: a trained run applied to an image, a folder or a video."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError
from gensight.files.progress import progress
from gensight.prediction.outputs import PredictionWriter
from gensight.prediction.sources import Boxes, items_of, open_source, read_boxes
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Prediction, Sample, merge_predictions


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
) -> Path:
    """Predicts on an image, a folder of images or a video, and writes tables and pictures.

    Args:
        run: A finished run folder.
        source: Image, folder or video.
        out: Folder to write to; `RUN/predict/NAME` if None.
        device: `auto`, `cpu`, `cuda` ...
        draw: Whether to draw overlays (and the overlaid video).
        boxes: A detections file, for runs that look at one subject's box at a time.

    Returns:
        The folder that was written.
    """
    opened = open_source(Path(source))
    trained = TrainedRun.load(run, device)
    found = None if boxes is None else read_boxes(Path(boxes))
    if found is not None and trained.config.view.crop == "frame":
        raise ConfigError("this run looks at whole images, so it takes no boxes", where="--boxes")
    folder = RunFolder(Path(run)).root / "predict" / opened.path.stem if out is None else Path(out)
    writer = PredictionWriter(folder, trained.skeleton, trained.config.name, opened.frame_rate, draw)
    unit = "images" if opened.frame_rate is None else "frames"
    with writer.open():
        samples = progress(opened.samples(), opened.num_samples, "predict", unit)
        for batch in _batched(samples, trained.config.evaluation.batch_size):
            for sample, prediction in zip(batch, _predict_samples(trained, batch, found), strict=True):
                writer.add(prediction, sample.image())
    return folder


def _predict_samples(trained: TrainedRun, samples: list[Sample], boxes: Boxes | None) -> list[Prediction]:
    """One merged prediction per sample; one without instances where no box was given for it."""
    items = [item for sample in samples for item in items_of(sample, boxes)]
    merged = merge_predictions(trained.predict_items(items)) if items else []
    by_key = {prediction.sample_key: prediction for prediction in merged}
    return [by_key.get(s.key, Prediction(sample_key=s.key, size=s.size, group=s.group)) for s in samples]


def _batched(samples: Iterator[Sample], size: int) -> Iterator[list[Sample]]:
    while batch := list(islice(samples, size)):
        yield batch
