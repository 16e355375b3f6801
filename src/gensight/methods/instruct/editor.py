"""A latent diffusion model that edits: its U-Net sees the noisy latent and the latent of an image, side by side.

As in InstructPix2Pix (Brooks et al., CVPR 2023, section 3.2): the image's latent is the mode of its distribution and is
not scaled; the input convolution's new channels are zero-initialised, so that the model begins as the pretrained one.
The one-step model gets zeros in place of the noisy latent: its new channels begin as copies of the old ones (as in Ke
et al., "Marigold", CVPR 2024, without halving), and the last timestep, the only one passed to it, is mapped to the
first. So it treats the image's latent like a noise-free latent in pretraining; at the pretrained last timestep, it
would treat it as noise.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gensight.backbones.diffusion import DiffusionBackbone
from gensight.backbones.pipeline_folder import save_editor_folder
from gensight.backbones.pretrained import PipelineParts
from gensight.backbones.text import embed_each
from gensight.diffusion.sampling import SamplerName, build_scheduler, item_generators, run_sampler
from gensight.diffusion.targets import Prediction
from gensight.errors import ConfigError, RunError

MOST_TEXTS = 10_000  # kept embeddings of a frozen text encoder


class Editor(nn.Module):
    """A text-to-image backbone whose input convolution is widened for an image's latent.

    Args:
        backbone: Of the SD 1.x or 2.x family (one text encoder), or an editor's folder already (8 channels).
        train_text: Whether the text encoder is trained.
        train_decoder: Whether the autoencoder's decoder is trained.
        one_step: Whether new channels begin as copies, scaled as the image's latent is not, and the last timestep, the
            only one that will be passed, is mapped to the first. Otherwise new channels begin at zero.
        zero_terminal_snr: Whether the noise schedule is changed to end in pure noise, and sampled from that last level
            on (Lin et al., "Common diffusion noise schedules and sample steps are flawed", WACV 2024). Otherwise the
            last level of Stable Diffusion's schedule contains 7 % of the answer, and a model learns to use it.

    Raises:
        RunError: SDXL, or a U-Net of another width.
        ConfigError: `zero_terminal_snr` of a model that predicts noise; the answer is unknown at pure noise.

    Attributes:
        calls: Images that went through the U-Net so far (branches count one each).
    """

    def __init__(
        self,
        backbone: DiffusionBackbone,
        train_text: bool = False,
        train_decoder: bool = False,
        one_step: bool = False,
        zero_terminal_snr: bool = False,
    ) -> None:
        super().__init__()
        if backbone.is_xl:
            raise RunError("an editor needs one text encoder (SD 1.x, 2.x, tiny), and SDXL has two")
        if zero_terminal_snr:
            backbone.scheduler = ending_in_noise(backbone.scheduler)
        self.backbone = backbone
        self.latent_channels = int(backbone.vae.config.latent_channels)
        self.prediction: Prediction = backbone.scheduler.config.prediction_type
        if backbone.unet.config.in_channels == self.latent_channels:
            widen_input(backbone.unet, 2 * self.latent_channels)
            if one_step:
                weight = backbone.unet.conv_in.weight
                with torch.no_grad():
                    scale = float(backbone.vae.config.scaling_factor)
                    weight[:, self.latent_channels :] = scale * weight[:, : self.latent_channels]
                map_timestep(backbone.unet, source=len(backbone.scheduler.alphas_cumprod) - 1, target=0)
        backbone.unet.conv_in.requires_grad_(backbone.trainable)
        if train_text:
            backbone.text_encoders.requires_grad_(True)
        if train_decoder:
            backbone.vae.decoder.requires_grad_(True)
            backbone.vae.post_quant_conv.requires_grad_(True)
        self.train_text = train_text
        self.calls = 0
        self._texts: dict[str, Tensor] = {}

    # --- Parts ---

    def image_latents(self, images: Tensor) -> Tensor:
        """Images (B, 3, height, width) in [0, 1] -> unscaled modes (B, channels, h, w)."""
        with torch.no_grad():
            return self.backbone.raw_latents(images)

    def embed(self, texts: Sequence[str]) -> Tensor:
        """(B, tokens, channels); each distinct text is embedded once, and kept where the encoder is frozen."""
        device = self.backbone.device
        if self.train_text and torch.is_grad_enabled():
            return embed_each(texts, self.backbone.tokenizers, list(self.backbone.text_encoders), device)
        if self.train_text or len(self._texts) > MOST_TEXTS:
            self._texts = {}
        new = [text for text in dict.fromkeys(texts) if text not in self._texts]
        if new:
            self._texts |= dict(zip(new, self.backbone.embed_text(new).tokens, strict=True))
        return torch.stack([self._texts[text].to(device) for text in texts])

    def denoise(self, x_t: Tensor, timesteps: Tensor, image_latents: Tensor, text: Tensor) -> Tensor:
        """What the U-Net predicts (its scheduler's `prediction_type`), (B, channels, h, w)."""
        unet = self.backbone.unet
        self.calls += len(x_t)
        seen = torch.cat([x_t, image_latents], dim=1).to(unet.dtype)
        output: Tensor = unet(seen, timesteps, encoder_hidden_states=text.to(unet.dtype), return_dict=False)[0]
        return output

    # --- Sampling ---

    def sample(
        self,
        noise: Tensor,
        image_latents: Tensor,
        texts: Sequence[str],
        num_steps: int,
        sampler: SamplerName = "euler",
        text_guidance: float = 7.5,
        image_guidance: float = 1.5,
        keys: Sequence[int] = (),
    ) -> Tensor:
        """Scaled latents, sampled from `noise` (standard normal) under guidance; a branch of no weight is not computed.

        diffusers' pipeline has no guidance with a text's weight of 1 or less, or an image's below 1; here any weights
        count, as in the original.

        Args:
            noise: (B, channels, h, w).
            image_latents: Of `image_latents`.
            texts: One per image.
            num_steps: Steps.
            sampler: See `Sampling`.
            text_guidance: Weight of the text's direction.
            image_guidance: Weight of the image's direction.
            keys: One per image, for the noise that a sampler adds.
        """
        weights = branch_weights(text_guidance, image_guidance)
        kept = [number for number, weight in enumerate(weights) if weight]
        words, empty = self.embed(texts), self.embed([""] * len(texts))
        nothing = torch.zeros_like(image_latents)
        branches = ((words, image_latents), (empty, image_latents), (empty, nothing))
        text = torch.cat([branches[number][0] for number in kept])
        images = torch.cat([branches[number][1] for number in kept])
        scale = noise.new_tensor([weights[number] for number in kept])
        scheduler = build_scheduler(sampler, self.backbone.scheduler, clip=False)
        scheduler.set_timesteps(num_steps, device=noise.device)

        def denoise(x_t: Tensor, timestep: Tensor) -> Tensor:
            seen = torch.cat([x_t] * len(kept))
            outputs = self.denoise(seen, timestep.expand(len(seen)), images, text).unflatten(0, (len(kept), -1))
            return torch.einsum("k,k...->...", scale.to(outputs), outputs)

        start = noise * scheduler.init_noise_sigma
        return run_sampler(denoise, scheduler, start, generators=item_generators(keys))

    # --- Exchange with diffusers ---

    def save_pipeline(self, folder: Path, one_step: bool = False) -> None:
        """Writes a folder that diffusers' `StableDiffusionInstructPix2PixPipeline` loads.

        With `one_step` its scheduler is such that one step without guidance from latents of zeros gives what this model
        predicts in one step.
        """
        from diffusers import DDIMScheduler

        changes: dict[str, Any] = {"set_alpha_to_one": True, "timestep_spacing": "trailing"} if one_step else {}
        unet = self.backbone.unet
        if self.backbone.tuning == "lora":
            unet = copy.deepcopy(unet)
            unet.fuse_lora()
            unet.unload_lora()
        scheduler = DDIMScheduler.from_config(self.backbone.scheduler.config, clip_sample=False, **changes)
        encoders = tuple(self.backbone.text_encoders)
        save_editor_folder(
            folder, PipelineParts(unet, self.backbone.vae, encoders, self.backbone.tokenizers, scheduler)
        )


def branch_weights(text_guidance: float, image_guidance: float) -> tuple[float, float, float]:
    """Weights of the outputs with text and image, with the image, and with nothing (Brooks et al., eq. 3): from nothing
    towards the image, and on towards the text. Their sum is 1."""
    return text_guidance, image_guidance - text_guidance, 1 - image_guidance


def widen_input(unet: Any, channels: int) -> None:
    """Gives the U-Net's input convolution new channels of zero weight, in place."""
    old: nn.Conv2d = unet.conv_in
    new = nn.Conv2d(channels, old.out_channels, old.kernel_size, old.stride, old.padding)  # type: ignore[arg-type]
    new = new.to(old.weight.device, old.weight.dtype)
    with torch.no_grad():
        new.weight.zero_()
        new.weight[:, : old.in_channels] = old.weight
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias)
    unet.conv_in = new.requires_grad_(old.weight.requires_grad)
    unet.register_to_config(in_channels=channels)


