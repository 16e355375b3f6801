"""The parts of a small latent diffusion model, as ordinary diffusers and transformers modules with fresh weights.

With N widths the autoencoder's stride is 2^(N-1). A denoiser takes latents of any size: its up-blocks take the sizes of
their skip connections, so odd sides are fine.
"""

import math
from collections.abc import Sequence

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from gensight.diffusion.targets import Prediction
from gensight.errors import ConfigError

GROUPS = 8
CARRIED = 8  # channels in which a fresh autoencoder carries colours: three pairs, and a pair of constants
START_CONSTANT = 2.0
START_GAINS = 0.45, 0.85  # of encoder and decoder: undo what normalisation makes of usual images
START_LOG_VARIANCE = -6.0


def _check_widths(widths: Sequence[int], unit: int, where: str, why: str) -> None:
    wrong = [width for width in widths if width % unit]
    if not widths or wrong:
        raise ConfigError(f"widths {list(widths)} are not multiples of {unit}, {why}", where=where)


def build_autoencoder(widths: Sequence[int], latent_channels: int) -> AutoencoderKL:
    """A light autoencoder: one residual block per scale in the encoder, two in the decoder, no attention.

    Without attention its cost grows with the image's area, and its answer hardly depends on the image's size. All
    channels are normalised together: with few channels, groups of them would forget how bright an image is.
    """
    _check_widths(widths, CARRIED, "autoencoder.widths", f"of which it starts with {CARRIED} carrying colours")
    autoencoder = AutoencoderKL(
        block_out_channels=tuple(widths),
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        layers_per_block=1,
        latent_channels=latent_channels,
        norm_num_groups=1,
        mid_block_add_attention=False,
        force_upcast=False,
    )
    carry_colours(autoencoder)
    return autoencoder


@torch.no_grad()
def carry_colours(autoencoder: AutoencoderKL) -> None:
    """Sets fresh weights such that the autoencoder starts as a blur: each latent cell holds its cell's mean colour.

    Learning where colours go costs a random start many hundred steps, in which normalisation hides them. Here every
    residual branch starts at zero (Zhang et al., "Fixup", ICLR 2019), and colours travel along the shortcuts as pairs
    of opposite sign, which survive the last activation because silu(x) - silu(-x) = x; two constant channels of
    opposite sign keep the normalisation from stretching the contrast of flat images. The latent starts almost without
    noise.
    """
    encoder, decoder = autoencoder.encoder, autoencoder.decoder
    for module in autoencoder.modules():
        if isinstance(module, ResnetBlock2D):
            nn.init.zeros_(module.conv2.weight)
            nn.init.zeros_(module.conv2.bias)
            if module.conv_shortcut is not None:
                _carry(module.conv_shortcut, torch.ones(1, 1))
        elif isinstance(module, Downsample2D):
            # Padded at the lower right only: the first two rows and columns are the cell's own pixels.
            _carry(module.conv, functional.pad(torch.full((2, 2), 0.25), (0, 1, 0, 1)))
        elif isinstance(module, Upsample2D):
            _carry(module.conv, torch.outer(*[torch.tensor([0.25, 0.5, 0.25])] * 2))
    _pairs_in(encoder.conv_in)
    _pairs_out(encoder.conv_out, START_GAINS[0])
    _pairs_in(decoder.conv_in)
    _pairs_out(decoder.conv_out, START_GAINS[1])
    latent_channels = autoencoder.config.latent_channels
    for convolution in (autoencoder.quant_conv, autoencoder.post_quant_conv):
        nn.init.zeros_(convolution.bias)
        nn.init.zeros_(convolution.weight)
        convolution.weight[:latent_channels, :latent_channels, 0, 0] = torch.eye(latent_channels)
    autoencoder.quant_conv.bias[latent_channels:] = START_LOG_VARIANCE


def _carry(convolution: nn.Conv2d, kernel: Tensor) -> None:
    """The colour pairs and the constants pass, each filtered by `kernel`; other channels stay as they are."""
    weight, _ = _blank(convolution, CARRIED)
    for channel in range(CARRIED):
        weight[channel, channel] = kernel


def _pairs_in(convolution: nn.Conv2d) -> None:
    """Colours (or the latent's first three channels) -> pairs of opposite sign; then the two constants."""
    weight, bias = _blank(convolution, CARRIED)
    for channel in range(3):
        weight[channel, channel, 1, 1] = 1
        weight[channel + 3, channel, 1, 1] = -1
    bias[6], bias[7] = START_CONSTANT, -START_CONSTANT


def _pairs_out(convolution: nn.Conv2d, gain: float) -> None:
    """Pairs of opposite sign -> colours (or the latent's first three channels)."""
    weight, _ = _blank(convolution, 3)
    for channel in range(3):
        weight[channel, channel, 1, 1] = gain
        weight[channel, channel + 3, 1, 1] = -gain


def _blank(convolution: nn.Conv2d, count: int) -> tuple[Tensor, Tensor]:
    """Weight and bias, with those of the first `count` output channels set to zero."""
    assert convolution.bias is not None, "the autoencoder's convolutions have biases"
    convolution.weight[:count] = 0
    convolution.bias[:count] = 0
    return convolution.weight, convolution.bias


def build_denoiser(
    widths: Sequence[int], text_width: int, latent_channels: int, sample_size: int, heads: int = 4
) -> UNet2DConditionModel:
    """A U-Net that attends to the text at every scale but the finest, where attention would cost most."""
    unit = math.lcm(GROUPS, heads)
    _check_widths(widths, unit, "denoiser.widths", f"its {GROUPS} normalisation groups and {heads} attention heads")
    plain = [True] + [False] * (len(widths) - 1)
    return UNet2DConditionModel(
        sample_size=sample_size,
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=tuple(widths),
        layers_per_block=1,
        down_block_types=tuple("DownBlock2D" if p else "CrossAttnDownBlock2D" for p in plain),
        up_block_types=tuple("UpBlock2D" if p else "CrossAttnUpBlock2D" for p in reversed(plain)),
        cross_attention_dim=text_width,
        attention_head_dim=heads,  # diffusers' name for the number of heads, kept for SD 1.x's sake
        norm_num_groups=GROUPS,
    )


def build_text_encoder(tokenizer: CLIPTokenizer, width: int, layers: int, heads: int = 4) -> CLIPTextModel:
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


def build_noise_schedule(prediction: Prediction) -> DDPMScheduler:
    """Stable Diffusion's training schedule (Rombach et al., CVPR 2022), with what DDIM needs to know of it."""
    return DDPMScheduler.from_config(
        DDIMScheduler(
            num_train_timesteps=1000,
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
            prediction_type=prediction,
        ).config
    )
