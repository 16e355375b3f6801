"""Keypoints scored on detected boxes, as COCO's test does: the true boxes are not available to the model."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from gensight.assembly.experiment import Experiment
from gensight.errors import ConfigError
from gensight.files.progress import progress
from gensight.metrics.base import Result
from gensight.metrics.coco.oks import CocoOks
from gensight.prediction.detection.boxes import detected_prediction, read_detections
from gensight.prediction.request import subject_items
from gensight.prediction.scoring.coco import CocoScoring
from gensight.prediction.sources import Boxes
from gensight.samples import Item, Prediction

Answers = Callable[[Sequence[Item]], list[Prediction]]


def read_test_detections(path: Path, experiment: Experiment) -> Boxes:
    """The boxes of a detections file for a recipe's test images.

    Raises:
        ConfigError: The test part is no COCO file with keypoints, or the run looks at whole images.
        DataError: The file cannot be read or is about other images.
    """
    ids = CocoScoring.of(experiment.splits.test)
    if ids is None or experiment.skeleton is None:
        raise ConfigError("detected boxes are scored on COCO keypoint data", where="--detections")
    if experiment.config.view.crop == "frame":
        raise ConfigError("this run looks at whole images, so it takes no boxes", where="--detections")
    return read_detections(path, ids.image_ids)


def score_detected(name: str, answers: Answers, experiment: Experiment, boxes: Boxes) -> Result:
    """`coco-oks` over all test images, each subject looked for in its detected box; scores are box x keypoints."""
    skeleton, test = experiment.skeleton, experiment.splits.test
    assert skeleton is not None and test is not None  # read_test_detections has seen to it
    metric = CocoOks(skeleton)
    for sample in progress(iter(test), len(test), f"evaluate {name}, detected boxes"):
        items = subject_items(sample, boxes)
        found = answers(items) if items else []
        scores = [score for _, score in boxes.get(sample.key, [])]
        metric.update(detected_prediction(sample, found, scores, skeleton.sigmas), Item((sample,)))
    (result,) = metric.compute()
    return replace(result, protocol=f"{result.protocol} (detected boxes)")
