"""`--dry-run`: everything is built and a few batches are run, to estimate time and memory; nothing is kept."""

import time
from dataclasses import dataclass

import psutil
import torch

from gensight.assembly.backbones import build_backbone, resolve_preset
from gensight.assembly.devices import choose_device
from gensight.assembly.experiment import Experiment
from gensight.assembly.methods import build_method
from gensight.config.protocols import TEACHER, TRAINED
from gensight.config.schema import RunConfig
from gensight.files.progress import clock
from gensight.skeletons import pairs_text
from gensight.studies.costs import Costing, Costs, cached_views

START_SECONDS = 6.5  # imports of all that trains
STEPS = "steps"  # its name among the parts
REPORT_SECONDS = 2.0  # the run opened again, intervals, the report


@dataclass(frozen=True, eq=False)
class DryRun:
    """What a training will learn from, and what its parts took, for a few items each.

    Attributes:
        experiment: The recipe with its data.
        device: Where it was measured.
        num_items: Training items; `num_validated`, `num_tested`: of the other parts.
        num_trained, num_parameters: Numbers of parameters.
        costs: As measured.
        memory_bytes: Of the device, or of this process.
    """

    experiment: Experiment
    device: str
    num_items: int
    num_validated: int
    num_tested: int
    num_trained: int
    num_parameters: int
    costs: Costs
    memory_bytes: int

    @property
    def steps(self) -> int:
        """That the time limit lets it take."""
        training = self.experiment.config.training
        per_step = self.costs.step * training.accumulate
        if training.max_minutes is None:
            return training.steps
        left = 60 * training.max_minutes - self._reading
        return max(1, min(training.steps, round(left / per_step)))

    @property
    def _reading(self) -> float:
        """Of images or features that are read for the first time."""
        training, views = self.experiment.config.training, 1 if self.costs.view is None else self._views
        return self.costs.reading * min(self.num_items * views, training.steps * training.batch_size)

    @property
    def _views(self) -> int:
        return cached_views(self.experiment)

    @property
    def parts(self) -> dict[str, float]:
        """Estimate of seconds by part, in the order in which they come; those that take none are left out."""
        config, costs = self.experiment.config, self.costs
        cached = (costs.view or 0.0) * (self.num_items * self._views + self.num_validated)
        steps = self._reading + costs.step * config.training.accumulate * self.steps
        checks = self.steps // config.training.validate_every + 1  # once more for the confidence
        validation = checks * self.num_validated * costs.checked
        beside = [name for name in config.baselines if name in TRAINED and config.backbone.kind != "scratch"]
        scoring = (costs.scored + costs.kept + sum(costs.baselines.values())) * self.num_tested
        parts = {
            "start": START_SECONDS + costs.opening,
            "first stages": costs.stages,
            "feature cache": cached,
            STEPS: steps,
            "validation": validation,
            "scores": scoring + (REPORT_SECONDS if self.num_tested else 0.0),
            # `scratch` is trained as long as the run; each is scored, too.
            f"{' and '.join(beside)} beside it": len(beside)
            * (costs.stages + cached + steps + validation + costs.scored * self.num_tested),
        }
        return {name: seconds for name, seconds in parts.items() if seconds > 0}

    @property
    def seconds(self) -> float:
        """Estimate of all that the command does."""
        return sum(self.parts.values())

    def text(self) -> str:
        """As lines for the terminal."""
        splits, skeleton, config = self.experiment.splits, self.experiment.skeleton, self.experiment.config
        parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
        sizes = ", ".join(f"{name} {len(reader)}" for name, reader in parts.items() if reader is not None)
        lines = [f"data        {config.data.kind}: {sizes} samples; {self.num_items} training items"]
        lines += [f"warning     {line}" for line in self.experiment.label_warnings()]
        if skeleton is not None:
            lines.append(f"keypoints   {skeleton.name}: {len(skeleton)}")
            lines.append(f"pairs       left-right: {pairs_text(skeleton.keypoints, skeleton.mirror)}")
            lines += [f"sides       {self.experiment.sides_note}"] if self.experiment.sides_note else []
        training, costs = config.training, self.costs
        unknown = [name for name in config.baselines if name.startswith(TEACHER)]
        limit = "" if training.max_minutes is None else f"; no step begins after {training.max_minutes:g} minutes"
        return "\n".join([
            *lines,
            f"model       {self.num_trained:,} of {self.num_parameters:,} parameters trained; backbone "
            f"{config.backbone.kind}",
            f"one step    {costs.step:.2f} s for a batch of {training.batch_size} on {self.device}"
            f"{'' if costs.view is None else ' with cached features'}",
            f"memory      {self.memory_bytes / 1e9:.2f} GB",
            f"time        {clock(self.seconds)} for {self.steps} steps and all else{limit}",
            *(f"            {clock(seconds):>7}  {name}" for name, seconds in self.parts.items()),
            *([f"            and {', '.join(unknown)}, which are not measured"] if unknown else []),
        ])  # fmt: skip


def measure(
    experiment: Experiment, device: str, scores: bool = True, opening: float = 0.0, perception_only: bool = False
) -> DryRun:
    """Builds the method and runs a few items through each part of its training.

    Args:
        experiment: The recipe.
        device: Where.
        scores: Whether validation and scores are measured, too; else training steps alone.
        opening: Seconds that opening its data took.
        perception_only: See `build_backbone`.
    """
    config, begun = experiment.config, time.perf_counter()
    backbone = build_backbone(config, perception_only)
    method = build_method(config, backbone, experiment.encoding)
    opening += time.perf_counter() - begun
    costing = Costing(experiment, method, backbone, device, scores)
    costs = costing.measure(opening)
    parameters = list(method.parameters())
    on_gpu = device.startswith("cuda")
    return DryRun(
        experiment=experiment,
        device=device,
        num_items=len(costing.training),
        num_validated=len(costing.validation or ()),
        num_tested=len(costing.test or ()),
        num_trained=sum(p.numel() for p in parameters if p.requires_grad),
        num_parameters=sum(p.numel() for p in parameters),
        costs=costs,
        memory_bytes=torch.cuda.max_memory_allocated(device) if on_gpu else psutil.Process().memory_info().rss,
    )


def dry_run(config: RunConfig, device: str = "auto", perception_only: bool = False) -> DryRun:
    """Opens a recipe's data, builds its method and measures each part of the training for a few items.

    `perception_only`: opens faster, in a process that does nothing else with diffusion models.
    """
    device, begun = choose_device(device), time.perf_counter()
    experiment = Experiment.open(resolve_preset(config)).with_steps()
    return measure(experiment, device, opening=time.perf_counter() - begun, perception_only=perception_only)
