"""Keypoints by linear regression from frozen landmarks, as a Method: nothing of it is trained by gradients."""

from typing import Any

import torch
from torch import Tensor, nn

from gensight.diffusion.sampling import Sampling
from gensight.methods.base import Method
from gensight.methods.landmarks.method import Landmarks
from gensight.methods.landmarks.regression import Regressor, fit
from gensight.methods.loss import Loss
from gensight.samples import Array, Batch


class LandmarkKeypoints(Method):
    """points = landmarks @ weights + offset, all as shares of the view.

    Args:
        landmarks: Frozen.
        num_values: 2J: twice the number of keypoints.
    """

    def __init__(self, landmarks: Landmarks, num_values: int) -> None:
        super().__init__()
        self.landmarks = landmarks.requires_grad_(False)
        self.weights = nn.Buffer(torch.zeros(2 * landmarks.num_landmarks, num_values))
        self.offset = nn.Buffer(torch.zeros(num_values))

    def fit(self, landmarks: Array, points: Array, known: Array, regressor: Regressor) -> None:
        """Fits the regression; see `regression.fit`."""
        weights, offset = fit(landmarks, points, known, regressor)
        self.weights.copy_(torch.from_numpy(weights))
        self.offset.copy_(torch.from_numpy(offset))

    @torch.no_grad()
    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        """The mean absolute error of known points; only to be looked at."""
        weight = batch.targets["points_weight"]
        error = (self.predict(batch)["points"] - batch.targets["points"]).abs() * weight
        return {"points": Loss(error.sum(), weight.sum())}

    @torch.no_grad()
    def predict(self, batch: Batch, sampling: Sampling | None = None) -> dict[str, Tensor]:
        """`points` (B, 2J)."""
        means = self.landmarks.predict(batch)["landmarks"][:, : len(self.weights)]
        return {"points": means @ self.weights + self.offset}

    def parameter_groups(self, group: str = "model") -> list[dict[str, Any]]:
        return []

    def trained_state(self) -> dict[str, Tensor]:
        """The regression, and the landmarks that it reads, so that a run needs no other run."""
        own = {name: tensor for name, tensor in self.state_dict().items() if not name.startswith("landmarks.")}
        return own | {f"landmarks.{name}": tensor for name, tensor in self.landmarks.trained_state().items()}
