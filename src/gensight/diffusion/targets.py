"""Training targets on top of diffusers' schedulers: what the network predicts.

With alpha = sqrt(alpha_bar_t) and sigma = sqrt(1 - alpha_bar_t): x_t = alpha x0 + sigma epsilon (Ho et al., NeurIPS
2020, eq. 4) and v = alpha epsilon - sigma x0 (Salimans & Ho, ICLR 2022, appendix D). Batches have the item axis first.
"""

from typing import Literal

from torch import Tensor

Prediction = Literal["epsilon", "v_prediction", "sample"]


def _coefficients(alphas_cumprod: Tensor, timesteps: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    alpha_bar = alphas_cumprod.to(like.device)[timesteps.to(like.device)].to(like.dtype)
    alpha_bar = alpha_bar.view(-1, *([1] * (like.ndim - 1)))
    return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()


def add_noise(x0: Tensor, noise: Tensor, timesteps: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """x_t = alpha x0 + sigma epsilon, at each item's timestep."""
    alpha, sigma = _coefficients(alphas_cumprod, timesteps, x0)
    return alpha * x0 + sigma * noise


def target(x0: Tensor, noise: Tensor, timesteps: Tensor, alphas_cumprod: Tensor, prediction: Prediction) -> Tensor:
    """What the network should answer, for a scheduler's `prediction_type`."""
    if prediction == "epsilon":
        return noise
    if prediction == "sample":
        return x0
    alpha, sigma = _coefficients(alphas_cumprod, timesteps, x0)
    return alpha * noise - sigma * x0


def clean_estimate(
    output: Tensor, x_t: Tensor, timesteps: Tensor, alphas_cumprod: Tensor, prediction: Prediction
) -> Tensor:
    """The x0 that an output stands for."""
    alpha, sigma = _coefficients(alphas_cumprod, timesteps, x_t)
    if prediction == "epsilon":
        return (x_t - sigma * output) / alpha
    if prediction == "sample":
        return output
    return alpha * x_t - sigma * output
