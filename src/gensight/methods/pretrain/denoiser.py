"""Learning to denoise latents under a caption: the U-Net and the text encoder, jointly."""

from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from gensight.backbones.capture import watching
from gensight.backbones.text import embed_each
from gensight.diffusion.noise import item_noise, item_timesteps, item_uniform
from gensight.diffusion.sampling import Sampling
from gensight.diffusion.targets import Prediction, add_noise, clean_estimate, target
from gensight.methods.base import Method
from gensight.methods.loss import Loss
from gensight.methods.pretrain.alignment import AlignmentHead, aligned_block
from gensight.samples import Batch

LATENT, ALIGNMENT = "latent", "alignment"
_NOISE, _TIMESTEP, _DROPOUT = 0, 1, 2


class DenoiserMethod(Method):
    """The simple diffusion loss (Ho et al., NeurIPS 2020, eq. 14) at timesteps drawn uniformly.

    Batches hold scaled latents as cached features named `latent`, (B, channels, height, width). Captions are those of
    the items' samples; a missing one is the empty prompt, and so is a share of the others, which is what
    classifier-free guidance needs (Ho & Salimans, 2022).

    Args:
        denoiser, text_encoder: Trained in place.
        tokenizer: Of the text encoder.
        alphas_cumprod: float32 (T,): the schedule's alpha_bar.
        prediction: What the denoiser's output stands for.
        caption_dropout: Share of captions that are emptied.
        alignment: Pulls a middle map towards an image encoder's, cached as a feature named `alignment`; trained too.
        alignment_weight: Of its loss beside the diffusion loss.
    """

    def __init__(
        self,
        denoiser: UNet2DConditionModel,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        alphas_cumprod: Tensor,
        prediction: Prediction = "v_prediction",
        caption_dropout: float = 0.1,
        alignment: AlignmentHead | None = None,
        alignment_weight: float = 0.5,
    ) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.text_encoder = text_encoder
        self.tokenizer = tokenizer
        self.register_buffer("alphas_cumprod", alphas_cumprod.clone(), persistent=False)
        self.alphas_cumprod: Tensor
        self.prediction: Prediction = prediction
        self.caption_dropout = caption_dropout
        self.alignment = alignment
        self.alignment_weight = alignment_weight

    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        x0, noise, timesteps, x_t = self._noised(batch)
        dropped = (item_uniform(batch.keys, _DROPOUT) < self.caption_dropout).tolist()
        with watching({} if self.alignment is None else {ALIGNMENT: aligned_block(self.denoiser)}) as seen:
            output = self._output(x_t, timesteps, self._captions(batch, dropped))
        goal = target(x0, noise, timesteps, self.alphas_cumprod, self.prediction)
        losses = {LATENT: Loss.of_mean((output - goal).square().mean(), len(batch))}
        if self.alignment is not None:
            assert batch.features is not None
            distance = self.alignment.loss(seen[ALIGNMENT], batch.features[0][ALIGNMENT])
            losses[ALIGNMENT] = Loss.of_mean(distance, len(batch), self.alignment_weight)
        return losses

    @torch.no_grad()
    def predict(self, batch: Batch, sampling: Sampling | None = None) -> dict[str, Tensor]:
        """`latent`: the clean latents as estimated from those noised to each item's own timestep."""
        _, _, timesteps, x_t = self._noised(batch)
        output = self._output(x_t, timesteps, self._captions(batch, [False] * len(batch)))
        return {LATENT: clean_estimate(output, x_t, timesteps, self.alphas_cumprod, self.prediction)}

    def parameter_groups(self, group: str = "model") -> list[dict[str, Any]]:
        return [{"params": list(self.parameters())}]

    def _noised(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        assert batch.features is not None, "the denoiser learns from cached latents"
        x0 = batch.features[0][LATENT]
        noise = item_noise(batch.keys, x0.shape[1:], _NOISE).to(x0)
        timesteps = item_timesteps(batch.keys, 0, len(self.alphas_cumprod), _TIMESTEP).to(x0.device)
        return x0, noise, timesteps, add_noise(x0, noise, timesteps, self.alphas_cumprod)

    def _captions(self, batch: Batch, dropped: list[bool]) -> list[str]:
        return ["" if drop else item.sample.caption or "" for item, drop in zip(batch.items, dropped, strict=True)]

    def _output(self, x_t: Tensor, timesteps: Tensor, captions: list[str]) -> Tensor:
        text = embed_each(captions, [self.tokenizer], [self.text_encoder], x_t.device)
        output: Tensor = self.denoiser(x_t, timesteps, encoder_hidden_states=text).sample
        return output
