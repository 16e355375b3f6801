"""A trained gensight run as a teacher: its keypoints with calibrated confidence, its depth, its edges."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError, RunError
from gensight.files.hashing import file_hash
from gensight.geometry import map_grid_to_image
from gensight.prediction.request import Request, request_kind
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Instance, Prediction, Sample, merge_predictions
from gensight.teachers.base import Labels, ModelTeacher, Share, sure_keypoints


@dataclass(eq=False)
class RunTeacher(ModelTeacher):
    """What a trained run predicts.

    A run that looks at one subject's box at a time predicts for each instance that has one, and completes it; where the
    image has no instances yet, and for runs that look at whole images, the image as a whole is the one subject.

    Args:
        weights: The run's folder.
        threshold: Keypoints of a lower confidence stay unlabelled; an instance without any other is left out.
    """

    kind = "run"
    labels = ("instances", "depth", "edges")
    uses = ("instances",)
    threshold: Share = 0.0

    @cached_property
    def version(self) -> str:  # type: ignore[override]  # known at first use: it needs the files
        """The first 12 digits of the weights' hash."""
        weights = RunFolder(Path(self.weights)).weights
        if not weights.is_file():
            raise RunError("this folder holds no trained run", where=self.weights,
                           hint=f"train one first; its weights would be {weights}")  # fmt: skip
        return file_hash(weights)[:12]

    def load(self) -> TrainedRun:
        run = TrainedRun.load(Path(self.weights), self.device)
        if request_kind(run) not in ("image", "boxes"):
            raise ConfigError("this run needs more than an image, so it cannot label images", where=self.weights,
                              hint="choose a run with keypoints, depth or edges")  # fmt: skip
        return run

    def label_image(self, sample: Sample) -> Labels:
        known = self._subjects(sample)
        boxes = None if known is None else {sample.key: [(box, 1.0) for one in known if (box := one.box) is not None]}
        items = Request(boxes=boxes).items(replace(sample, depth=None, edges=None), self.model.encoding)
        predictions = self.model.predict_items(items)
        found = [self._instance(instance, None if known is None else known[number])
                 for number, prediction in enumerate(predictions) for instance in prediction.instances]  # fmt: skip
        kept = tuple(instance for instance in found if instance is not None)
        merged = merge_predictions(predictions)[0] if predictions else None
        return Labels(
            instances=kept if self.model.skeleton is not None else None,
            depth=None if merged is None else merged.depth,
            edges=None if merged is None else _edges(merged),
        )

    def _subjects(self, sample: Sample) -> list[Instance] | None:
        """The instances with boxes, of a run that looks at boxes; None: the image as a whole is one subject."""
        if request_kind(self.model) == "image" or sample.instances is None:
            return None
        return [instance for instance in sample.instances if instance.box is not None]

    def _instance(self, found: Instance, known: Instance | None) -> Instance | None:
        """A predicted instance as a label; a known subject stays what it was."""
        if found.keypoints is None:
            return None
        keypoints = sure_keypoints(found.keypoints, self.threshold)
        if not keypoints.located.any():
            return None
        confidence = float(keypoints.confidence[keypoints.located].mean())
        subject = Instance(category=found.category) if known is None else known
        return replace(subject, keypoints=keypoints, provenance=self.provenance(confidence), confidence=confidence)


def _edges(prediction: Prediction) -> np.ndarray | None:
    if "edges" not in prediction.maps:
        return None
    found = prediction.maps["edges"]
    return np.clip(map_grid_to_image(found.values[0], found.view), 0, 1).astype(np.float32)
