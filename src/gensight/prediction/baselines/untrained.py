"""Baselines that ignore the image or are learning-free; every score is reported beside them."""

import warnings
from collections.abc import Callable

import numpy as np

from gensight.assembly.experiment import Experiment
from gensight.encodings.base import Encoding
from gensight.encodings.class_label import ClassLabel
from gensight.encodings.painted.instructed import Instructed
from gensight.encodings.pairs.appearance import Appearance
from gensight.encodings.pairs.triplets import Region
from gensight.geometry import image_to_model, inside, model_to_image
from gensight.loading.cases import Cases
from gensight.prediction.baselines.appearance import ColourHistogram
from gensight.prediction.baselines.gaze import GazeBaseline
from gensight.prediction.baselines.instruct import MostFrequentAnswer
from gensight.prediction.baselines.labels import MostFrequentLabel
from gensight.prediction.baselines.matching import NoMotion, OpticalFlow, RawPixelMatching, SiftMatching
from gensight.prediction.baselines.mean_map import MeanMap
from gensight.samples import Array, Instance, Item, Keypoints, Prediction, Visibility
from gensight.skeletons import Skeleton
from gensight.transforms.keypoints import convert_keypoints

Answer = Callable[[Item], Prediction]


def untrained_baseline(name: str, experiment: Experiment) -> Answer | None:
    """A learning-free baseline, or a mean; None for those that are trained as runs."""
    match name:
        case "mean-position":
            assert experiment.skeleton is not None  # the schema lets only keypoint encodings ask for it
            return MeanPosition(experiment.plain_training_cases(), experiment.skeleton)
        case "centre-gaze" | "mean-gaze" | "eye-point" | "head-direction" | "head-pixels":
            return GazeBaseline(name, experiment.plain_training_cases())
        case "most-frequent" if isinstance(experiment.encoding, ClassLabel):
            return MostFrequentLabel(experiment.plain_training_cases(), experiment.encoding)
        case "most-frequent":
            assert isinstance(experiment.encoding, Instructed)  # the schema lets only these two encodings ask for it
            return MostFrequentAnswer(experiment.plain_training_cases(), experiment.encoding)
        case "mean-map":
            return MeanMap(experiment.plain_training_cases(), experiment.encoding)
        case "no-motion":
            return NoMotion()
        case "raw-pixels":
            return RawPixelMatching(experiment.policy)
        case "sift":
            return SiftMatching(experiment.policy)
        case "optical-flow":
            return OpticalFlow(experiment.policy)
        case "colour-histogram":
            return ColourHistogram(_region(experiment.encoding))
        case _:
            return None


def _region(encoding: Encoding) -> Region:
    return next(part.region for part in encoding.members if isinstance(part, Appearance))


class MeanPosition:
    """Every keypoint at its mean place in the training views: the frame's centre of gravity, or the box's.

    Points outside their view don't count, as in the training: a wrong box would move the mean by thousands of pixels.

    Args:
        cases: Training cases.
        skeleton: The keypoints to predict.
    """

    def __init__(self, cases: Cases, skeleton: Skeleton) -> None:
        self.policy, self.skeleton = cases.policy, skeleton
        places = [self._model_points(cases.item(index)) for index in range(len(cases))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a keypoint that is never labelled has no mean
            self.mean: Array = np.nanmean(np.stack(places), axis=0)

    def _model_points(self, item: Item) -> Array:
        subject = item.subject
        assert subject is not None and subject.keypoints is not None  # the encoding makes items of such only
        keypoints, view = convert_keypoints(subject.keypoints, self.skeleton), self.policy.view(item)
        points = image_to_model(keypoints.points, view)
        counted = keypoints.located & inside(points, view.model_size)
        return np.where(counted[:, None], points, np.nan)

    def __call__(self, item: Item) -> Prediction:
        points = model_to_image(self.mean, self.policy.view(item))
        known = np.isfinite(points).all(-1)
        keypoints = Keypoints(
            skeleton=self.skeleton,
            points=points,
            visibility=np.where(known, Visibility.VISIBLE, Visibility.ABSENT).astype(np.int8),
            confidence=np.asarray(known, dtype=np.float32),
        )
        subject = item.subject
        instance = Instance(
            category="object" if subject is None else subject.category,
            box=None if subject is None else subject.box,
            keypoints=keypoints,
        )
        return Prediction.of(item, instances=(instance,))