@torch.no_grad()
def zero_noise_channels(unet: Any, channels: int) -> None:
    """Zero-initialises the input channels of the noisy latent, in place, so that the noise is ignored at first.

    The one-step model was trained with zeros there. Noise would disturb its predictions before it learned to ignore
    it; with zero weights it starts with its own predictions and learns to use the noisy latent.
    """
    unet.conv_in.weight[:, :channels] = 0


@torch.no_grad()
def map_timestep(unet: Any, source: int, target: int) -> None:
    """Makes the U-Net treat timestep `source` as `target`, in place; all others are shifted by as much.

    The embedding's first layer takes sines of the timestep: its bias is changed by their difference.
    """
    device = unet.time_embedding.linear_1.weight.device
    waves = unet.time_proj(torch.tensor([source, target], device=device)).to(unet.time_embedding.linear_1.weight)
    unet.time_embedding.linear_1.bias += unet.time_embedding.linear_1.weight @ (waves[1] - waves[0])


def ending_in_noise(scheduler: Any) -> Any:
    """The scheduler with its last level pure noise, where sampling then begins; see `Editor`."""
    if scheduler.config.prediction_type == "epsilon":
        raise ConfigError(
            "a model that predicts the noise can't learn from noise alone",
            where="method.zero_terminal_snr",
            hint="set method.zero_terminal_snr=false, or take a backbone of v_prediction (Stable Diffusion 2.1, tiny)",
        )
    changes = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    return type(scheduler).from_config(scheduler.config, **changes)
