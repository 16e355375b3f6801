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
