"""A run folder: where a run keeps its files, and what makes a folder a run.

config.yaml        the resolved recipe
model/             weights.safetensors (what was trained) and card.json
checkpoints/       last.ckpt, best.ckpt: everything that resuming needs
log/               metrics.csv and TensorBoard events
metrics.json       scores with intervals, baselines, differences, cost
predictions.json   what was predicted on the test split, beside the truth
pictures/          small copies of the test images, to re-draw from
report.html        the page
baselines/NAME/    a run folder for each trained baseline
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gensight.config.loading.loader import dump_config, load_recipe
from gensight.config.schema import RunConfig
from gensight.engine.card import Card
from gensight.errors import ConfigError, DataError, RunError, did_you_mean
from gensight.files.atomic import read_json, write_json, write_text

LONGER = ("training.steps", "training.max_minutes")


def differences(one: RunConfig, other: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Dotted key -> the two values, where recipes differ."""
    first, second = (dict(_leaves(config.model_dump(mode="json"))) for config in (one, other))
    keys = dict.fromkeys([*first, *second])
    return {key: (first.get(key), second.get(key)) for key in keys if first.get(key) != second.get(key)}


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


class _Within:
    """The path of a run's file or folder."""

    def __init__(self, *parts: str) -> None:
        self.parts = parts

    def __get__(self, run: "RunFolder", owner: type["RunFolder"]) -> Path:
        return run.root.joinpath(*self.parts)


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run."""

    root: Path

    config = _Within("config.yaml")
    weights = _Within("model", "weights.safetensors")
    card = _Within("model", "card.json")
    last_checkpoint = _Within("checkpoints", "last.ckpt")
    best_checkpoint = _Within("checkpoints", "best.ckpt")
    log = _Within("log")
    metrics = _Within("metrics.json")
    predictions = _Within("predictions.json")
    pictures = _Within("pictures")
    report = _Within("report.html")
    baselines = _Within("baselines")

    @property
    def finished(self) -> bool:
        """Whether training reached its end."""
        return self.weights.is_file() and self.card.is_file()

    def create(self, config: RunConfig) -> None:
        """Starts a run here, or makes sure that the run which is here has the same recipe.

        Fields that an older version of gensight did not have yet count as their defaults; an unfinished run's
        config.yaml then gets them too, so that it holds the settings with which the run is resumed.

        Raises:
            RunError: If the folder holds a run of another recipe, or files that are not a run's.
        """
        text = dump_config(config)
        if self.config.is_file():
            held = self.config.read_text(encoding="utf-8")
            if held != text and self._held_recipe() != text:
                raise RunError(
                    f"this folder holds a run of another recipe{self._differences_text(config)}",
                    where=self.config,
                    hint="choose another folder with --out, delete this one, or resume it with its own recipe: "
                    f"gensight train {self.root}; training.steps, training.max_minutes and evaluation.* may change",
                )
            if held != text and not self.finished:
                write_text(self.config, text)
            return
        if self.root.is_dir() and any(self.root.iterdir()):
            raise RunError(
                "this folder is not empty and holds no run", where=self.root, hint="choose another folder with --out"
            )
        self.root.mkdir(parents=True, exist_ok=True)
        write_text(self.config, text)

    def change(self, config: RunConfig) -> None:
        """Keeps a changed recipe; the trained baselines beside the run read the same data."""
        write_text(self.config, dump_config(config))
        for folder in self.trained_baselines():
            own = load_recipe(folder.config)
            if own.data != config.data:
                write_text(folder.config, dump_config(own.model_copy(update={"data": config.data})))

    def trained_baselines(self) -> list["RunFolder"]:
        """The runs of baselines, trained or begun."""
        return [RunFolder(path.parent) for path in sorted(self.baselines.glob("*/config.yaml"))]

    def lengthen(self, config: RunConfig) -> str:
        """Takes over a recipe that trains longer, or scores otherwise; all else is left to `create` to refuse.

        A finished run counts as unfinished then, and so do its trained baselines, which get as many more steps.

        Returns:
            What was changed, as a sentence; empty where nothing was.

        Raises:
            RunError: The run has trained for so long already, or left nothing to resume from.
        """
        try:
            held = load_recipe(self.config)
        except ConfigError:
            return ""
        changed = differences(held, config)
        if not changed or any(not (key in LONGER or key.startswith("evaluation.")) for key in changed):
            return ""
        if not set(LONGER) & set(changed):
            self.change(config)
            return f"changed what is scored: {', '.join(changed)}"
        if self.finished:
            self._require_longer(held, config)
        factor = config.training.steps / held.training.steps
        self.change(config)
        self.card.unlink(missing_ok=True)
        for folder in self.trained_baselines():
            own = load_recipe(folder.config)
            limits: dict[str, Any] = {"steps": round(own.training.steps * factor)}
            if own.training.max_minutes is not None:
                limits["max_minutes"] = config.training.max_minutes
            longer = own.model_copy(update={"training": own.training.model_copy(update=limits)})
            write_text(folder.config, dump_config(longer))
            folder.card.unlink(missing_ok=True)
        schedule = config.training.schedule
        rates = "" if schedule == "constant" else f"; from here on its {schedule} schedule is that of the new length"
        return f"lengthened from {held.training.steps} to {config.training.steps} steps{rates}"

    def _require_longer(self, held: RunConfig, config: RunConfig) -> None:
        steps, limit = self.read_card().steps or 0, config.training.max_minutes
        if not self.last_checkpoint.is_file():
            raise RunError("this run has no checkpoint to resume from", where=self.last_checkpoint,
                           hint="train a new one, with --out")  # fmt: skip
        if config.training.steps <= steps:
            raise RunError(f"this run has trained for {steps} steps already", where=self.root,
                           hint=f"give it more: training.steps={2 * steps}")  # fmt: skip
        if steps < held.training.steps and limit is not None and limit <= (held.training.max_minutes or 0):
            raise RunError(f"this run ended after {held.training.max_minutes:g} minutes, at step {steps}",
                           where=self.root, hint="give it more time: training.max_minutes=N, or null")  # fmt: skip

    def _differences_text(self, config: RunConfig) -> str:
        try:
            found = differences(load_recipe(self.config), config)
        except ConfigError:
            return ""
        listed = [f"{key} is {theirs} there and {ours} here" for key, (theirs, ours) in found.items()]
        more = f"; and {len(listed) - 5} more" if len(listed) > 5 else ""
        return f": {'; '.join(listed[:5])}{more}"

    def _held_recipe(self) -> str | None:
        """The text of the recipe that is here, with every field of this version; None if it can't be read."""
        try:
            return dump_config(load_recipe(self.config))
        except ConfigError:
            return None

    def write_card(self, card: Card) -> None:
        write_json(self.card, card.to_json(), indent=2)

    def read_card(self) -> Card:
        """The card. Raises RunError if this is no finished run, or one that another version of gensight wrote."""
        if not self.config.is_file():
            beside = [one.parent.name for one in self.root.parent.glob("*/config.yaml")]
            hint = did_you_mean(self.root.name, beside)
            no_run = "this folder is not a run: it has no config.yaml"
            what = no_run if self.root.is_dir() else "there is no such folder"
            usual = "name the run folder that `gensight train` printed, runs/NAME"
            raise RunError(what, where=self.root, hint=hint or usual)
        if not self.finished:
            raise RunError(
                "this run has not finished training",
                where=self.root,
                hint=f"resume it with: gensight train {self.root}",
            )
        try:
            return Card.from_json(read_json(self.card), self.card)
        except DataError as error:
            raise RunError(
                error.what, where=error.where or self.card, hint="restore the file, or train again"
            ) from error
