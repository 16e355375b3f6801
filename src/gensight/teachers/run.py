"""A trained gensight run as a teacher: its keypoints with calibrated confidence, its depth, its edges."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError, RunError
from gensight.files.hashing import file_hash
from gensight.geometry import map_grid_to_image
from gensight.prediction.request import Request, request_kind
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Instance, Prediction, Sample, merge_predictions
from gensight.teachers.base import LabelName, Labels, Teacher


class RunTeacher(Teacher):
    """What a trained run predicts.

    A run that looks at one subject's box at a time predicts for each instance that has one, and completes it; where the
    image has no instances yet, and for runs that look at whole images, the image as a whole is the one subject.

    Args:
        source: The run's folder.
        device: `auto`, `cpu`, `cuda` ...
        threshold: Keypoints of a lower confidence stay unlabelled; an instance without any other is left out.
    """

    labels: ClassVar[tuple[LabelName, ...]] = ("instances", "depth", "edges")
    uses: ClassVar[tuple[LabelName, ...]] = ("instances",)

    def __init__(self, source: str, device: str = "auto", threshold: float = 0.0) -> None:
        if not 0 <= threshold <= 1:
            raise ConfigError(f"threshold is {threshold:g}", where="run", hint="choose 0 to 1")
        self.folder = Path(source)
        self.device_name, self.threshold = device, threshold
        self.name = f"run:{self.folder.resolve().name}"
        self.model_location = str(self.folder.resolve())
        self._run: TrainedRun | None = None

    @cached_property
    def version(self) -> str:  # type: ignore[override]  # known at first use: it needs the files
        """The first 12 digits of the weights' hash."""
        weights = RunFolder(self.folder).weights
        if not weights.is_file():
            raise RunError("this folder holds no trained run", where=self.folder,
                           hint=f"train one first; its weights would be {weights}")  # fmt: skip
        return file_hash(weights)[:12]

    def settings(self) -> Mapping[str, Any]:
        return {"threshold": self.threshold}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_run": None}

    def prepare(self) -> None:
        if self._run is None:
            run = TrainedRun.load(self.folder, self.device_name)
            if request_kind(run) not in ("image", "boxes"):
                raise ConfigError("this run needs more than an image, so it cannot label images", where=self.folder,
                                  hint="choose a run with keypoints, depth or edges")  # fmt: skip
            self._run = run

    @property
    def run(self) -> TrainedRun:
        """The run, opened at first use."""
        self.prepare()
        assert self._run is not None
        return self._run

    def label(self, samples: Sequence[Sample]) -> list[Labels]:
        return [self._label(sample) for sample in samples]

    def _label(self, sample: Sample) -> Labels:
        known = self._subjects(sample)
        boxes = None if known is None else {sample.key: [(box, 1.0) for one in known if (box := one.box) is not None]}
        items = Request(boxes=boxes).items(replace(sample, depth=None, edges=None), self.run.encoding)
        predictions = self.run.predict_items(items)
        found = [self._instance(instance, None if known is None else known[number])
                 for number, prediction in enumerate(predictions) for instance in prediction.instances]  # fmt: skip
        kept = tuple(instance for instance in found if instance is not None)
        merged = merge_predictions(predictions)[0] if predictions else None
        return Labels(
            instances=kept if self.run.skeleton is not None else None,
            depth=None if merged is None else merged.depth,
            edges=None if merged is None else _edges(merged),
        )

    def _subjects(self, sample: Sample) -> list[Instance] | None:
        """The instances with boxes, of a run that looks at boxes; None: the image as a whole is one subject."""
        if request_kind(self.run) == "image" or sample.instances is None:
            return None
        return [instance for instance in sample.instances if instance.box is not None]

    def _instance(self, found: Instance, known: Instance | None) -> Instance | None:
        """A predicted instance as a label; a known subject stays what it was."""
        keypoints = found.keypoints
        if keypoints is None:
            return None
        sure = keypoints.located & (keypoints.confidence >= self.threshold)
        if not sure.any():
            return None
        keypoints = replace(
            keypoints,
            points=np.where(sure[:, None], keypoints.points, np.nan),
            visibility=np.where(sure, keypoints.visibility, 0).astype(np.int8),
        )
        confidence = float(keypoints.confidence[sure].mean())
        subject = Instance(category=found.category) if known is None else known
        return replace(subject, keypoints=keypoints, provenance=self.provenance(confidence), confidence=confidence)


def _edges(prediction: Prediction) -> np.ndarray | None:
    if "edges" not in prediction.maps:
        return None
    found = prediction.maps["edges"]
    return np.clip(map_grid_to_image(found.values[0], found.view), 0, 1).astype(np.float32)
