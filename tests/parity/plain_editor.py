"""InstructPix2Pix by its published formulas, in plain functions over a checkpoint in its original layout.

Written from the papers: the U-Net and the autoencoder of Rombach et al. (CVPR 2022), CLIP's text encoder (Radford et
al., ICML 2021), the guidance of Brooks et al. (CVPR 2023, eq. 3), and ancestral Euler steps with the noise levels of
Karras et al. (NeurIPS 2022). Nothing of the package or of diffusers is used.
"""

import math
from collections.abc import Callable, Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

State = Mapping[str, Tensor]
UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.text_model."
Denoise = Callable[[Tensor, Tensor], Tensor]


class Plain:
    """A checkpoint.

    Args:
        state: Its tensors, under the original names.
        heads: Attention heads of the U-Net and of the text encoder.
        groups: Of group normalisation.
        scale: Of latents.
    """

    def __init__(self, state: State, heads: tuple[int, int], groups: int, scale: float = 0.18215) -> None:
        self.state, self.heads, self.groups, self.scale = state, heads, groups, scale

    def _has(self, name: str) -> bool:
        return f"{name}.weight" in self.state

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.state[f"{name}.weight"], self.state.get(f"{name}.bias"))

    def _conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = self.state[f"{name}.weight"]
        return F.conv2d(x, weight, self.state[f"{name}.bias"], stride, weight.shape[-1] // 2)

    def _groups(self, name: str, x: Tensor, eps: float) -> Tensor:
        return F.group_norm(x, self.groups, self.state[f"{name}.weight"], self.state[f"{name}.bias"], eps)

    def _layers(self, name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.state[f"{name}.weight"], self.state[f"{name}.bias"], 1e-5)

    # --- U-Net ---

    def unet(self, x: Tensor, timestep: Tensor, text: Tensor) -> Tensor:
        """Predicted noise of (B, 8, h, w), at one timestep that need not be whole."""
        weight = self.state[f"{UNET}time_embed.0.weight"]
        half = weight.shape[1] // 2
        angles = timestep.float() * torch.exp(-math.log(10000) * torch.arange(half) / half)
        waves = torch.cat([angles.cos(), angles.sin()])[None]
        time = self._linear(f"{UNET}time_embed.2", F.silu(self._linear(f"{UNET}time_embed.0", waves)))
        kept, number = [], 0
        while any(name.startswith(f"{UNET}input_blocks.{number}.") for name in self.state):
            x = self._block(f"{UNET}input_blocks.{number}", x, time, text)
            kept.append(x)
            number += 1
        x = self._block(f"{UNET}middle_block", x, time, text)
        for number in range(len(kept)):
            x = self._block(f"{UNET}output_blocks.{number}", torch.cat([x, kept.pop()], 1), time, text)
        return self._conv(f"{UNET}out.2", F.silu(self._groups(f"{UNET}out.0", x, 1e-5)))

    def _block(self, name: str, x: Tensor, time: Tensor, text: Tensor) -> Tensor:
        for part in self._parts(name):
            if self._has(f"{part}.in_layers.0"):
                x = self._residual(part, x, time)
            elif self._has(f"{part}.proj_in"):
                x = self._transformer(part, x, text)
            elif self._has(f"{part}.op"):
                x = self._conv(f"{part}.op", x, stride=2)
            elif self._has(f"{part}.conv"):
                x = self._conv(f"{part}.conv", F.interpolate(x, scale_factor=2.0, mode="nearest"))
            else:
                x = self._conv(part, x)
        return x

    def _parts(self, name: str) -> Iterator[str]:
        number = 0
        while any(key.startswith(f"{name}.{number}.") for key in self.state):
            yield f"{name}.{number}"
            number += 1

    def _residual(self, name: str, x: Tensor, time: Tensor) -> Tensor:
        h = self._conv(f"{name}.in_layers.2", F.silu(self._groups(f"{name}.in_layers.0", x, 1e-5)))
        h = h + self._linear(f"{name}.emb_layers.1", F.silu(time))[:, :, None, None]
        h = self._conv(f"{name}.out_layers.3", F.silu(self._groups(f"{name}.out_layers.0", h, 1e-5)))
        return h + (self._conv(f"{name}.skip_connection", x) if self._has(f"{name}.skip_connection") else x)

    def _transformer(self, name: str, x: Tensor, text: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        tokens = self._conv(f"{name}.proj_in", self._groups(f"{name}.norm", x, 1e-6)).flatten(2).transpose(1, 2)
        for block in self._parts(f"{name}.transformer_blocks"):
            own = self._layers(f"{block}.norm1", tokens)
            tokens = tokens + self._attention(f"{block}.attn1", own, own)
            tokens = tokens + self._attention(f"{block}.attn2", self._layers(f"{block}.norm2", tokens), text)
            inner = self._linear(f"{block}.ff.net.0.proj", self._layers(f"{block}.norm3", tokens))
            value, gate = inner.chunk(2, -1)
            tokens = tokens + self._linear(f"{block}.ff.net.2", value * F.gelu(gate))
        return x + self._conv(f"{name}.proj_out", tokens.transpose(1, 2).unflatten(2, (height, width)))

    def _attention(self, name: str, queries: Tensor, others: Tensor) -> Tensor:
        q, k, v = (
            self._linear(f"{name}.to_{one}", source).unflatten(-1, (self.heads[0], -1)).transpose(1, 2)
            for one, source in (("q", queries), ("k", others), ("v", others))
        )
        weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)
        return self._linear(f"{name}.to_out.0", (weights @ v).transpose(1, 2).flatten(2))

    # --- Autoencoder ---

    def encode(self, image: Tensor) -> Tensor:
        """The unscaled mode of an image in [0, 1]."""
        x, level = self._conv(f"{VAE}encoder.conv_in", 2 * image - 1), 0
        while self._has(f"{VAE}encoder.down.{level}.block.0.conv1"):
            x = self._resnets(f"{VAE}encoder.down.{level}.block", x)
            name = f"{VAE}encoder.down.{level}.downsample.conv"
            if self._has(name):
                x = F.conv2d(F.pad(x, (0, 1, 0, 1)), self.state[f"{name}.weight"], self.state[f"{name}.bias"], 2)
            level += 1
        x = self._ends("encoder", self._middle("encoder", x))
        return self._conv(f"{VAE}quant_conv", x).chunk(2, 1)[0]

    def decode(self, latents: Tensor) -> Tensor:
        """The image of scaled latents, about in [0, 1]."""
        x = self._conv(f"{VAE}post_quant_conv", latents / self.scale)
        x = self._middle("decoder", self._conv(f"{VAE}decoder.conv_in", x))
        levels = len({name.split(".")[3] for name in self.state if name.startswith(f"{VAE}decoder.up.")})
        for level in reversed(range(levels)):
            x = self._resnets(f"{VAE}decoder.up.{level}.block", x)
            if self._has(f"{VAE}decoder.up.{level}.upsample.conv"):
                x = F.interpolate(x, scale_factor=2.0, mode="nearest")
                x = self._conv(f"{VAE}decoder.up.{level}.upsample.conv", x)
        return (self._ends("decoder", x) + 1) / 2

    def _resnets(self, name: str, x: Tensor) -> Tensor:
        for part in self._parts(name):
            x = self._resnet(part, x)
        return x

    def _resnet(self, name: str, x: Tensor) -> Tensor:
        h = self._conv(f"{name}.conv1", F.silu(self._groups(f"{name}.norm1", x, 1e-6)))
        h = self._conv(f"{name}.conv2", F.silu(self._groups(f"{name}.norm2", h, 1e-6)))
        return h + (self._conv(f"{name}.nin_shortcut", x) if self._has(f"{name}.nin_shortcut") else x)

    def _middle(self, part: str, x: Tensor) -> Tensor:
        name = f"{VAE}{part}.mid"
        x = self._resnet(f"{name}.block_1", x)
        normed = self._groups(f"{name}.attn_1.norm", x, 1e-6)
        q, k, v = (self._conv(f"{name}.attn_1.{one}", normed).flatten(2) for one in "qkv")
        weights = (q.transpose(1, 2) @ k / math.sqrt(q.shape[1])).softmax(-1)
        x = x + self._conv(f"{name}.attn_1.proj_out", (v @ weights.transpose(1, 2)).unflatten(2, x.shape[-2:]))
        return self._resnet(f"{name}.block_2", x)

    def _ends(self, part: str, x: Tensor) -> Tensor:
        return self._conv(f"{VAE}{part}.conv_out", F.silu(self._groups(f"{VAE}{part}.norm_out", x, 1e-6)))

    # --- Text ---

    def text(self, tokens: Tensor) -> Tensor:
        """(B, num_tokens, channels) of token numbers (B, num_tokens)."""
        x = self.state[f"{TEXT}embeddings.token_embedding.weight"][tokens]
        x = x + self.state[f"{TEXT}embeddings.position_embedding.weight"][: tokens.shape[1]]
        later = torch.full((tokens.shape[1],) * 2, -math.inf).triu(1)
        for layer in self._parts(f"{TEXT}encoder.layers"):
            own = self._layers(f"{layer}.layer_norm1", x)
            q, k, v = (
                self._linear(f"{layer}.self_attn.{one}_proj", own).unflatten(-1, (self.heads[1], -1)).transpose(1, 2)
                for one in "qkv"
            )
            weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + later).softmax(-1)
            x = x + self._linear(f"{layer}.self_attn.out_proj", (weights @ v).transpose(1, 2).flatten(2))
            inner = self._linear(f"{layer}.mlp.fc1", self._layers(f"{layer}.layer_norm2", x))
            x = x + self._linear(f"{layer}.mlp.fc2", inner * torch.sigmoid(1.702 * inner))
        return self._layers(f"{TEXT}final_layer_norm", x)

    # --- Sampling ---

    def guided(self, image: Tensor, words: Tensor, empty: Tensor, text_weight: float, image_weight: float) -> Denoise:
        """Brooks et al., eq. 3: the noise that three branches predict together."""

        def denoise(x_t: Tensor, timestep: Tensor) -> Tensor:
            both = self.unet(torch.cat([x_t, image], 1), timestep, words)
            seen = self.unet(torch.cat([x_t, image], 1), timestep, empty)
            nothing = self.unet(torch.cat([x_t, torch.zeros_like(image)], 1), timestep, empty)
            return nothing + image_weight * (seen - nothing) + text_weight * (both - seen)

        return denoise


