"""Scores of a method on the validation cases, and the confidence calibrated on them."""

import numpy as np
import torch

from gensight.assembly.experiment import Experiment
from gensight.encodings.calibration import UNCALIBRATED, Calibration
from gensight.encodings.heatmap import Heatmap, fit_calibration
from gensight.geometry import image_to_model
from gensight.loading.cases import Cases
from gensight.loading.stream import each_once
from gensight.methods.base import Method
from gensight.methods.loss import total_loss
from gensight.prediction.batch_predictor import BatchPredictor
from gensight.prediction.scoring.mask_threshold import best_threshold
from gensight.samples import Array
from gensight.transforms.keypoints import convert_keypoints


class Validator:
    """Scores a method on the validation cases.

    `error` is the mean distance in model pixels over located keypoints, where the encoding is about keypoints; else
    the mean loss.

    Args:
        experiment: The recipe.
        cases: Of its validation part.
        device: Where the method runs.
    """

    def __init__(self, experiment: Experiment, cases: Cases, device: str) -> None:
        self.experiment, self.cases, self.device = experiment, cases, device

    def __call__(self, method: Method) -> dict[str, float]:
        if not isinstance(self.experiment.encoding, Heatmap):
            return {"error": self._mean_loss(method)}
        errors, _ = self.errors_and_confidences(method)
        known = errors[np.isfinite(errors)]
        return {"error": float(known.mean()) if len(known) else float("nan")}

    @torch.inference_mode()
    def _mean_loss(self, method: Method) -> float:
        losses = [
            (len(batch), float(total_loss(method.losses(batch.to(self.device)))))
            for batch in each_once(self.cases, self.experiment.config.evaluation.batch_size)
        ]
        return sum(count * loss for count, loss in losses) / sum(count for count, _ in losses)

    def errors_and_confidences(self, method: Method) -> tuple[Array, Array]:
        """float (cases, keypoints): distances in model pixels (NaN where no place is known), and confidences."""
        experiment = self.experiment
        predictor = BatchPredictor(method, experiment.encoding, self.device)
        assert experiment.skeleton is not None  # callers ask about keypoint encodings only
        errors, confidences = [], []
        for prediction, item in predictor.each(self.cases, experiment.config.evaluation.batch_size):
            subject, answer = item.subject, prediction.instances[0].keypoints
            assert subject is not None and subject.keypoints is not None and answer is not None  # encoding's items
            truth = convert_keypoints(subject.keypoints, experiment.skeleton)
            view = experiment.policy.view(item)
            distances = image_to_model(answer.points, view) - image_to_model(truth.points, view)
            errors.append(np.where(truth.located, np.linalg.norm(distances, axis=-1), np.nan))
            confidences.append(answer.confidence)
        return np.stack(errors), np.stack(confidences)


def calibrate(experiment: Experiment, method: Method, validation: Cases | None, device: str) -> Calibration:
    """How outputs are best read, by the validation part; as the encodings do by default where there is none."""
    heatmap = next((part for part in experiment.encoding.members if isinstance(part, Heatmap)), None)
    if validation is None:
        return UNCALIBRATED
    if heatmap is not None:
        return Calibration(confidence=_confidence(heatmap, experiment, method, validation, device))
    return Calibration(threshold=best_threshold(experiment, method, device))


def _confidence(
    encoding: Heatmap, experiment: Experiment, method: Method, validation: Cases, device: str
) -> tuple[float, float]:
    """(slope, offset) such that confidence is the probability that a keypoint lies within its Gaussian's sigma x 2."""
    errors, confidences = Validator(experiment, validation, device).errors_and_confidences(method)
    slope, offset = encoding.calibration
    odds = np.clip(confidences, 1e-6, 1 - 1e-6)
    peaks = (np.log(odds / (1 - odds)) - offset) / slope
    height, width = experiment.policy.size
    grid = encoding.grid_size((height, width))
    reach = 2 * encoding.sigma_cells(grid) * encoding.stride
    correct = (np.isfinite(errors) & (np.nan_to_num(errors, nan=np.inf) <= reach)).ravel()
    # If nearly all answers are right, no wrong ones calibrate empty maps: add one empty map for each answer.
    empty = np.zeros(correct.size)
    return fit_calibration(np.concatenate([peaks.ravel(), empty]), np.concatenate([correct, empty.astype(bool)]))
