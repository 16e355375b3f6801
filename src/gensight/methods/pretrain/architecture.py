"""The parts of a small latent diffusion model, as ordinary diffusers and transformers modules with fresh weights.

With N widths the autoencoder's stride is 2^(N-1). A denoiser takes latents of any size: its up-blocks take the sizes of
their skip connections, so odd sides are fine.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from gensight.diffusion.targets import Prediction
from gensight.errors import ConfigError

GROUPS = 8


@dataclass(frozen=True, eq=False)
class Parts:
    """What a text-to-image folder consists of."""

    autoencoder: AutoencoderKL
    denoiser: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    scheduler: DDIMScheduler

    @property
    def stride(self) -> int:
        """Image pixels per latent cell."""
        return int(2 ** (len(self.autoencoder.config.block_out_channels) - 1))

    @property
    def counts(self) -> dict[str, int]:
        """Number of parameters of each network."""
        networks = {"autoencoder": self.autoencoder, "denoiser": self.denoiser, "text encoder": self.text_encoder}
        return {name: num_parameters(network) for name, network in networks.items()}


def num_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _check_widths(widths: Sequence[int], unit: int, where: str, why: str) -> None:
    wrong = [width for width in widths if width % unit]
    if not widths or wrong:
        raise ConfigError(f"widths {list(widths)} are not multiples of {unit}, {why}", where=where)


def build_autoencoder(widths: Sequence[int], latent_channels: int) -> AutoencoderKL:
    """A light autoencoder: one residual block per scale in the encoder, two in the decoder, no attention.

    Without attention its cost grows with the image's area, and its answer hardly depends on the image's size.
    """
    _check_widths(widths, GROUPS, "autoencoder.widths", "the groups of its normalisation")
    return AutoencoderKL(
        block_out_channels=tuple(widths),
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        layers_per_block=1,
        latent_channels=latent_channels,
        norm_num_groups=GROUPS,
        mid_block_add_attention=False,
        force_upcast=False,
    )


def build_denoiser(
    widths: Sequence[int], layers_per_block: int, heads: int, text_width: int, latent_channels: int, sample_size: int
) -> UNet2DConditionModel:
    """A U-Net that attends to the text at every scale but the finest, where attention would cost most."""
    unit = GROUPS * heads // _common(GROUPS, heads)
    _check_widths(widths, unit, "denoiser.widths", f"its {GROUPS} normalisation groups and {heads} attention heads")
    plain = [True] + [False] * (len(widths) - 1)
    return UNet2DConditionModel(
        sample_size=sample_size,
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=tuple(widths),
        layers_per_block=layers_per_block,
        down_block_types=tuple("DownBlock2D" if p else "CrossAttnDownBlock2D" for p in plain),
        up_block_types=tuple("UpBlock2D" if p else "CrossAttnUpBlock2D" for p in reversed(plain)),
        cross_attention_dim=text_width,
        attention_head_dim=heads,  # diffusers' name for the number of heads, kept for SD 1.x's sake
        norm_num_groups=GROUPS,
    )


def _common(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


def build_text_encoder(tokenizer: CLIPTokenizer, width: int, layers: int, heads: int) -> CLIPTextModel:
    """A causal transformer over the tokenizer's words, in CLIP's form."""
    _check_widths([width], heads, "text.width", f"its {heads} attention heads")
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=4 * width,
            projection_dim=width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            max_position_embeddings=tokenizer.model_max_length,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            hidden_act="quick_gelu",
        )
    )


def build_scheduler(prediction: Prediction) -> DDIMScheduler:
    """Stable Diffusion's training schedule (Rombach et al., CVPR 2022), sampled by DDIM (Song et al., ICLR 2021)."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=prediction,
    )
