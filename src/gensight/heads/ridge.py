"""Ridge regression in closed form, from sums alone: rows may come in any number of portions, and be left out again.

Hoerl and Kennard, "Ridge Regression", Technometrics 1970. Inputs are scaled to unit variance before they are penalised,
so that a penalty means the same for every layer of a network. Each cell of a map has a constant of its own, which is
not penalised: the constants are the prediction from the place alone, and the weights add the effect of the inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

# Relative to the inputs' variance; from no penalty to speak of to the mean.
PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
_SMALLEST_SHARE = 1e-10  # of an input's mean square that its variance must exceed to count as informative


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted sums over rows of inputs x and targets y, float64; they can be added, and subtracted.

    Attributes:
        count: Sum of the weights, (cells,).
        inputs: Sum of x, (cells, inputs).
        targets: Sum of y, (cells, targets).
        products: Sum of x x' over all cells, (inputs, inputs).
        cross: Sum of x y' over all cells, (inputs, targets).
        squares: Sum of y^2 over all cells, (targets,).
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
        inputs: Float[Tensor, "rows cells inputs"],
        targets: Float[Tensor, "rows cells targets"],
        weights: Float[Tensor, "rows cells"],
    ) -> "Moments":
        x, y, w = inputs.double(), targets.double(), weights.double()[..., None]
        weighted, flat, flat_targets = (x * w), x.flatten(0, 1), y.flatten(0, 1)
        transposed = weighted.flatten(0, 1).T
        return cls(
            count=w.sum((0, 2)),
            inputs=weighted.sum(0),
            targets=(y * w).sum(0),
            products=transposed @ flat,
            cross=transposed @ flat_targets,
            squares=(y.square() * w).sum((0, 1)),
        )

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(*(a + b for a, b in zip(self._sums(), other._sums(), strict=True)))

    def __sub__(self, other: "Moments") -> "Moments":
        return Moments(*(a - b for a, b in zip(self._sums(), other._sums(), strict=True)))

    def _sums(self) -> tuple[Tensor, ...]:
        return self.count, self.inputs, self.targets, self.products, self.cross, self.squares


@dataclass(frozen=True, eq=False)
class Linear:
    """y = x weight + constant of the cell: weight (inputs, targets), constant (cells, targets); float64."""

    weight: Tensor
    constant: Tensor

    def squared_error(self, rows: Moments) -> float:
        """The sum of squared errors over rows, cells and targets, from the rows' sums alone."""
        w, c = self.weight, self.constant
        error = rows.squares.sum() - 2 * (w * rows.cross).sum() + (w * (rows.products @ w)).sum()
        error = error + 2 * (c * (rows.inputs @ w - rows.targets)).sum() + (rows.count @ c.square()).sum()
        return float(error)


def ridge_path(rows: Moments, penalties: Sequence[float] = PENALTIES) -> list[Linear]:
    """The regression under each penalty: argmin of mean (y - x w - c)^2 + penalty * |w|^2, x of unit variance.

    Variance is that within cells, over images. One eigendecomposition serves all penalties. A cell without rows gets
    the constant of all rows; without any, all is 0.
    """
    total = rows.count.sum().clamp(min=1e-9)
    seen, count = rows.count[:, None] > 0, rows.count[:, None].clamp(min=1e-9)
    mean = torch.where(seen, rows.inputs / count, rows.inputs.sum(0) / total)
    centre = torch.where(seen, rows.targets / count, rows.targets.sum(0) / total)
    covariance = (rows.products - rows.inputs.T @ mean) / total
    cross = (rows.cross - rows.inputs.T @ centre) / total
    variance = covariance.diagonal()
    # Differences of large sums: for a constant input only rounding is left.
    informative = variance > _SMALLEST_SHARE * rows.products.diagonal() / total
    scale = torch.where(informative, variance.clamp(min=1e-300).rsqrt(), torch.zeros_like(variance))
    values, vectors = torch.linalg.eigh(covariance * torch.outer(scale, scale))
    values = values.clamp(min=0)
    projected = vectors.T @ (cross * scale[:, None])
    path = []
    for penalty in penalties:
        weight = scale[:, None] * (vectors @ (projected / (values + penalty)[:, None]))
        path.append(Linear(weight, centre - mean @ weight))
    return path


def cross_validated(folds: Sequence[Moments], penalties: Sequence[float] = PENALTIES) -> list[tuple[Linear, float]]:
    """For each fold the regression learned from the others, and its penalty, chosen without the fold.

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
