"""Learning to paint what an instruction asks for: at all noise levels, or in one step."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.diffusion.noise import item_noise, item_timesteps, item_uniform
from gensight.diffusion.targets import add_noise, clean_estimate, target
from gensight.encodings.instructed import LABEL, SHOWN
from gensight.encodings.painted import OUTPUT, class_colours
from gensight.errors import ConfigError
from gensight.instructions.grammar import Task, as_task, rephrased
from gensight.instructions.templates import Templates, read_templates
from gensight.methods.base import Method
from gensight.methods.instruct.editor import Editor, SamplerName
from gensight.methods.instruct.losses import class_loss, task_loss
from gensight.methods.instruct.shown import ShownReader
from gensight.methods.instruct.words import teach_words
from gensight.samples import Batch, Item

Way = Literal["many-step", "one-step"]
Phrasing = Literal["fixed", "rephrased"]
ImageChannels = Literal["zero", "copied"]
NoiseLevels = Literal["uniform", "late"]
_NOISE, _TIMESTEP, _DROPOUT, _WORDS, _DECODED, _LATER, _DRAW = 0, 1, 2, 3, 4, 5, 64
_ONE_COLOUR = 0.2  # what a latent of a wholly coloured answer counts in one step: all of them tell one class


class Instruct(Method):
    """An image and an instruction -> a painted answer.

    `many-step` is InstructPix2Pix's training: the U-Net's own target (epsilon or v) at uniform noise levels, with the
    text, the image, or both left out in a share of the items each, which guidance needs. `one-step` is end-to-end
    fine-tuning (Garcia et al., WACV 2025): the answer is what the U-Net predicts at the last timestep from a latent of
    zeros, is decoded, and is compared with the target in pixel space; there is no dropout, no noise and no guidance.

    Args:
        backbone: Full or with adapters; widened in place.
        way: `many-step` or `one-step`.
        phrasing: `fixed`, the items' own words; `rephrased`, other words of the training grammar at each draw.
        train_text, train_decoder: What learns beside the U-Net.
        drop_text, drop_image, drop_both: Shares of items.
        latent_weight: Of the squared error of latents beside the one step's pixels.
        overlap_weight: Of the overlap of masks and boxes in one step.
        decoded_share: Share of the items, drawn anew at each step, whose answer is decoded in training for the one
            step's pixels. The decoder costs more than the U-Net where that is small; latents are compared for all.
        class_weight: Of the cross-entropy of the right class's colour among several, in one step. Above 0 such answers
            are all decoded, and their squared error counts a tenth.
        shown_weight: Of what every image shows, read off the U-Net's features; see `ShownReader`.
        words_first: Steps that teach the text encoder the words alone, before all else; see `teach_words`.
        image_channels: How the image's input channels begin: `zero` (InstructPix2Pix), or `copied` from the noise's.
            In one step they are always copied.
        noise_levels: Of many steps' training: `uniform` (InstructPix2Pix), or `late`, the noisier of two draws. What an
            answer is about is settled where there is most noise; where there is little it is seen already.
        zero_terminal_snr: Whether the noise schedule is changed to end in pure noise; see `Editor`.
        tasks, categories: What can be asked, and the vocabulary of classes of pixels and objects.
        labels: The vocabulary of classes of images, in the order of their colours.
        sampler, sample_steps, text_guidance, image_guidance: How many-step predictions are drawn.
        num_draws: Draws that a prediction is the mean of.
        templates: A file of more templates for `rephrased`; read when training begins.

    Raises:
        ConfigError: A frozen backbone, dropouts that exceed everything, or a share of items that is none.
    """

    alphas_cumprod: Tensor

    def __init__(
        self,
        backbone: DiffusionBackbone,
        *,
        way: Way = "many-step",
        phrasing: Phrasing = "rephrased",
        train_text: bool = False,
        train_decoder: bool = False,
        drop_text: float = 0.05,
        drop_image: float = 0.05,
        drop_both: float = 0.05,
        latent_weight: float = 0.1,
        overlap_weight: float = 0.1,
        decoded_share: float = 1.0,
        class_weight: float = 0.0,
        shown_weight: float = 0.0,
        words_first: int = 0,
        image_channels: ImageChannels = "zero",
        noise_levels: NoiseLevels = "uniform",
        zero_terminal_snr: bool = False,
        tasks: Sequence[Task] = (),
        categories: Sequence[str] = (),
        labels: Sequence[str] = (),
        sampler: SamplerName = "euler",
        sample_steps: int = 20,
        text_guidance: float = 7.5,
        image_guidance: float = 1.5,
        num_draws: int = 1,
        templates: Path | None = None,
    ) -> None:
        super().__init__()
        if not backbone.trainable:
            hint = "set backbone.trainable to lora or full"
            raise ConfigError("a frozen backbone cannot learn to paint", where="backbone.trainable", hint=hint)
        if not 0 < decoded_share <= 1:
            raise ConfigError(f"decoded_share={decoded_share:g} is not in (0, 1]", where="method.decoded_share")
        if drop_text + drop_image + drop_both > 1:
            raise ConfigError("the three dropouts are shares of the items, and exceed 1", where="method.drop_text")
        if words_first and not train_text:
            hint = "set method.train_text=true, or method.words_first=0"
            raise ConfigError("a frozen text encoder can't be taught words", where="method.words_first", hint=hint)
        self.editor = Editor(
            backbone, train_text, train_decoder, copied=way == "one-step" or image_channels == "copied",
            one_step=way == "one-step", zero_terminal_snr=zero_terminal_snr,
        )  # fmt: skip
        self.way, self.phrasing = way, phrasing
        self.drop_text, self.drop_image, self.drop_both = drop_text, drop_image, drop_both
        self.latent_weight, self.overlap_weight, self.decoded_share = latent_weight, overlap_weight, decoded_share
        self.class_weight, self.labels = class_weight, tuple(labels)
        self.words_first, self.tasks, self.categories = words_first, tuple(tasks), tuple(categories)
        self.shown_weight, self.noise_levels = shown_weight, noise_levels
        self.shown = ShownReader(backbone.unet, len(self.categories), len(self.labels)) if shown_weight else None
        self.sampler: SamplerName = sampler
        self.sample_steps, self.text_guidance, self.image_guidance = sample_steps, text_guidance, image_guidance
        self.num_draws = num_draws
        self.templates = templates
        self.register_buffer("alphas_cumprod", backbone.scheduler.alphas_cumprod.float().clone(), False)

    # --- Learning ---

    def prepare(self, seed: int = 0) -> None:
        if self.words_first:
            embed, encoders = self.editor.embed, self.editor.backbone.text_encoders
            of = self.tasks, self.categories, self.labels
            teach_words(embed, encoders, *of, self.words_first, seed, self._more_templates)

    def losses(self, batch: Batch, player: str = "model") -> dict[str, Tensor]:
        answer, weight = batch.targets[OUTPUT], batch.targets[f"{OUTPUT}_weight"]
        answer, weight = _grown(answer, batch.image), _grown(weight, batch.image)
        with torch.no_grad():
            image_latents = self.editor.image_latents(batch.image)
        texts = self._texts(batch)
        by_way = self._one_step_losses if self.way == "one-step" else self._many_step_losses
        if self.shown is None or not self.training:
            return by_way(batch, image_latents, texts, answer, weight)
        with self.shown.watching(self.editor.backbone.unet) as features:
            losses = by_way(batch, image_latents, texts, answer, weight)
        for name, (total, count) in self.shown.losses(features, batch.targets[SHOWN], batch.targets[LABEL]).items():
            mean = total / count.clamp(min=1)
            losses |= {name: mean, f"{name}_sum": self.shown_weight * total, f"{name}_count": count}
            losses["loss"] = losses["loss"] + self.shown_weight * mean
        return losses

    def _one_step_losses(
        self, batch: Batch, image_latents: Tensor, texts: list[str], answer: Tensor, weight: Tensor
    ) -> dict[str, Tensor]:
        x0 = self._one_step(image_latents, texts)
        pixels, count = self._pixels(batch, x0, answer, weight), x0.new_tensor(len(x0))
        losses = {"loss": pixels, "pixels": pixels, "pixels_sum": pixels * count, "pixels_count": count}
        if self.latent_weight:
            of_one_colour = torch.tensor([_task(item) == "classify" for item in batch.items], device=x0.device)
            counted = torch.where(of_one_colour, _ONE_COLOUR, 1.0)
            total, count = self._masked((x0 - self._answer_latents(answer)) ** 2, weight, counted)
            latents = total / count.clamp(min=1)
            losses |= {"latents": latents, "latents_sum": self.latent_weight * total, "latents_count": count}
            losses["loss"] = pixels + self.latent_weight * latents
        return losses

    @torch.no_grad()
    def _answer_latents(self, answer: Tensor) -> Tensor:
        """Scaled latents; black answers, to questions of what is not there, are encoded once."""
        black = answer.flatten(1).amax(1) == 0
        encoded = (~black).nonzero().flatten()
        if black.any():
            encoded = torch.cat([encoded, black.nonzero()[:1, 0]])
        places = torch.where(black, len(encoded) - 1, (~black).cumsum(0) - 1)
        return self.editor.backbone.encode_image(answer[encoded])[places]

    def _pixels(self, batch: Batch, x0: Tensor, answer: Tensor, weight: Tensor) -> Tensor:
        """Mean loss of the items; in training, estimated from those that are decoded."""
        share = self.decoded_share if self.training else 1.0
        classes = self._classes(batch)
        drawn = (item_uniform(batch.keys, _DECODED) < share).to(x0.device) | classes
        rows = drawn.nonzero().flatten() if drawn.any() else torch.zeros(1, dtype=torch.long, device=x0.device)
        picture = self.editor.backbone.decode_latent(x0[rows])
        losses = task_loss(
            [_task(batch.items[row]) for row in rows.tolist()], picture, answer[rows], weight[rows], self.overlap_weight
        )
        told = classes[rows]
        if told.any():
            items = [batch.items[row] for row in rows[told].tolist()]
            losses = losses * torch.where(told, 0.1, 1.0)
            losses[told] = losses[told] + self.class_weight * self._class_losses(
                items, picture[told], weight[rows][told]
            )
        return (losses * drawn[rows] / torch.where(told, 1.0, share)).sum() / len(x0)

    def _classes(self, batch: Batch) -> Tensor:
        """(B,) whether an item is taught by the colour of its class, among several."""
        asked = [
            _task(one) == "classify" and one.query is not None and len(one.query.options) > 1 for one in batch.items
        ]
        return torch.tensor(asked, device=batch.image.device) & (self.class_weight > 0)

    def _class_losses(self, items: Sequence[Item], picture: Tensor, weight: Tensor) -> Tensor:
        palettes, right = [], []
        for item in items:
            assert item.query is not None
            options, label = item.query.options, item.sample.label
            palettes.append(torch.from_numpy(class_colours(options, self.labels)))
            right.append(options.index(label) + 1 if label in options else 0)
        return class_loss(picture, weight, palettes, right)

    def _many_step_losses(
        self, batch: Batch, image_latents: Tensor, texts: list[str], answer: Tensor, weight: Tensor
    ) -> dict[str, Tensor]:
        x0 = self._answer_latents(answer)
        noise = item_noise(batch.keys, x0.shape[1:], _NOISE).to(x0)
        timesteps = self._timesteps(batch).to(x0.device)
        x_t = add_noise(x0, noise, timesteps, self.alphas_cumprod)
        texts, image_latents = self._dropped(batch, texts, image_latents)
        output = self.editor.denoise(x_t, timesteps, image_latents, self.editor.embed(texts))
        goal = target(x0, noise, timesteps, self.alphas_cumprod, self.editor.prediction)
        total, count = self._masked((output - goal) ** 2, weight)
        return {"loss": total / count.clamp(min=1), "latents_sum": total, "latents_count": count}

    def _timesteps(self, batch: Batch) -> Tensor:
        drawn = item_timesteps(batch.keys, 0, len(self.alphas_cumprod), _TIMESTEP)
        if self.noise_levels == "uniform":
            return drawn
        return torch.maximum(drawn, item_timesteps(batch.keys, 0, len(self.alphas_cumprod), _LATER))

    def _dropped(self, batch: Batch, texts: list[str], image_latents: Tensor) -> tuple[list[str], Tensor]:
        drawn = item_uniform(batch.keys, _DROPOUT)
        first, second = self.drop_text, self.drop_text + self.drop_both
        without_text = (drawn < second).tolist()
        without_image = (drawn >= first) & (drawn < second + self.drop_image)
        kept = (~without_image).to(image_latents).view(-1, 1, 1, 1)
        return ["" if gone else text for gone, text in zip(without_text, texts, strict=True)], kept * image_latents

    @staticmethod
    def _masked(errors: Tensor, weight: Tensor, counted: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(sum, count) over the cells of latents that are known by half, of items that count so much (B,)."""
        height, width = errors.shape[-2:]
        known = (F.adaptive_avg_pool2d(weight, (height, width)) >= 0.5).to(errors).expand_as(errors)
        if counted is not None:
            known = known * counted.to(errors).view(-1, 1, 1, 1)
        return (errors * known).sum(), known.sum()

    def _texts(self, batch: Batch) -> list[str]:
        texts = [said(item) for item in batch.items]
        if self.phrasing == "fixed" or not self.training:
            return texts
        drawn = (item_uniform(batch.keys, _WORDS).double() * 2**31).long().tolist()
        return [
            other_words(item, seed, self._more_templates) or text
            for item, text, seed in zip(batch.items, texts, drawn, strict=True)
        ]  # fmt: skip

    @cached_property
    def _more_templates(self) -> Templates:
        return {} if self.templates is None else read_templates(self.templates)

    def _one_step(self, image_latents: Tensor, texts: Sequence[str]) -> Tensor:
        """x0, from zeros at the last timestep (Garcia et al., section 4: zeros do as well as noise)."""
        x_t = torch.zeros_like(image_latents)
        last = torch.full((len(x_t),), len(self.alphas_cumprod) - 1, device=x_t.device)
        output = self.editor.denoise(x_t, last, image_latents, self.editor.embed(texts))
        return clean_estimate(output.float(), x_t, last, self.alphas_cumprod, self.editor.prediction)

    # --- Prediction ---

    @torch.no_grad()
    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """`painted` (B, 3, height, width) in [0, 1]; images that occur several times are encoded once."""
        places, first = _distinct(batch)
        image_latents = self.editor.image_latents(batch.image[first])[places]
        texts = [said(item) for item in batch.items]
        if self.way == "one-step":
            latents = self._one_step(image_latents, texts)
            return {OUTPUT: self.editor.backbone.decode_latent(latents).clamp(0, 1)}
        draws = [self._draw(batch, image_latents, texts, number) for number in range(self.num_draws)]
        return {OUTPUT: torch.stack(draws).mean(0)}

    def _draw(self, batch: Batch, image_latents: Tensor, texts: list[str], number: int) -> Tensor:
        noise = item_noise(batch.keys, image_latents.shape[1:], _DRAW + number).to(image_latents)
        latents = self.editor.sample(
            noise, image_latents, texts, self.sample_steps, self.sampler, self.text_guidance, self.image_guidance,
            [int(key) + number for key in batch.keys],
        )  # fmt: skip
        return self.editor.backbone.decode_latent(latents).clamp(0, 1)

    def parameter_groups(self, player: str = "model") -> list[dict[str, Any]]:
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr_scale": 1.0}]


def _task(item: Item) -> str | None:
    return None if item.query is None else item.query.task


def said(item: Item) -> str:
    """The words of an item; none without a query."""
    return "" if item.query is None else item.query.text


def other_words(item: Item, seed: int, more: Templates | None = None) -> str | None:
    """An item's question in other words of the training grammar, or of more; None where it has no task of it."""
    query = item.query
    task = None if query is None else as_task(query.task)
    if query is None or task is None:
        return None
    return rephrased(task, query.options, seed, more=more).text


def _grown(maps: Tensor, images: Tensor) -> Tensor:
    """Maps at the images' size, nearest neighbour."""
    if maps.shape[-2:] == images.shape[-2:]:
        return maps
    return F.interpolate(maps, images.shape[-2:], mode="nearest")


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
