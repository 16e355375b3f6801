"""Instruction-following models that paint their answers: the base of the multi-step and the one-step model."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gensight.backbones.capture import watching
from gensight.diffusion.noise import item_uniform
from gensight.diffusion.sampling import Sampling
from gensight.encodings.painted.base import OUTPUT
from gensight.encodings.painted.instructed import LABEL, SHOWN
from gensight.errors import ConfigError
from gensight.instructions.grammar import Task, as_task, rephrased
from gensight.instructions.templates import Templates, read_templates
from gensight.methods.base import Method, Stage
from gensight.methods.instruct.editor import Editor
from gensight.methods.instruct.text_pretraining import SentenceBatches, text_pretraining
from gensight.methods.instruct.visible_classes import FeatureReader, label_reader, visible_class_reader
from gensight.methods.loss import Loss
from gensight.samples import Batch, Item

Phrasing = Literal["fixed", "rephrased"]
_WORDS = 3  # which of an item's random numbers


class Instruct(Method):
    """An image and an instruction -> a painted answer, by an editor. Each training objective is a subclass.

    Options are those of `config.instruct.InstructConfig`.

    Args:
        editor: The model, whose backbone is trained whole or through adapters.
        tasks, categories: The tasks, and the vocabulary of classes of pixels and objects.
        labels: The vocabulary of classes of images, in the order of their colours.

    Raises:
        ConfigError: A frozen backbone, or text pretraining of a frozen text encoder.
    """

    way: str
    alphas_cumprod: Tensor

    def __init__(
        self,
        editor: Editor,
        *,
        phrasing: Phrasing = "rephrased",
        shown_weight: float = 0.0,
        label_weight: float = 0.0,
        words_first: int = 0,
        tasks: Sequence[Task] = (),
        categories: Sequence[str] = (),
        labels: Sequence[str] = (),
        templates: Path | None = None,
    ) -> None:
        super().__init__()
        backbone = editor.backbone
        if not backbone.trainable:
            hint = "set backbone.trainable to lora or full"
            raise ConfigError("a frozen backbone cannot learn to paint", where="backbone.trainable", hint=hint)
        if words_first and not editor.train_text:
            hint = "set method.train_text=true, or method.words_first=0"
            raise ConfigError("a frozen text encoder can't be taught words", where="method.words_first", hint=hint)
        self.editor, self.phrasing = editor, phrasing
        self.words_first, self.templates = words_first, templates
        self.tasks, self.categories, self.labels = tuple(tasks), tuple(categories), tuple(labels)
        self.shown_weight, self.label_weight = shown_weight, label_weight
        self.shown = visible_class_reader(backbone.unet, len(self.categories)) if shown_weight else None
        self.label = label_reader(backbone.unet, len(self.labels)) if label_weight and self.labels else None
        self.register_buffer("alphas_cumprod", backbone.scheduler.alphas_cumprod.float().clone(), False)

    # --- Learning ---

    def stages(self, seed: int = 0) -> list[Stage]:
        if not self.words_first:
            return []
        backbone = self.editor.backbone
        sentences = SentenceBatches(self.tasks, self.categories, self.labels, seed, self._more_templates)
        return [text_pretraining(backbone.tokenizers, backbone.text_encoders, sentences, self.words_first)]

    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        answer, weight = batch.targets[OUTPUT], batch.targets[f"{OUTPUT}_weight"]
        with torch.no_grad():
            image_latents = self.editor.image_latents(batch.image)
        readers = self._readers() if self.training else {}
        unet = self.editor.backbone.unet
        with watching({name: unet.get_submodule(reader.block) for name, (reader, _) in readers.items()}) as seen:
            losses = self._losses(batch, image_latents, self._texts(batch), answer, weight)
        for name, (reader, share) in readers.items():
            losses[name] = Loss(*reader.loss(seen[name], batch.targets[name]), share)
        return losses

    def _readers(self) -> dict[str, tuple[FeatureReader, float]]:
        """Target -> its classifier on the features, and its weight."""
        found: dict[str, tuple[FeatureReader, float]] = {}
        if self.shown is not None:
            found[SHOWN] = self.shown, self.shown_weight
        if self.label is not None:
            found[LABEL] = self.label, self.label_weight
        return found

    @abstractmethod
    def _losses(
        self, batch: Batch, image_latents: Tensor, texts: list[str], answer: Tensor, weight: Tensor
    ) -> dict[str, Loss]:
        """The losses of painting, from one call of the U-Net.

        Args:
            batch: As it came.
            image_latents: (B, channels, h, w), unscaled.
            texts: The instruction of each item.
            answer: (B, 3, height, width) in [0, 1].
            weight: (B, 1, height, width), 1 where the answer is known.
        """

    @torch.no_grad()
    def _answer_latents(self, answer: Tensor) -> Tensor:
        """Scaled latents; black answers, to queries of absent classes, are encoded once."""
        black = answer.flatten(1).amax(1) == 0
        encoded = (~black).nonzero().flatten()
        if black.any():
            encoded = torch.cat([encoded, black.nonzero()[:1, 0]])
        places = torch.where(black, len(encoded) - 1, (~black).cumsum(0) - 1)
        return self.editor.backbone.encode_image(answer[encoded])[places]

    @staticmethod
    def _masked(errors: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """(sum, count) over the cells of latents that are known by half."""
        height, width = errors.shape[-2:]
        known = (F.adaptive_avg_pool2d(weight, (height, width)) >= 0.5).to(errors).expand_as(errors)
        return (errors * known).sum(), known.sum()

    def _texts(self, batch: Batch) -> list[str]:
        texts = [query_text(item) for item in batch.items]
        if self.phrasing == "fixed" or not self.training:
            return texts
        drawn = (item_uniform(batch.keys, _WORDS).double() * 2**31).long().tolist()
        return [
            rephrase_query(item, seed, self._more_templates) or text
            for item, text, seed in zip(batch.items, texts, drawn, strict=True)
        ]  # fmt: skip

    @cached_property
    def _more_templates(self) -> Templates:
        return {} if self.templates is None else read_templates(self.templates)

    # --- Prediction ---

    @torch.no_grad()
    def predict(self, batch: Batch, sampling: Sampling | None = None) -> dict[str, Tensor]:
        """`painted` (B, 3, height, width) in [0, 1]; images that occur several times are encoded once."""
        places, first = _distinct(batch)
        image_latents = self.editor.image_latents(batch.image[first])[places]
        return {OUTPUT: self._answers(batch, image_latents, [query_text(item) for item in batch.items], sampling)}

    @abstractmethod
    def _answers(self, batch: Batch, image_latents: Tensor, texts: list[str], sampling: Sampling | None) -> Tensor:
        """(B, 3, height, width) in [0, 1]."""


def query_text(item: Item) -> str:
    """The words of an item; none without a query."""
    return "" if item.query is None else item.query.text


def query_task(item: Item) -> str | None:
    """The task of an item; None without a query."""
    return None if item.query is None else item.query.task


def rephrase_query(item: Item, seed: int, more: Templates | None = None) -> str | None:
    """An item's instruction in another wording of the training grammar, or of `more`; None without a task of it."""
    query, task = item.query, as_task(query_task(item))
    if query is None or task is None:
        return None
    return rephrased(task, query.options, seed, more=more, colours=query.colours).text


def _distinct(batch: Batch) -> tuple[Tensor, Tensor]:
    """(for each item the place of its image among the distinct ones, the first item of each of those)."""
    keys = [
        (item.sample.key, view[0].model_size, view[0].matrix.tobytes())
        for item, view in zip(batch.items, batch.views, strict=True)
    ]
    found = {key: number for number, key in reversed(list(enumerate(keys)))}
    order = {key: place for place, key in enumerate(found)}
    device = batch.image.device
    places = torch.tensor([order[key] for key in keys], device=device)
    return places, torch.tensor(list(found.values()), device=device)
