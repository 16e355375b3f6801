"""A U-Net that denoises the gaze heatmap under cross-attention to the scene and the head.

The encoders run once for a person, whatever the number of steps; the U-Net alone runs at each step.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from gensight.diffusion import targets, variational
from gensight.diffusion.noise import item_noise, item_timesteps, item_uniform
from gensight.diffusion.sampling import (
    SamplerName,
    Sampling,
    normalise,
    sample,
    scale_input,
    unscale_output,
    with_offset,
)
from gensight.diffusion.schedules import ScheduleName, alphas_cumprod
from gensight.diffusion.weighting import Weighting, loss_weights, refuse_infinite
from gensight.encodings.gaze import IN_FRAME, MAP, POINT
from gensight.errors import ConfigError
from gensight.methods.base import Method
from gensight.methods.gaze.directions import direction_losses
from gensight.methods.gaze.encoders import Encoded, InFrameHead, SceneAndHead
from gensight.methods.gaze.losses import in_frame_loss, map_weights, soft_argmax
from gensight.methods.loss import Loss
from gensight.samples import Batch, Size

Target = Literal["epsilon", "x0", "v"]
DiffusionLoss = Literal["mse", "hybrid", "kl"]
_PREDICTIONS: dict[str, targets.Prediction] = {"epsilon": "epsilon", "x0": "sample", "v": "v_prediction"}
_STEP, _NOISE, _SIGMA, _OFFSET, _SAMPLE = 1, 2, 3, 4, 64  # streams of an item's randomness


class Condition(NamedTuple):
    """What the U-Net is conditioned on, scene and head; the same at every step.

    Attributes:
        tokens: (B, n, channels) that it attends to.
        maps: (B, beside, grid), concatenated to x_t; None without.
    """

    tokens: Tensor
    maps: Tensor | None = None


class DiffusionGaze(Method):
    """Learns to denoise gaze heatmaps; predicts the mean of several samples, and their spread.

    Args:
        encoder: Both images: a joint map for in or out of frame, and tokens that the U-Net attends to.
        grid: (height, width) of the heatmap; a multiple of 8.

    The other arguments are fields of `config.gaze.GazeDiffusionConfig`, which describes them.

    Raises:
        ConfigError: For choices that mean nothing together.
    """

    sampling: Sampling
    alphas_cumprod: Tensor

    def __init__(
        self,
        encoder: SceneAndHead,
        grid: Size = (64, 64),
        *,
        widths: Sequence[int] = (8, 16, 24, 32),
        attention: Sequence[bool] = (False, True, True, False),
        num_blocks: int = 1,
        num_heads: int = 4,
        dropout: float = 0.0,
        train_steps: int = 1000,
        schedule: ScheduleName = "linear",
        zero_terminal_snr: bool = False,
        target: Target = "x0",
        scale: float = 0.1,
        normalise: bool = True,
        sigma_range: tuple[float, float] | None = (7.0, 10.0),
        offset_noise: float = 0.0,
        loss: DiffusionLoss = "mse",
        weighting: Weighting = "constant",
        snr_limit: float = 5.0,
        point_weight: float = 0.0,
        in_frame_weight: float = 0.01,
        direction_weight: float = 0.0,
        beside: int = 0,
        sampler: SamplerName = "ddim",
        sample_steps: int = 10,
        num_draws: int = 1,
    ) -> None:
        super().__init__()
        self.prediction = _PREDICTIONS[target]
        refuse_infinite(weighting, self.prediction, zero_terminal_snr)
        self.encoder, self.grid = encoder, (grid[0], grid[1])
        self.scale, self.normalise, self.sigma_range, self.offset_noise = scale, normalise, sigma_range, offset_noise
        self.loss, self.weighting, self.snr_limit = loss, weighting, snr_limit
        self.point_weight, self.in_frame_weight, self.direction_weight = point_weight, in_frame_weight, direction_weight
        self.sampling = Sampling(sampler, sample_steps, num_samples=num_draws)
        self.unet = _unet(
            widths,
            attention,
            grid,
            num_heads,
            in_channels=1 + beside,
            out_channels=2 if loss != "mse" else 1,
            layers_per_block=num_blocks,
            cross_attention_dim=encoder.channels,
            dropout=dropout,
        )
        self.in_frame = InFrameHead(2 * encoder.channels)
        self.beside = nn.Conv2d(2 * encoder.channels, beside, 1) if beside else None
        self.register_buffer("alphas_cumprod", alphas_cumprod(schedule, train_steps, zero_terminal_snr), False)

    # --- Learning ---

    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        seen = self.encoder(batch)
        x0 = scale_input(self._maps(batch), self.scale)
        timesteps = item_timesteps(batch.keys, 0, len(self.alphas_cumprod), _STEP).to(x0.device)
        noise = self._noise(batch.keys, _NOISE).to(x0)
        if self.offset_noise:
            offsets = item_noise(batch.keys, (1, 1, 1), _OFFSET).to(x0)
            noise = with_offset(noise, offsets, self.offset_noise)
        x_t = targets.add_noise(x0, noise, timesteps, self.alphas_cumprod)
        output, variance = self._run(x_t, timesteps, self.condition(seen))
        estimate = self._estimate(output, x_t, timesteps)
        goal = targets.target(x0, noise, timesteps, self.alphas_cumprod, self.prediction)
        level = loss_weights(self.weighting, timesteps, self.alphas_cumprod, self.prediction, self.snr_limit)
        each = level * ((output - goal) ** 2).flatten(1).mean(1)
        if variance is not None:
            log_variance = variational.learned_log_variance(variance, timesteps, self.alphas_cumprod)
            # Under `hybrid` the bound trains the variance alone (Nichol & Dhariwal, section 3.1), scaled to T / 1000.
            mean_of = estimate.detach() if self.loss == "hybrid" else estimate
            bound = variational.bound_terms(x0, x_t, mean_of, log_variance, timesteps, self.alphas_cumprod, self.scale)
            bound = bound * len(self.alphas_cumprod)
            each = bound if self.loss == "kl" else each + bound / 1000
        weights = map_weights(batch)
        in_frame = in_frame_loss(self.in_frame(seen.joint), batch, self.in_frame_weight)
        losses = {MAP: Loss.over(each, weights), IN_FRAME: in_frame}
        if self.point_weight:
            places = soft_argmax(unscale_output(estimate, self.scale))
            squared = ((places - batch.targets[POINT]) ** 2).sum(1)
            losses["point"] = Loss.over(squared, weights, self.point_weight)
        return losses | direction_losses(seen.direction, batch, self.direction_weight)

    def _maps(self, batch: Batch) -> Tensor:
        """(B, 1, grid) in [0, 1]: the encoding's, or drawn again with each item's own sigma."""
        known = batch.targets[MAP]
        if self.sigma_range is None:
            return known
        low, high = self.sigma_range
        sigma = (low + (high - low) * item_uniform(batch.keys, _SIGMA)).to(known).view(-1, 1, 1, 1)
        height, width = self.grid
        x = torch.arange(width, device=known.device) + 0.5 - batch.targets[POINT][:, :1] * width
        y = torch.arange(height, device=known.device) + 0.5 - batch.targets[POINT][:, 1:] * height
        maps = (-(x[:, None, None] ** 2 + y[:, None, :, None] ** 2) / (2 * sigma**2)).exp()
        return maps * (known.amax((-2, -1), keepdim=True) > 0)  # out of the frame stays empty

    # --- Prediction ---

    @torch.no_grad()
    def predict(self, batch: Batch, sampling: Sampling | None = None) -> dict[str, Tensor]:
        """`gaze`, `in_frame`, and with several samples `spread` (B, 1): their distance from the mean, as a share of the
        map's diagonal.

        Raises:
            ConfigError: For more steps than noise levels.
        """
        how = self.sampling.changed(sampling)
        seen = self.encoder(batch)
        condition = self.condition(seen)
        samples = torch.stack([self._sample(batch, condition, how, k) for k in range(how.num_samples or 1)])
        outputs = {MAP: samples.mean(0), IN_FRAME: self.in_frame(seen.joint).sigmoid()[:, None]}
        if len(samples) > 1:
            places = torch.stack([soft_argmax(one) for one in samples])
            distance = ((places - places.mean(0)) ** 2).sum(-1).mean(0).sqrt()
            outputs["spread"] = distance[:, None] / 2**0.5
        return outputs

    def condition(self, seen: Encoded) -> Condition:
        """What every step of a sample is conditioned on."""
        if self.beside is None:
            return Condition(seen.tokens)
        maps = functional.interpolate(self.beside(seen.joint), size=self.grid, mode="bilinear", align_corners=False)
        return Condition(seen.tokens, maps)

    def denoise(self, x_t: Tensor, timesteps: Tensor, condition: Condition) -> Tensor:
        """The estimate of x0 (B, 1, grid) in [-scale, scale] (not clamped) at noise levels (B,)."""
        return self._estimate(self._run(x_t, timesteps, condition)[0], x_t, timesteps)

    def _sample(self, batch: Batch, condition: Condition, how: Sampling, number: int) -> Tensor:
        """The map of one sample, (B, 1, grid) in [0, 1]."""
        assert how.steps is not None and how.sampler is not None  # as the method's own sampling has it
        item_keys = how.keys(batch.keys)
        noise = self._noise(item_keys, _SAMPLE + number).to(condition.tokens)
        keys = [int(key) + number for key in item_keys]
        estimate = partial(self.denoise, condition=condition)
        x0 = sample(estimate, noise, self.alphas_cumprod.cpu(), how.steps, how.sampler, self.scale, keys)
        return unscale_output(x0, self.scale).to(condition.tokens)

    def _noise(self, keys: Tensor, stream: int) -> Tensor:
        return item_noise(keys, (1, *self.grid), stream)

    def _run(self, x_t: Tensor, timesteps: Tensor, condition: Condition) -> tuple[Tensor, Tensor | None]:
        """(what the network predicts, its raw variance where that is learned)."""
        seen = normalise(x_t) if self.normalise else x_t
        if condition.maps is not None:
            seen = torch.cat([seen, condition.maps], dim=1)
        scaled = timesteps * (1000 / len(self.alphas_cumprod))
        output: Tensor = self.unet(seen, scaled, condition.tokens).sample
        return (output[:, :1], output[:, 1:]) if self.loss != "mse" else (output, None)

    def _estimate(self, output: Tensor, x_t: Tensor, timesteps: Tensor) -> Tensor:
        return targets.clean_estimate(output, x_t, timesteps, self.alphas_cumprod, self.prediction)


def _unet(widths: Sequence[int], attention: Sequence[bool], grid: Size, num_heads: int, **options: int | float) -> Any:
    """Raises ConfigError where the grid or the heads don't divide."""
    if any(side % 2 ** (len(widths) - 1) for side in grid):
        raise ConfigError(
            f"a map of {grid[0]} x {grid[1]} cannot be halved {len(widths) - 1} times", where="encoding.grid"
        )
    odd = [w for w, at in zip(widths, attention, strict=True) if (at or w == widths[-1]) and w % num_heads]
    if odd:
        raise ConfigError(
            f"{odd[0]} channels cannot be shared by {num_heads} attention heads", where="method.num_heads"
        )
    from diffusers import UNet2DConditionModel

    unet: Any = UNet2DConditionModel(
        sample_size=list(grid),
        block_out_channels=list(widths),
        down_block_types=["CrossAttnDownBlock2D" if at else "DownBlock2D" for at in attention],
        up_block_types=["CrossAttnUpBlock2D" if at else "UpBlock2D" for at in reversed(attention)],
        attention_head_dim=num_heads,  # diffusers' name for the number of heads
        norm_num_groups=next(groups for groups in (32, 16, 8, 4, 2, 1) if all(w % groups == 0 for w in widths)),
        **options,
    )
    nn.init.zeros_(unet.conv_out.weight)  # begins by predicting nothing
    return unet
