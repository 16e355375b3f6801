"""How the errors of different noise levels are weighed against each other.

Weights are defined on the error of x0 and carried over to what the network predicts: with snr = alpha_bar / (1 -
alpha_bar), |x0 error|^2 = |epsilon error|^2 / snr = |v error|^2 / (snr + 1). So Min-SNR is min(snr, k) on x0,
min(snr, k) / snr on epsilon and min(snr, k) / (snr + 1) on v (Hang et al., ICCV 2023, section 3.4). `constant` is the
plain squared error of whatever is predicted.
"""

from typing import Literal

import torch
from torch import Tensor

from gensight.diffusion.targets import Prediction
from gensight.errors import ConfigError

Weighting = Literal["constant", "snr", "inverse-snr", "truncated-snr", "min-snr", "max-snr"]


def refuse_infinite(weighting: Weighting, prediction: Prediction, zero_terminal_snr: bool) -> None:
    """Raises ConfigError where a weight or a target is infinite at a noise level without signal."""
    if not zero_terminal_snr:
        return
    if prediction == "epsilon":
        raise ConfigError(
            "zero_terminal_snr and target=epsilon don't go together: pure noise says nothing about x0",
            hint="predict v or x0, or keep a little signal (zero_terminal_snr=false)",
        )
    if weighting == "inverse-snr":
        raise ConfigError(
            "zero_terminal_snr and weighting=inverse-snr don't go together: the last level would weigh infinitely",
            hint="choose another weighting, or zero_terminal_snr=false",
        )


def loss_weights(
    weighting: Weighting, timesteps: Tensor, alphas_cumprod: Tensor, prediction: Prediction, limit: float = 5.0
) -> Tensor:
    """float32 (B,): the weight of each item's squared error.

    Args:
        weighting: On x0: `snr`; `inverse-snr`, 1 / snr; `truncated-snr`, max(snr, 1) (Salimans & Ho, ICLR 2022);
            `min-snr`, min(snr, limit); `max-snr`, max(snr, limit); `constant`: 1 on any target.
        timesteps: int64 (B,).
        alphas_cumprod: float32 (T,).
        prediction: What the network predicts.
        limit: k of `min-snr` and `max-snr`.
    """
    alpha_bar = alphas_cumprod[timesteps.to(alphas_cumprod.device)].float()
    snr = alpha_bar / (1 - alpha_bar)
    match weighting:
        case "constant":
            return torch.ones_like(snr)
        case "snr":
            weights = snr
        case "inverse-snr":
            weights = 1 / snr
        case "truncated-snr":
            weights = snr.clamp(min=1)
        case "min-snr":
            weights = snr.clamp(max=limit)
        case "max-snr":
            weights = snr.clamp(min=limit)
    if prediction == "epsilon":
        return weights / snr
    return weights if prediction == "sample" else weights / (snr + 1)
