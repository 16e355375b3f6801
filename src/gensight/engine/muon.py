"""Muon: momentum whose matrices are made orthogonal before they are applied.

Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024). On one CPU core small convolutional
networks learn from about half as many images as with AdamW.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
OUTER_LAYERS = ("conv_in", "conv_out", "quant_conv", "embedding")  # they read or write values, and stay with AdamW


def orthogonalised(matrix: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """A matrix with the singular vectors of `matrix`, and singular values near 1 (within about 0.7 to 1.2).

    The iteration forgets rounding errors, so bfloat16 will do.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = (x / (x.norm() + 1e-7)).to(precision)
    for _ in range(NEWTON_SCHULZ_STEPS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if tall else x).to(matrix)


class Muon(torch.optim.Optimizer):
    """Muon for matrices and convolutions (as output x all inputs), AdamW for all else.

    Args:
        parameters: Names and parameters; those of `OUTER_LAYERS`, and vectors, are left to AdamW.
        lr: Of Muon: the spectral norm of one step.
        adam_lr: Of AdamW.
        momentum: Of Muon.
        betas: Of AdamW.
        weight_decay: Of both, times their rate.
        precision: In which matrices are made orthogonal.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        lr: float = 0.01,
        adam_lr: float = 1e-3,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.precision = precision
        inner: list[nn.Parameter] = []
        outer: list[nn.Parameter] = []
        for name, parameter in parameters:
            is_inner = parameter.ndim >= 2 and not any(part in name for part in OUTER_LAYERS)
            (inner if is_inner else outer).append(parameter)
        groups: list[dict[str, Any]] = [
            {"params": inner, "lr": lr, "is_muon": True},
            {"params": outer, "lr": adam_lr, "is_muon": False},
        ]
        super().__init__(groups, {"momentum": momentum, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step, after the closure where there is one; parameters without a gradient stay as they are."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            update = self._muon_step if group["is_muon"] else self._adam_step
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    update(parameter, parameter.grad, group)
        return loss

    def _muon_step(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(gradient, 1 - group["momentum"])
        direction = gradient.lerp(state["momentum"], group["momentum"]).flatten(1)  # Nesterov's
        scale = max(1.0, direction.shape[0] / direction.shape[1]) ** 0.5
        parameter.add_(orthogonalised(direction, self.precision).reshape(parameter.shape), alpha=-group["lr"] * scale)

    def _adam_step(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"], state["mean"], state["square"] = 0, torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        first, second = group["betas"]
        state["mean"].lerp_(gradient, 1 - first)
        state["square"].lerp_(gradient.square(), 1 - second)
        mean = state["mean"] / (1 - first ** state["step"])
        square = state["square"] / (1 - second ** state["step"])
        parameter.add_(mean / (square.sqrt() + 1e-8), alpha=-group["lr"])
