"""What a method minimises, term by term, so that one and several processes add the same loss up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Loss:
    """One term: the mean of errors over what is labelled, as its sum and its count.

    Attributes:
        sum: Differentiable: the errors, added up.
        count: How many errors those are (their weights' sum); at least 1 is divided by, so nothing labelled gives 0.
        weight: Factor of the mean in the total; 0 logs the term without minimising it.
    """

    sum: Float[Tensor, ""]
    count: Float[Tensor, ""]
    weight: float = 1.0

    @classmethod
    def over(
        cls, errors: Float[Tensor, " batch"], weights: Float[Tensor, " batch"] | None = None, weight: float = 1.0
    ) -> "Loss":
        """The term of these errors (batch,), each of which counts `weights` (batch,); None: 1."""
        if weights is None:
            return cls(errors.sum(), errors.new_tensor(float(len(errors))), weight)
        return cls((errors * weights).sum(), weights.sum(), weight)

    @classmethod
    def of_mean(cls, mean: Float[Tensor, ""], count: int, weight: float = 1.0) -> "Loss":
        """The term whose mean over `count` items is known; every item must count alike."""
        return cls(mean * count, mean.new_tensor(float(count)), weight)

    @property
    def mean(self) -> Tensor:
        """The sum over the count; 0 where nothing is labelled."""
        return self.sum / self.count.clamp(min=1)


class Reduced(NamedTuple):
    """The losses of one process as part of those of all processes.

    Attributes:
        share: This process's part of the total, differentiable; the total is the sum of all processes' shares.
        values: Each term's mean over all processes' items, without gradient, and the total as `loss`.
    """

    share: Tensor
    values: dict[str, Tensor]


def total_loss(losses: Mapping[str, Loss]) -> Tensor:
    """What is minimised: the weighted sum of the terms' means. Raises ValueError without a term."""
    return _weighted_sum(losses, [loss.mean for loss in losses.values()])


def reduce_losses(losses: Mapping[str, Loss], add_up: Callable[[Tensor], Tensor] | None = None) -> Reduced:
    """The losses of one process, divided by the counts of all processes.

    Args:
        losses: Of this process; all processes have the same terms in the same order.
        add_up: A tensor -> the sum of it over all processes; None where there is one process.
    """
    if add_up is None:
        total = total_loss(losses)
        values = {name: loss.mean.detach() for name, loss in losses.items()}
        return Reduced(total, {"loss": total.detach(), **values})
    sums = torch.stack([loss.sum.detach().float() for loss in losses.values()])
    counts = torch.stack([loss.count.detach().to(sums) for loss in losses.values()])
    all_sums, all_counts = add_up(torch.stack([sums, counts]))
    all_counts = all_counts.clamp(min=1)
    share = _weighted_sum(losses, [loss.sum / count for loss, count in zip(losses.values(), all_counts, strict=True)])
    means = (all_sums / all_counts).unbind()
    return Reduced(share, {"loss": _weighted_sum(losses, means), **dict(zip(losses, means, strict=True))})


def _weighted_sum(losses: Mapping[str, Loss], means: Sequence[Tensor]) -> Tensor:
    # Added up one by one: the total of one term of weight 1 is its mean, to the bit. Terms of weight 0 stay in it, so
    # that what they are computed from has a gradient (of 0) in every process.
    if not losses:
        raise ValueError("a method gives at least one loss")
    weighted = [loss.weight * mean for loss, mean in zip(losses.values(), means, strict=True)]
    return reduce(torch.add, weighted)
