"""The losses of landmarks beside the reconstruction: one function per formula."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from gensight.methods.landmarks.parts import Landmarks
from gensight.transforms.thin_plate_spline import Warp

AdversarialLoss = Literal["least-squares", "cross-entropy"]
REACH = 0.2  # within which landmarks lie close together; the image's sides run from -1 to 1


@dataclass(frozen=True)
class Adversary:
    """Weight of the adversarial loss (0: no discriminator), its kind, and the discriminators that it comes from.

    With `published` they see pictures alone, without spectral normalisation, and scales are added up.
    """

    weight: float = 0.0
    num_scales: int = 2
    num_layers: int = 3
    width: int = 64
    loss: AdversarialLoss = "least-squares"
    published: bool = False


def equivariance_loss(warped: Landmarks, straight: Landmarks, warp: Warp) -> Tensor:
    """Mean squared distance of a warped image's landmarks, mapped back, from the image's (Lorenz et al., section 3)."""
    return (warp(warped.mean) - straight.mean).square().sum(-1).mean()


def separation_loss(landmarks: Landmarks, reach: float) -> Tensor:
    """How much landmarks of an image crowd: mean over their pairs of exp(-d^2 / (2 reach^2)), in [0, 1].

    Zhang et al., "Unsupervised Discovery of Object Landmarks as Structural Representations", CVPR 2018, equation 4,
    as a mean. Without it they may all follow one and the same point.

    Args:
        landmarks: Two or more of each image.
        reach: The image's sides run from -1 to 1.
    """
    first, second = torch.triu_indices(landmarks.mean.shape[1], landmarks.mean.shape[1], 1)
    squares = (landmarks.mean[:, first] - landmarks.mean[:, second]).square().sum(-1)
    return (-squares / (2 * reach**2)).exp().mean()


def verdict_loss(verdicts: Sequence[Tensor], real: bool, adversary: Adversary) -> Tensor:
    """Mean over scales (published: sum) of squared distances from 1 or 0 (Mao et al., ICCV 2017), or cross-entropy."""
    per_scale = []
    for verdict in verdicts:
        target = torch.full_like(verdict, float(real))
        if adversary.loss == "least-squares":
            per_scale.append(functional.mse_loss(verdict, target))
        else:
            per_scale.append(functional.binary_cross_entropy_with_logits(verdict, target))
    scales = torch.stack(per_scale)
    return scales.sum() if adversary.published else scales.mean()


def critic_loss(of_frames: Sequence[Tensor], of_drawn: Sequence[Tensor], adversary: Adversary) -> Tensor:
    """Low where the discriminator separates frames from generated images."""
    return (verdict_loss(of_frames, True, adversary) + verdict_loss(of_drawn, False, adversary)) / 2
