"""Ridge regression in closed form, from sums alone: rows may come in any number of portions, and be left out again.

Hoerl and Kennard, "Ridge Regression", Technometrics 1970. Inputs are scaled to unit variance before they are penalised,
so that a penalty means the same for every layer of a network; the constant is not penalised.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

# Relative to the inputs' variance; from no penalty to speak of to the mean.
PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
_SMALLEST_VARIANCE = 1e-12  # of an input that says something


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted sums over rows of inputs x and targets y, float64; they can be added, and subtracted.

    Attributes:
        count: Sum of the weights, ().
        inputs: Sum of x, (inputs,).
        targets: Sum of y, (targets,).
        products: Sum of x x', (inputs, inputs).
        cross: Sum of x y', (inputs, targets).
        squares: Sum of y^2, (targets,).
    """

    count: Tensor
    inputs: Tensor
    targets: Tensor
    products: Tensor
    cross: Tensor
    squares: Tensor

    @classmethod
    def of(
        cls,
        inputs: Float[Tensor, "rows inputs"],
        targets: Float[Tensor, "rows targets"],
        weights: Float[Tensor, " rows"],
    ) -> "Moments":
        x, y, w = inputs.double(), targets.double(), weights.double()
        weighted = x * w[:, None]
        return cls(w.sum(), weighted.sum(0), w @ y, weighted.T @ x, weighted.T @ y, w @ y.square())

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(*(a + b for a, b in zip(self._sums(), other._sums(), strict=True)))

    def __sub__(self, other: "Moments") -> "Moments":
        return Moments(*(a - b for a, b in zip(self._sums(), other._sums(), strict=True)))

    def _sums(self) -> tuple[Tensor, ...]:
        return self.count, self.inputs, self.targets, self.products, self.cross, self.squares


@dataclass(frozen=True, eq=False)
class Linear:
    """y = x weight + constant: weight (inputs, targets), constant (targets,); float64."""

    weight: Tensor
    constant: Tensor

    def squared_error(self, rows: Moments) -> float:
        """The sum of squared errors over rows and targets, from the rows' sums alone."""
        w, c = self.weight, self.constant
        error = rows.squares.sum() - 2 * (w * rows.cross).sum() + (w * (rows.products @ w)).sum()
        error = error + 2 * (c * (rows.inputs @ w)).sum() - 2 * (c * rows.targets).sum() + rows.count * c.square().sum()
        return float(error)


def ridge_path(rows: Moments, penalties: Sequence[float] = PENALTIES) -> list[Linear]:
    """The regression under each penalty: argmin of mean (y - x w - c)^2 + penalty * |w|^2, x of unit variance.

    One eigendecomposition serves all of them. Without rows every answer is the constant 0.
    """
    count = rows.count.clamp(min=1e-9)
    mean, centre = rows.inputs / count, rows.targets / count
    covariance = rows.products / count - torch.outer(mean, mean)
    cross = rows.cross / count - torch.outer(mean, centre)
    variance = covariance.diagonal()
    informative = variance > _SMALLEST_VARIANCE
    scale = torch.where(informative, variance.clamp(min=_SMALLEST_VARIANCE).rsqrt(), torch.zeros_like(variance))
    values, vectors = torch.linalg.eigh(covariance * torch.outer(scale, scale))
    values = values.clamp(min=0)
    projected = vectors.T @ (cross * scale[:, None])
    path = []
    for penalty in penalties:
        weight = scale[:, None] * (vectors @ (projected / (values + penalty)[:, None]))
        path.append(Linear(weight, centre - mean @ weight))
    return path


def cross_validated(folds: Sequence[Moments], penalties: Sequence[float] = PENALTIES) -> list[tuple[Linear, float]]:
    """For each fold the regression learned from the others, and its penalty, which the fold has no say in.

    The penalty of fold f is the one whose regressions, learned without f and another fold, err least on that other one.

    Args:
        folds: Sums over the rows of each, at least three.
        penalties: To choose from.
    """
    if len(folds) < 3:
        raise ValueError("a penalty is chosen by folds within folds: at least three are needed")
    total = reduce(Moments.__add__, folds)
    errors = torch.zeros(len(folds), len(penalties))
    for first in range(len(folds)):
        for second in range(first):
            path = ridge_path(total - folds[first] - folds[second], penalties)
            for number, linear in enumerate(path):
                errors[first, number] += linear.squared_error(folds[second])
                errors[second, number] += linear.squared_error(folds[first])
    answers = []
    for fold, row in zip(folds, errors, strict=True):
        penalty = penalties[int(row.argmin())]
        answers.append((ridge_path(total - fold, [penalty])[0], penalty))
    return answers
