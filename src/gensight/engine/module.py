"""The one LightningModule: any Method, any number of optimizer groups, manual optimisation."""

from collections.abc import Callable
from typing import Any

import lightning as L
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from gensight.engine.optimisation import Optimisation
from gensight.engine.processes import sum_over_processes
from gensight.methods.base import Method
from gensight.methods.loss import reduce_losses
from gensight.samples import Batch

<<<<<<< HEAD
=======
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

>>>>>>> w-land

class MethodModule(L.LightningModule):
    """Trains a Method. Each optimizer group has its own optimiser and schedule; clips and accumulates gradients.

    Args:
        method: What is trained.
        optimisation: How.
        validate: Called with the module in evaluation mode; gives named validation scores, or None without validation.
        time_share: Gives the share of its time that the training has taken.
        identity: Hash of all that the weights depend on but the number of steps; checkpoints keep it.
    """

    def __init__(
        self,
        method: Method,
        optimisation: Optimisation,
        validate: Callable[[Method], dict[str, float]] | None = None,
        time_share: Callable[[], float] = lambda: 0.0,
        identity: str = "",
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.method, self.optimisation, self.validate_with = method, optimisation, validate
        self.time_share, self.identity = time_share, identity
        self.average: dict[str, Tensor] = {}
        self.num_batches = 0

    @property
    def num_steps(self) -> int:
        """Optimiser steps taken."""
        return self.num_batches // self.optimisation.accumulate

    def completes(self, steps: int) -> bool:
        """Whether the latest batch has completed a multiple of so many optimiser steps."""
        return self.num_batches % (steps * self.optimisation.accumulate) == 0

    def configure_optimizers(self) -> Any:
        optimisers = self.optimisation.optimisers(self.method)
        # A plain function: a bound method would be saved with the schedule.
        return optimisers, [
            LambdaLR(o, lambda step: self.optimisation.rate(step, self.time_share())) for o in optimisers
        ]

    def on_train_start(self) -> None:
        """A resumed training follows its schedule from the first step on, also where it has been lengthened."""
        for schedule in _listed(self.lr_schedulers()):
            rate = self.optimisation.rate(schedule.last_epoch, self.time_share())
            for group, peak in zip(schedule.optimizer.param_groups, schedule.base_lrs, strict=True):
                group["lr"] = peak * rate

    def training_step(self, batch: Batch, batch_index: int) -> None:
        accumulate = self.optimisation.accumulate
        self.num_batches += 1
        takes_step = self.completes(1)
        optimisers, schedules = _listed(self.optimizers()), _listed(self.lr_schedulers())
        world = self._world_size
        self.latest: dict[str, Tensor] = {}
        for group, optimiser, schedule in zip(self.method.optimizer_groups, optimisers, schedules, strict=True):
            self.toggle_optimizer(optimiser)
            losses = reduce_losses(self.method.losses(batch, group), sum_over_processes if world > 1 else None)
            self.manual_backward(losses.share * world / accumulate)  # gradients are averaged over the processes
            if takes_step:
                if self.optimisation.clip is not None:
                    self.clip_gradients(optimiser, self.optimisation.clip, gradient_clip_algorithm="norm")
                optimiser.step()
                optimiser.zero_grad()
                schedule.step()
            self.untoggle_optimizer(optimiser)
            # The first group's losses keep their names; those of other groups get the group's name as a prefix.
            prefix = "" if group == self.method.optimizer_groups[0] else f"{group}_"
            self.latest |= {f"{prefix}{name}": value for name, value in losses.values.items()}
        if takes_step:
            self._update_average()

    @property
    def _world_size(self) -> int:
        return self.trainer.world_size if self._trainer is not None else 1

    # --- Exponential moving average of what is trained ---

    def _update_average(self) -> None:
        decay = self.optimisation.ema
        if decay is None:
            return
        # The early average follows quickly: (1 + n) / (10 + n), as in the training of EMA-averaged image models.
        decay = min(decay, (1 + self.num_steps) / (10 + self.num_steps))
        for name, parameter in self.method.named_parameters():
            if parameter.requires_grad:
                value = parameter.detach()
                known = self.average.setdefault(name, value.clone())
                known.lerp_(value, 1 - decay)

    def final_state(self) -> dict[str, Tensor]:
        """What a run saves: the trained state, averaged where an average is kept."""
        return {**self.method.trained_state(), **self.average}

    # --- Checkpoints hold what was trained, not the frozen backbone ---

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        trained = self.method.trained_state()
        checkpoint["state_dict"] = {f"method.{name}": tensor for name, tensor in trained.items()}
        checkpoint["gensight"] = {
            "num_batches": self.num_batches, "average": self.average, "identity": self.identity
        }  # fmt: skip

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        own = checkpoint["gensight"]
        self.num_batches, self.average = own["num_batches"], own["average"]
        frozen = {f"method.{name}": tensor for name, tensor in self.method.state_dict().items()}
        checkpoint["state_dict"] = {**frozen, **checkpoint["state_dict"]}


def _listed(one_or_many: Any) -> list[Any]:
    return list(one_or_many) if isinstance(one_or_many, list | tuple) else [one_or_many]
