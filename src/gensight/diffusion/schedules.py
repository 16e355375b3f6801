"""Noise schedules by name, from diffusers' schedulers."""

from typing import Literal

import torch
from torch import Tensor

from gensight.errors import ConfigError

ScheduleName = Literal["linear", "cosine"]


def alphas_cumprod(kind: ScheduleName = "linear", num_timesteps: int = 1000, zero_terminal_snr: bool = False) -> Tensor:
    """float32 (num_timesteps,): alpha_bar_t, falling.

    Args:
        kind: `linear`, beta from 1e-4 to 0.02 scaled by 1000 / num_timesteps (Ho et al., NeurIPS 2020); `cosine`
            (Nichol & Dhariwal, ICML 2021, eq. 17).
        num_timesteps: Number of noise levels; at least 20, or linear betas would exceed 1.
        zero_terminal_snr: Shifts sqrt(alpha_bar) so that the last level is pure noise and the first stays (Lin et al.,
            WACV 2024, algorithm 1).
    """
    if num_timesteps < 20:
        raise ConfigError(f"a schedule needs at least 20 noise levels, got {num_timesteps}", where="train_steps")
    from diffusers import DDPMScheduler

    scale = 1000 / num_timesteps
    scheduler = DDPMScheduler(
        num_train_timesteps=num_timesteps,
        beta_start=1e-4 * scale,
        beta_end=min(0.02 * scale, 0.999),
        beta_schedule={"linear": "linear", "cosine": "squaredcos_cap_v2"}[kind],
        rescale_betas_zero_snr=zero_terminal_snr,
    )
    values: Tensor = scheduler.alphas_cumprod.to(torch.float32)
    return values


def betas(alpha_bar: Tensor) -> Tensor:
    """float32 (num_timesteps,): beta_t = 1 - alpha_bar_t / alpha_bar_(t-1)."""
    return 1 - alpha_bar / torch.cat([alpha_bar.new_ones(1), alpha_bar[:-1]])
