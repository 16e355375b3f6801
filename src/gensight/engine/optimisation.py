"""How parameters are moved: optimisers, their rates and schedules."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import torch
from torch.optim import Optimizer

from gensight.engine.muon import Muon
from gensight.methods.base import Method

RateSchedule = Literal["constant", "cosine", "linear", "constant-then-linear"]
DECAY_SHARE = 0.3  # of a training under `constant-then-linear`
OptimiserName = Literal["adamw", "adam", "sgd"]


@dataclass(frozen=True)
class Optimisation:
    """How parameters are moved.

    Attributes:
        steps: Optimiser steps in all.
        learning_rate: Peak rate.
        weight_decay: Decoupled with AdamW, part of the gradient with SGD.
        warmup_steps: Linear warm-up; the first step already moves.
        schedule: `constant`; `cosine` down to 1 % of the peak; `linear` down to 5 %; `constant-then-linear`: constant,
            then down to 0 over the last 30 % of the steps, or of the time where that ends the training first. A rate
            that is constant for most of the way lets an unfinished training be lengthened or shortened.
        clip: Global gradient norm, or None.
        accumulate: Batches per optimiser step.
        ema: Decay of the exponential moving average of the trained parameters, or None.
        optimiser: `adamw`; `adam`, whose decay is part of the gradient; or `sgd` with momentum.
        momentum: Of SGD.
        betas: Of AdamW.
        fused: Whether AdamW moves all parameters in one kernel, which is faster where they are many and small.
        muon_rate: Peak rate of Muon, which then trains the inner matrices, and AdamW all else; None: no Muon.
        muon_precision: Of Muon's arithmetic.
    """

    steps: int
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    warmup_steps: int = 0
    schedule: RateSchedule = "constant"
    clip: float | None = None
    accumulate: int = 1
    ema: float | None = None
    optimiser: OptimiserName = "adamw"
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    fused: bool = False
    muon_rate: float | None = None
    muon_precision: torch.dtype = torch.float32

    def build(self, groups: list[dict[str, Any]], names: Mapping[int, str] | None = None) -> Optimizer:
        """The optimiser of these groups, as `Method.parameter_groups` gives them.

        Args:
            groups: All parameters that are trained.
            names: `id` of a parameter -> its name in the method, by which Muon recognises outer layers.
        """
        if self.muon_rate is not None:
            named = [((names or {}).get(id(one), ""), one) for group in groups for one in group["params"]]
            trained = [(name, one) for name, one in named if one.requires_grad]
            return Muon(
                trained, self.muon_rate, self.learning_rate, betas=self.betas, weight_decay=self.weight_decay,
                precision=self.muon_precision,
            )  # fmt: skip
        rated = [{"params": one["params"], "lr": self.learning_rate * one.get("lr_scale", 1.0)} for one in groups]
        match self.optimiser:
            case "adamw":
                return torch.optim.AdamW(
                    rated, betas=self.betas, weight_decay=self.weight_decay, fused=self.fused or None
                )
            case "adam":
                return torch.optim.Adam(rated, betas=self.betas, weight_decay=self.weight_decay)
            case "sgd":
                return torch.optim.SGD(rated, momentum=self.momentum, weight_decay=self.weight_decay)

    def optimisers(self, method: Method) -> list[Optimizer]:
        """One for each optimizer group of a method."""
        names = {id(parameter): name for name, parameter in method.named_parameters()}
        return [self.build(method.parameter_groups(group), names) for group in method.optimizer_groups]

    def rate(self, step: int, time_share: float = 0.0) -> float:
        """The factor on the peak rate at an optimiser step, after this share of the time that a training may take."""
        warm = min(1.0, (step + 1) / (self.warmup_steps + 1))
        done = min(1.0, step / max(1, self.steps))
        match self.schedule:
            case "constant":
                return warm
            case "cosine":
                return warm * (0.01 + 0.99 * 0.5 * (1 + float(torch.cos(torch.tensor(done * torch.pi)))))
            case "linear":
                return warm * max(0.05, 1 - done)
            case "constant-then-linear":
                return max(0.0, min(warm, (1 - max(done, time_share)) / DECAY_SHARE))
            case _:
                assert_never(self.schedule)
