"""The one-step model, fine-tuned end to end: one U-Net call predicts the answer; the loss is in pixel space."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.diffusion.noise import item_uniform
from gensight.diffusion.sampling import Sampling
from gensight.diffusion.targets import clean_estimate
from gensight.encodings.painted.base import class_colours
from gensight.errors import ConfigError
from gensight.methods.instruct.editor import Editor
from gensight.methods.instruct.losses import class_loss, task_loss
from gensight.methods.instruct.method import Instruct, query_task
from gensight.methods.loss import Loss
from gensight.samples import Batch, Item

_DECODED = 4  # which of an item's random numbers
_CLASS_PIXELS = 0.1  # weight of the squared error beside the cross-entropy of a class among several


class OneStep(Instruct):
    """Predicts the answer at the last timestep from a latent of zeros, decodes it, and compares it with the target in
    pixel space; there is no dropout, no noise and no guidance (Garcia et al., WACV 2025, section 4).

    Options are those of `config.instruct.InstructConfig`.

    Args:
        backbone: Full or with adapters; widened in place.
        decoded_share: The decoder costs more than the U-Net where that is small; latents are compared for all items.
        class_weight: Above 0 the cross-entropy stands for the latents of answers that are one class among several,
            which are all decoded then, and their squared error counts a tenth.
        shared: See `Instruct`.

    Raises:
        ConfigError: A share of items that is none, or see `Instruct` and `Editor`.
    """

    way = "one-step"

    def __init__(
        self,
        backbone: DiffusionBackbone,
        *,
        train_text: bool = False,
        train_decoder: bool = False,
        latent_weight: float = 0.1,
        overlap_weight: float = 0.1,
        decoded_share: float = 1.0,
        class_weight: float = 0.0,
        **shared: Any,
    ) -> None:
        if not 0 < decoded_share <= 1:
            raise ConfigError(f"decoded_share={decoded_share:g} is not in (0, 1]", where="method.decoded_share")
        super().__init__(Editor(backbone, train_text, train_decoder, one_step=True), **shared)
        self.latent_weight, self.overlap_weight = latent_weight, overlap_weight
        self.decoded_share, self.class_weight = decoded_share, class_weight

    # --- Learning ---

    def _losses(
        self, batch: Batch, image_latents: Tensor, texts: list[str], answer: Tensor, weight: Tensor
    ) -> dict[str, Loss]:
        x0 = self._predicted(image_latents, texts)
        losses = {"pixels": Loss(self._pixels(batch, x0, answer, weight), x0.new_tensor(float(len(x0))))}
        if self.latent_weight:
            compared = weight * (~self._classes(batch)).to(weight).view(-1, 1, 1, 1)
            total, count = self._masked((x0 - self._answer_latents(answer)) ** 2, compared)
            losses["latents"] = Loss(total, count, self.latent_weight)
        return losses

    def _pixels(self, batch: Batch, x0: Tensor, answer: Tensor, weight: Tensor) -> Tensor:
        """The items' losses, added up; in training, estimated from those that are decoded."""
        share = self.decoded_share if self.training else 1.0
        classes = self._classes(batch)
        drawn = (item_uniform(batch.keys, _DECODED) < share).to(x0.device) | classes
        rows = drawn.nonzero().flatten() if drawn.any() else torch.zeros(1, dtype=torch.long, device=x0.device)
        picture, by_class = self.editor.backbone.decode_latent(x0[rows]), classes[rows]
        items = [batch.items[row] for row in rows.tolist()]
        tasks = [query_task(item) for item in items]
        losses = task_loss(tasks, picture, answer[rows], weight[rows], self.overlap_weight)
        if by_class.any():
            losses = losses * torch.where(by_class, _CLASS_PIXELS, 1.0)
            of_classes = [item for item, one in zip(items, by_class.tolist(), strict=True) if one]
            found = self._class_losses(of_classes, picture[by_class], weight[rows][by_class])
            losses[by_class] = losses[by_class] + self.class_weight * found
        return (losses * drawn[rows] / torch.where(by_class, 1.0, share)).sum()

    def _classes(self, batch: Batch) -> Tensor:
        """(B,) whether an item's loss is the cross-entropy of its class's colour among several."""
        flags = [
            self.class_weight > 0 and item.query is not None and item.query.task == "classify"
            and len(item.query.options) > 1
            for item in batch.items
        ]  # fmt: skip
        return torch.tensor(flags, device=batch.image.device)

    def _class_losses(self, items: Sequence[Item], picture: Tensor, weight: Tensor) -> Tensor:
        palettes, right = [], []
        for item in items:
            assert item.query is not None
            options, label = item.query.options, item.sample.label
            palettes.append(torch.from_numpy(class_colours(options, self.labels)))
            right.append(options.index(label) + 1 if label in options else 0)
        return class_loss(picture, weight, palettes, right)

    # --- Prediction ---

    def _predicted(self, image_latents: Tensor, texts: Sequence[str]) -> Tensor:
        """x0, from zeros at the last timestep (zeros do as well as noise)."""
        x_t = torch.zeros_like(image_latents)
        last = torch.full((len(x_t),), len(self.alphas_cumprod) - 1, device=x_t.device)
        output = self.editor.denoise(x_t, last, image_latents, self.editor.embed(texts))
        return clean_estimate(output.float(), x_t, last, self.alphas_cumprod, self.editor.prediction)

    def _answers(self, batch: Batch, image_latents: Tensor, texts: list[str], sampling: Sampling | None) -> Tensor:
        return self.editor.backbone.decode_latent(self._predicted(image_latents, texts)).clamp(0, 1)
