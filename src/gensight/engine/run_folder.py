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

from dataclasses import dataclass
from pathlib import Path

from gensight.config.loading.loader import dump_config, load_recipe
from gensight.config.schema import RunConfig
from gensight.engine.card import Card
from gensight.errors import ConfigError, DataError, RunError
from gensight.files.atomic import read_json, write_json, write_text


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
                    "this folder holds a run of another recipe",
                    where=self.config,
                    hint="choose another folder with --out, delete this one, or resume it with its own recipe: "
                    f"gensight train {self.config} --out {self.root}",
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
            raise RunError("this folder is not a run: it has no config.yaml", where=self.root)
        if not self.finished:
            raise RunError(
                "this run has not finished training",
                where=self.root,
                hint=f"resume it with: gensight train {self.config} --out {self.root}",
            )
        try:
            return Card.from_json(read_json(self.card), self.card)
        except DataError as error:
            raise RunError(
                error.what, where=error.where or self.card, hint="restore the file, or train again"
            ) from error
