"""The variational bound: learned variances and the KL loss (Nichol & Dhariwal, "Improved DDPM", ICML 2021).

All values are per item, in bits per element, for x0 in [-limit, limit] that is thought of as quantised to 8 bits.
"""

import math

import torch
from torch import Tensor

from gensight.diffusion.schedules import betas

LEVELS = 255  # steps between the quantised values of x0


def posterior_mean(x0: Tensor, x_t: Tensor, timesteps: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """Mean of q(x_{t-1} | x_t, x0) (Ho et al., NeurIPS 2020, eq. 7)."""
    alpha_bar, before, beta = _levels(timesteps, alphas_cumprod, x_t)
    return before.sqrt() * beta / (1 - alpha_bar) * x0 + (1 - beta).sqrt() * (1 - before) / (1 - alpha_bar) * x_t


def log_variance_range(timesteps: Tensor, alphas_cumprod: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """(smallest, largest) log variance of a reverse step: log beta~_t and log beta_t.

    beta~ is 0 at the first level and takes the second's value there.
    """
    _, _, beta = _levels(timesteps, alphas_cumprod, like)
    second = timesteps.clamp(min=1)
    alpha_bar, before, beta_safe = _levels(second, alphas_cumprod, like)
    return (beta_safe * (1 - before) / (1 - alpha_bar)).clamp(min=1e-20).log(), beta.clamp(min=1e-20).log()


def learned_log_variance(raw: Tensor, timesteps: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """Interpolates the log variance by the network's second output, -1 (smallest) to 1 (largest) (eq. 15)."""
    low, high = log_variance_range(timesteps, alphas_cumprod, raw)
    share = (raw + 1) / 2
    return share * high + (1 - share) * low


def gaussian_kl(mean_1: Tensor, log_variance_1: Tensor, mean_2: Tensor, log_variance_2: Tensor) -> Tensor:
    """KL(N1 || N2) per element, in nats."""
    return 0.5 * (
        log_variance_2 - log_variance_1 - 1
        + (log_variance_1 - log_variance_2).exp()
        + (mean_1 - mean_2) ** 2 * (-log_variance_2).exp()
    )  # fmt: skip


def discretised_log_likelihood(x0: Tensor, mean: Tensor, log_variance: Tensor, limit: float = 1.0) -> Tensor:
    """Log probability per element of x0's bin of 1/255 of the range [-limit, limit]; the outer bins are open."""
    centred, inverse, half = x0 - mean, (-0.5 * log_variance).exp(), limit / LEVELS
    above, below = _normal_cdf(inverse * (centred + half)), _normal_cdf(inverse * (centred - half))
    floor = 1e-12
    inner = (above - below).clamp(min=floor).log()
    lowest, highest = above.clamp(min=floor).log(), (1 - below).clamp(min=floor).log()
    edge = limit * (1 - 1e-3)
    return torch.where(x0 < -edge, lowest, torch.where(x0 > edge, highest, inner))


def bound_terms(
    x0: Tensor,
    x_t: Tensor,
    x0_estimate: Tensor,
    log_variance: Tensor,
    timesteps: Tensor,
    alphas_cumprod: Tensor,
    limit: float = 1.0,
) -> Tensor:
    """float32 (B,): each item's term of the bound in bits per element: a KL, or at t = 0 the decoder's likelihood."""
    true_mean = posterior_mean(x0, x_t, timesteps, alphas_cumprod)
    true_log_variance, _ = log_variance_range(timesteps, alphas_cumprod, x_t)
    mean = posterior_mean(x0_estimate, x_t, timesteps, alphas_cumprod)
    kl = gaussian_kl(true_mean, true_log_variance, mean, log_variance).flatten(1).mean(1)
    likelihood = discretised_log_likelihood(x0, mean, log_variance, limit).flatten(1).mean(1)
    return torch.where(timesteps.to(kl.device) == 0, -likelihood, kl) / math.log(2)


def _levels(timesteps: Tensor, alphas_cumprod: Tensor, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(alpha_bar_t, alpha_bar_(t-1), beta_t), broadcastable against `like`."""
    table = alphas_cumprod.to(like.device)
    before = torch.cat([table.new_ones(1), table[:-1]])
    shape = (-1, *([1] * (like.ndim - 1)))
    t = timesteps.to(like.device)
    return table[t].view(shape), before[t].view(shape), betas(table)[t].view(shape)


def _normal_cdf(values: Tensor) -> Tensor:
    return 0.5 * (1 + torch.erf(values / math.sqrt(2)))