def training_sigmas(first: float = 0.00085, last: float = 0.012, num: int = 1000) -> Tensor:
    """Stable Diffusion's noise levels: betas whose roots are evenly spaced."""
    betas = torch.linspace(first**0.5, last**0.5, num, dtype=torch.float64) ** 2
    kept = (1 - betas).cumprod(0)
    return ((1 - kept) / kept).sqrt()


def sigmas_of(num_steps: int) -> tuple[Tensor, Tensor]:
    """(timesteps (n,), levels (n + 1,), the last 0): even steps from the last training level to the first; between
    two levels the logarithm is interpolated."""
    logs = training_sigmas().log()
    timesteps = torch.linspace(len(logs) - 1, 0, num_steps, dtype=torch.float64)
    low = timesteps.floor().long()
    high, share = timesteps.ceil().long(), timesteps - low
    levels = ((1 - share) * logs[low] + share * logs[high]).exp()
    return timesteps, torch.cat([levels, levels.new_zeros(1)])


def ancestral_euler(denoise: Denoise, noise: Tensor, num_steps: int, added: Iterator[Tensor]) -> Tensor:
    """A clean sample; `added` gives the standard normal noise of each step."""
    timesteps, sigmas = sigmas_of(num_steps)
    x = noise * float(sigmas[0])
    for number, timestep in enumerate(timesteps):
        now, after = float(sigmas[number]), float(sigmas[number + 1])
        slope = denoise(x / math.sqrt(now**2 + 1), timestep)  # the noise that is predicted
        up = min(after, math.sqrt(after**2 * (now**2 - after**2) / now**2))
        down = math.sqrt(after**2 - up**2)
        x = x + slope * (down - now) + next(added) * up
    return x
