"""The multi-step model (InstructPix2Pix): answers are sampled from noise, under guidance by text and image."""

from typing import Any, Literal

import torch
from torch import Tensor

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.diffusion.noise import item_noise, item_timesteps, item_uniform
from gensight.diffusion.sampling import SamplerName, Sampling
from gensight.diffusion.targets import add_noise, target
from gensight.errors import ConfigError
from gensight.instructions.grammar import RESTORATIONS
from gensight.methods.instruct.editor import Editor, zero_noise_channels
from gensight.methods.instruct.method import Instruct, query_task
from gensight.methods.loss import Loss
from gensight.samples import Batch, Item

NoiseChannels = Literal["kept", "zero"]
NoiseLevels = Literal["uniform", "last"]
_NOISE, _TIMESTEP, _DROPOUT, _LATER, _LAST, _SAMPLE = 0, 1, 2, 5, 6, 64  # which of an item's random numbers
_DROPPED = 0.05  # share of the items without text, without both, and without image


class ManySteps(Instruct):
    """Learns the U-Net's own target (epsilon or v) at all noise levels; the text, the image, and both are left out in
    5 % of the items each, which guidance needs (Brooks et al., CVPR 2023, section 3.2).

    Options are those of `config.instruct.InstructConfig`. Of several samples (`Sampling.num_samples`), depth, edges,
    restored images and masks of one class are the mean; other answers are the sample that is nearest to the others.

    Args:
        backbone: Full or with adapters; widened in place.
        noise_channels: `zero` is for a model trained as the one-step model; see `zero_noise_channels`.
        noise_levels: `last`: half of the items at the last level, where sampling starts, and the others at the noisier
            of two samples, since the content of an answer is decided at high noise levels.
        shared: See `Instruct`.

    Raises:
        ConfigError: Zero noise channels of a model without image channels, or see `Instruct` and `Editor`.
    """

    way = "many-step"
    sampling: Sampling

    def __init__(
        self,
        backbone: DiffusionBackbone,
        *,
        train_text: bool = False,
        noise_channels: NoiseChannels = "kept",
        noise_levels: NoiseLevels = "uniform",
        zero_terminal_snr: bool = False,
        sampler: SamplerName = "euler",
        sample_steps: int = 20,
        text_guidance: float = 7.5,
        image_guidance: float = 1.5,
        **shared: Any,
    ) -> None:
        if noise_channels == "zero" and backbone.unet.config.in_channels == backbone.vae.config.latent_channels:
            raise ConfigError(
                "with zero noise channels, a model without image channels would get no input",
                where="method.noise_channels",
                hint="set backbone.id to an exported one-step run (`gensight editor export`), or set kept",
            )
        editor = Editor(backbone, train_text, zero_terminal_snr=zero_terminal_snr)
        if noise_channels == "zero":
            zero_noise_channels(backbone.unet, editor.latent_channels)
        super().__init__(editor, **shared)
        self.noise_levels = noise_levels
        self.sampling = Sampling(sampler, sample_steps, text_guidance, image_guidance, num_samples=1)

    # --- Learning ---

    def _losses(
        self, batch: Batch, image_latents: Tensor, texts: list[str], answer: Tensor, weight: Tensor
    ) -> dict[str, Loss]:
        x0 = self._answer_latents(answer)
        noise = item_noise(batch.keys, x0.shape[1:], _NOISE).to(x0)
        timesteps = self._timesteps(batch).to(x0.device)
        x_t = add_noise(x0, noise, timesteps, self.alphas_cumprod)
        texts, image_latents = self._dropped(batch, texts, image_latents)
        output = self.editor.denoise(x_t, timesteps, image_latents, self.editor.embed(texts))
        goal = target(x0, noise, timesteps, self.alphas_cumprod, self.editor.prediction)
        return {"latents": Loss(*self._masked((output - goal) ** 2, weight))}

    def _timesteps(self, batch: Batch) -> Tensor:
        num_levels = len(self.alphas_cumprod)
        drawn = item_timesteps(batch.keys, 0, num_levels, _TIMESTEP)
        if self.noise_levels == "uniform":
            return drawn
        late = torch.maximum(drawn, item_timesteps(batch.keys, 0, num_levels, _LATER))
        return late.masked_fill(item_uniform(batch.keys, _LAST) < 0.5, num_levels - 1)

    def _dropped(self, batch: Batch, texts: list[str], image_latents: Tensor) -> tuple[list[str], Tensor]:
        drawn = item_uniform(batch.keys, _DROPOUT)
        without_text = (drawn < 2 * _DROPPED).tolist()
        without_image = (drawn >= _DROPPED) & (drawn < 3 * _DROPPED)
        kept = (~without_image).to(image_latents).view(-1, 1, 1, 1)
        return ["" if gone else text for gone, text in zip(without_text, texts, strict=True)], kept * image_latents

    # --- Prediction ---

    def _answers(self, batch: Batch, image_latents: Tensor, texts: list[str], sampling: Sampling | None) -> Tensor:
        how = self.sampling.changed(sampling)
        samples = torch.stack(
            [self._sample(batch, image_latents, texts, how, number) for number in range(how.num_samples or 1)]
        )
        grey = torch.tensor([_in_grey(item) for item in batch.items], device=samples.device).view(-1, 1, 1, 1)
        return torch.where(grey, samples.mean(0), _nearest_to_the_others(samples))

    def _sample(self, batch: Batch, image_latents: Tensor, texts: list[str], how: Sampling, number: int) -> Tensor:
        assert how.steps is not None  # set in the method's own sampling
        assert how.sampler is not None
        assert how.text_guidance is not None
        assert how.image_guidance is not None
        keys = how.keys(batch.keys)
        noise = item_noise(keys, image_latents.shape[1:], _SAMPLE + number).to(image_latents)
        latents = self.editor.sample(
            noise, image_latents, texts, how.steps, how.sampler, how.text_guidance, how.image_guidance,
            [int(key) + number for key in keys],
        )  # fmt: skip
        return self.editor.backbone.decode_latent(latents).clamp(0, 1)


def _in_grey(item: Item) -> bool:
    """Whether an answer is in shades of grey, or a photograph, so that the mean of several samples is an answer."""
    one_mask = query_task(item) == "segment" and item.query is not None and len(item.query.options) == 1
    return one_mask or query_task(item) in ("depth", "edges", *RESTORATIONS)


def _nearest_to_the_others(samples: Tensor) -> Tensor:
    """(num_samples, B, ...) -> (B, ...): of each item, the sample with the least sum of distances to the others."""
    flat = samples.flatten(2).transpose(0, 1)
    chosen = torch.cdist(flat, flat).sum(2).argmin(1)
    return samples[chosen, torch.arange(samples.shape[1], device=samples.device)]
