"""Backbone + one linear layer on its pooled features, as a Method."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gensight.backbones.base import Backbone
from gensight.diffusion.sampling import Sampling
from gensight.encodings.class_label import OUTPUT
from gensight.methods.base import Method, heads_and_backbone
from gensight.methods.loss import Loss
from gensight.samples import Batch


class Classifier(Method):
    """Class probabilities of whole images: softmax(linear(backbone.pooled(images))).

    The linear layer begins at zero (Dosovitskiy et al., "ViT", ICLR 2021, section 3.2), so that all classes are alike.

    Args:
        backbone: Frozen, with adapters, or trainable.
        num_labels: How many classes.
    """

    def __init__(self, backbone: Backbone, num_labels: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(backbone.pooled_channels, num_labels)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        """Cross-entropy, averaged over the items whose class is known."""
        each = cross_entropy(self._logits(batch), batch.targets[OUTPUT])
        known = batch.targets[f"{OUTPUT}_weight"].amax(-1)
        return {OUTPUT: Loss.over(each, known)}

    @torch.no_grad()
    def predict(self, batch: Batch, sampling: Sampling | None = None) -> dict[str, Tensor]:
        """`class` (B, num_labels): probabilities."""
        return {OUTPUT: self._logits(batch).softmax(-1)}

    def parameter_groups(self, group: str = "model") -> list[dict[str, Any]]:
        return heads_and_backbone(self, self.backbone)

    def _logits(self, batch: Batch) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.backbone.trainable):
            pooled = self.backbone.pooled(batch.image)
        logits: Tensor = self.head(pooled)
        return logits.float()


def cross_entropy(
    logits: Float[Tensor, "batch labels"], target: Float[Tensor, "batch labels"]
) -> Float[Tensor, " batch"]:
    """-sum_k target_k log softmax(logits)_k; 0 where the target is empty."""
    return -(target * logits.log_softmax(-1)).sum(-1)
