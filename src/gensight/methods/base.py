"""The interface of methods: `Batch` -> losses, `Batch` -> outputs; independent of configs, Lightning and files."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from gensight.backbones.base import Backbone
from gensight.diffusion.sampling import Sampling
from gensight.loading.stream import Batches
from gensight.methods.loss import Loss
from gensight.samples import Batch


class Method(nn.Module, ABC):
    """A training objective with its networks, and its predictions.

    Attributes:
        optimizer_groups: Names of the parameter sets that have an optimiser each: one, or a generator and a
            discriminator.
        sampling: How predictions are sampled where `predict` is given nothing else, every field that applies set; None
            for a method that computes its predictions in one pass.
    """

    optimizer_groups: tuple[str, ...] = ("model",)
    sampling: Sampling | None = None

    def stages(self, seed: int = 0) -> Sequence["Stage"]:
        """Trainings of their own that come before the first step; they are finished before it. By default none."""
        return ()

    @abstractmethod
    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        """The loss terms of an optimizer group, at least one: the total is the sum of their means by their weights.

        A term keeps its sum and its count, so that several processes, each with a part of the batch, divide by the
        counts of all; whatever is averaged over a mask is a term of its own. `total_loss` adds the terms up.
        """

    @abstractmethod
    def predict(self, batch: Batch, sampling: Sampling | None = None) -> dict[str, Tensor]:
        """Output tensors with a batch axis, as the encoding's `decode` expects them. Runs without gradients.

        Args:
            batch: The items to predict.
            sampling: Changes to the method's own `sampling`, for this call; a method that samples nothing ignores it.
        """

    def parameter_groups(self, group: str = "model") -> list[dict[str, Any]]:
        """torch.optim's parameter groups of an optimizer group: `params`, and `lr_scale` for a rate of its own.

        By default all that is trained, at the full rate.
        """
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr_scale": 1.0}]

    def trained_state(self) -> dict[str, Tensor]:
        """The tensors that a run saves: parameters that are trained, and buffers of the trained modules.

        Frozen backbones are not in it: the run names them instead.
        """
        trained = {name for name, parameter in self.named_parameters() if parameter.requires_grad}
        modules = {name.rpartition(".")[0] for name in trained}
        return {
            name: tensor
            for name, tensor in self.state_dict().items()
            if name in trained or name.rpartition(".")[0] in modules
        }

    def load_trained_state(self, state: dict[str, Tensor]) -> None:
        """Loads what `trained_state` gave. Raises KeyError naming what is missing or unexpected."""
        expected = set(self.trained_state())
        missing, unexpected = sorted(expected - set(state)), sorted(set(state) - expected)
        if missing or unexpected:
            raise KeyError(f"missing tensors {missing[:5]}, unexpected tensors {unexpected[:5]}")
        self.load_state_dict(state, strict=False)


def heads_and_backbone(method: Method, backbone: Backbone, most_rate: float = 1.0) -> list[dict[str, Any]]:
    """Parameter groups of a method with an attribute `backbone`.

    The backbone's weights move at `backbone.rate_scale` of the heads' rate, or at `most_rate` of it if that is less.
    """
    own = [p for name, p in method.named_parameters() if not name.startswith("backbone.") and p.requires_grad]
    pretrained = [p for p in backbone.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [{"params": own, "lr_scale": 1.0}]
    if pretrained:
        groups.append({"params": pretrained, "lr_scale": min(most_rate, backbone.rate_scale)})
    return groups


@dataclass(frozen=True, eq=False)
class Stage:
    """A training before a method's own: of parts that both share, and of parts that are dropped afterwards.

    Attributes:
        name: Names its folder in the run.
        method: The method to train. The parts that it shares with the main method keep their trained weights.
        batches: The training data.
        steps: Optimiser steps.
        learning_rate: Peak rate; it falls linearly to a twentieth.
        warmup_steps: Steps over which it rises.
        weight_decay: AdamW's.
    """

    name: str
    method: Method
    batches: Batches
    steps: int
    learning_rate: float
    warmup_steps: int = 0
    weight_decay: float = 0.0
