"""Landmarks as Gaussians: read off maps, drawn again, and what is pooled over and painted onto them.

Coordinates are (x, y); the sides of an image run from -1 to 1, and a cell is its centre. Formulas: Lorenz et al., CVPR
2019, sections 3.2 and 3.3; Dundar et al., arXiv 2001.09518, section 3. Shapes: B images, K landmarks, C channels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gensight.transforms.thin_plate_spline import centres


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Where the parts of images lie.

    Attributes:
        mean: (B, K, 2).
        covariance: (B, K, 2, 2).
        concentration: (B, K) in [0, 1]: 1 - entropy / log(number of cells) of each map.
        floored: (B, K) bool: covariances that had to be widened.
    """

    mean: Tensor
    covariance: Tensor
    concentration: Tensor
    floored: Tensor

    def __getitem__(self, index: slice) -> "Landmarks":
        return Landmarks(self.mean[index], self.covariance[index], self.concentration[index], self.floored[index])


def spatial_softmax(maps: Tensor) -> Tensor:
    """(B, K, height, width): each map as a probability over its cells."""
    return maps.flatten(2).softmax(-1).view_as(maps)


def read_landmarks(probabilities: Tensor, variance: float | None, floor: float) -> Landmarks:
    """Means and covariances of maps (B, K, height, width) that sum to 1.

    Args:
        probabilities: From `spatial_softmax`.
        variance: Of fixed, isotropic landmarks; None: the maps' own covariance.
        floor: Least variance along any direction.
    """
    height, width = probabilities.shape[-2:]
    flat = probabilities.flatten(2).contiguous()
    places = centres(height, width, flat)
    x, y = places.unbind(1)
    moments = flat @ torch.stack([x, y, x * x, x * y, y * y], dim=1)  # one product for all five
    mean = moments[..., :2]
    entropy = -(flat * flat.clamp(min=1e-12).log()).sum(-1)
    concentration = 1 - entropy / torch.log(torch.tensor(float(height * width)))
    if variance is not None:
        covariance = torch.eye(2, device=flat.device, dtype=flat.dtype) * variance
        everywhere = covariance.expand(*mean.shape[:2], 2, 2)
        return Landmarks(mean, everywhere, concentration, torch.zeros_like(mean[..., 0], dtype=torch.bool))
    xx = moments[..., 2] - mean[..., 0] ** 2
    xy = moments[..., 3] - mean[..., 0] * mean[..., 1]
    yy = moments[..., 4] - mean[..., 1] ** 2
    covariance = torch.stack([xx, xy, xy, yy], dim=-1).unflatten(-1, (2, 2))
    return Landmarks(mean, *_floored(covariance, floor, concentration))


def _floored(covariance: Tensor, floor: float, concentration: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Widened evenly where the smallest eigenvalue lies below the floor: never singular, and differentiable."""
    half_trace = (covariance[..., 0, 0] + covariance[..., 1, 1]) / 2
    half_gap = (covariance[..., 0, 0] - covariance[..., 1, 1]) / 2
    spread = (half_gap.square() + covariance[..., 0, 1].square() + 1e-20).sqrt()
    lack = (floor - (half_trace - spread)).clamp(min=0)
    identity = torch.eye(2, device=covariance.device, dtype=covariance.dtype)
    return covariance + lack[..., None, None] * identity, concentration, lack > 0


def render(landmarks: Landmarks, height: int, width: int) -> Tensor:
    """(B, K, height, width) heavy-tailed maps in (0, 1]: 1 / (1 + squared Mahalanobis distance)."""
    mean, covariance = landmarks.mean, landmarks.covariance
    places = centres(height, width, mean)
    dx = places[:width, 0] - mean[..., :1]
    dy = places[::width, 1] - mean[..., 1:]
    determinant = covariance[..., 0, 0] * covariance[..., 1, 1] - covariance[..., 0, 1] ** 2
    a = (covariance[..., 1, 1] / determinant)[..., None]
    b = (-covariance[..., 0, 1] / determinant)[..., None]
    c = (covariance[..., 0, 0] / determinant)[..., None]
    along_y = (1 + c * dy * dy)[..., :, None] + (2 * b * dy)[..., :, None] * dx[..., None, :]
    return 1 / (along_y + (a * dx * dx)[..., None, :])


def pool(maps: Tensor, features: Tensor) -> Tensor:
    """(B, K, C): each part's mean of features (B, C, height, width), weighted by its map (B, K, height, width)."""
    total = maps.flatten(2).sum(-1, keepdim=True)
    return torch.einsum("bkn,bcn->bkc", maps.flatten(2), features.flatten(2)) / total


def paint(vectors: Tensor, maps: Tensor) -> Tensor:
    """(B, C, height, width): parts' vectors (B, K, C) on their maps, divided by 1 + the sum of the maps."""
    weights = maps / (1 + maps.sum(1, keepdim=True))
    return torch.einsum("bkc,bkn->bcn", vectors, weights.flatten(2)).unflatten(-1, tuple(maps.shape[-2:]))
