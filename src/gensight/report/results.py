"""What a run folder holds for the report, as typed values.

Read are `config.yaml` and `metrics.json`, which must be there, and `model/card.json`, `log/metrics.csv`,
`predictions.json` and `pictures/`, which may be absent (None, or empty). Unknown keys are skipped, so
that a newer run can be read; a known key of a wrong type is an error that names the file and the key.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
import yaml

from gensight.engine.card import Card
from gensight.errors import DataError, RunError
from gensight.files.atomic import read_json
from gensight.files.strangers import load_yaml
from gensight.samples import Array

Interval = tuple[float | None, float | None]
Length = Annotated[int, msgspec.Meta(gt=0)]


class Score(msgspec.Struct, frozen=True):
    """One score of one model, as `Result.to_json` wrote it. Shares (`unit` "%") are fractions."""

    protocol: str
    value: float | None
    interval: Interval
    higher_is_better: bool
    unit: str = ""
    num_images: int = 0
    num_groups: int = 0
    parts: dict[str, float | None] = {}
    rows: list[dict[str, Any]] = []
    notes: list[str] = []


class Cost(msgspec.Struct, frozen=True):
    """What a model cost: each None where it was not measured."""

    images_per_second: float | None = None
    peak_memory_bytes: float | None = None
    parameters_trained: int | None = None
    training_minutes: float | None = None
    hardware: str | None = None


class ModelScores(msgspec.Struct, frozen=True):
    """The scores of the trained model (the first of a run), or of one baseline, which may state its own cost."""

    model: str
    results: list[Score]
    cost: Cost | None = None


class Comparison(msgspec.Struct, frozen=True):
    """A paired difference, model minus baseline."""

    protocol: str
    model: str
    baseline: str
    value: float | None
    interval: Interval
    unit: str = ""
    higher_is_better: bool | None = None
    share_better: float | None = None
    num_images: int = 0
    num_groups: int = 0

    @property
    def models(self) -> str:
        """`readout − random-weights`."""
        return f"{self.model} − {self.baseline}"


class Metrics(msgspec.Struct, frozen=True):
    """`metrics.json`."""

    scores: list[ModelScores]
    split: str = "test"
    differences: list[Comparison] = []
    cost: Cost = Cost()

    @property
    def num_images(self) -> int:
        """Images that the largest score is over."""
        return max((score.num_images for model in self.scores for score in model.results), default=0)


class SkeletonFacts(msgspec.Struct, frozen=True):
    """Names and limbs of the predicted keypoints, and each one's left-right partner (itself where it has none)."""

    name: str
    keypoints: list[str]
    edges: list[tuple[int, int]] = []
    mirror: list[int] = []


class PredictedInstance(msgspec.Struct, frozen=True):
    """Keypoints are rows of (x, y, confidence) in image pixels, null where there is none."""

    category: str = "object"
    confidence: float | None = None
    box: list[float | None] | None = None
    keypoints: list[list[float | None]] | None = None


class TrueInstance(msgspec.Struct, frozen=True):
    """Keypoints are rows of (x, y, visibility 0 to 3) in image pixels, null where there is none."""

    box: list[float | None] | None = None
    keypoints: list[list[float | None]] | None = None


class PredictedItem(msgspec.Struct, frozen=True):
    """One item of the test split; `image` is a path inside the run folder, `error_px` one number per keypoint.

    Other predictions have a `panel` (a path to a picture) instead, and one `error`.
    """

    sample_key: str
    size: tuple[Length, Length]
    item_key: str = ""
    image: str | None = None
    instances: list[PredictedInstance] = []
    truth: list[TrueInstance] = []
    error_px: list[float | None] | None = None
    panel: str | None = None
    error: float | None = None
    error_unit: str = ""


class Predictions(msgspec.Struct, frozen=True):
    """`predictions.json`."""

    items: list[PredictedItem]
    skeleton: SkeletonFacts | None = None


@dataclass(frozen=True, eq=False)
class Run:
    """What is known of one run.

    Attributes:
        folder: The run folder.
        name: From the config, or the folder's name.
        config: The resolved configuration.
        config_text: The same, as it is written in the file.
        metrics: Scores, differences, cost.
        card: `model/card.json`, or None.
        curves: Column of `log/metrics.csv` -> float64 (n, 2) of (step, value); empty where absent.
        predictions: Or None.
    """

    folder: Path
    name: str
    config: Mapping[str, Any]
    config_text: str
    metrics: Metrics
    card: Card | None = None
    curves: Mapping[str, Array] = field(default_factory=dict)
    predictions: Predictions | None = None

    def errors_px(self, item: PredictedItem) -> dict[str, float]:
        """Keypoint -> error of an item in image pixels, where it is known."""
        skeleton = None if self.predictions is None else self.predictions.skeleton
        named = zip(skeleton.keypoints if skeleton else (), item.error_px or (), strict=False)
        return {name: error for name, error in named if error is not None and np.isfinite(error)}

    @property
    def has_scores(self) -> bool:
        """Whether its model was scored."""
        return bool(self.metrics.scores and self.metrics.scores[0].results)


def read_run(folder: Path) -> Run:
    """Reads a run folder.

    Raises:
        RunError: It is no run folder, has not been evaluated, or one of its files is broken (which is named).
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(
            "run folder not found", where=folder, hint="check the path; `gensight train` makes such a folder"
        )
    text, config = _read_config(folder / "config.yaml")
    scores, card = folder / "metrics.json", folder / "model" / "card.json"
    if not scores.is_file():
        raise RunError("this run has no scores", where=scores, hint=f"run `gensight evaluate {folder}` first")
    predictions = folder / "predictions.json"
    return Run(
        folder=folder,
        name=str(config.get("name") or folder.resolve().name),
        config=config,
        config_text=text,
        metrics=parse_metrics(_json(scores), scores),
        card=Card.from_json(_json(card), card) if card.is_file() else None,
        curves=_read_curves(folder / "log" / "metrics.csv"),
        predictions=typed(_json(predictions), Predictions, predictions) if predictions.is_file() else None,
    )


def parse_metrics(value: object, where: str | Path = "metrics.json") -> Metrics:
    """The content of a `metrics.json` as typed values.

    Raises:
        RunError: A key is missing or of a wrong type.
    """
    return typed(value, Metrics, where)


_T = TypeVar("_T")


def typed(value: object, kind: type[_T], where: str | Path, command: str = "evaluate") -> _T:
    """The content of a result file as typed values. Raises RunError for a missing key or a wrong type."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        hint = f"the file was written by another version or edited: run `gensight {command}` again"
        raise RunError(f"unexpected content: {error}", where=where, hint=hint) from error


def _json(path: Path) -> object:
    try:
        return read_json(path)
    except DataError as error:
        raise RunError(error.what, where=error.where or path, hint="run `gensight evaluate` again") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RunError("the file is not UTF-8 text", where=path) from error
    except OSError as error:
        raise RunError(f"the file cannot be read: {error.strerror}", where=path) from error


def _read_config(path: Path) -> tuple[str, Mapping[str, Any]]:
    if not path.is_file():
        raise RunError(
            "not a run folder: it has no config.yaml", where=path, hint="name a folder made by `gensight train`"
        )
    text = _text(path)
    try:
        config = load_yaml(text)
    except (yaml.YAMLError, ValueError) as error:
        raise RunError(f"not valid YAML: {' '.join(str(error).split())}", where=path) from error
    if not isinstance(config, dict):
        raise RunError("unexpected content: a run's configuration is a mapping", where=path)
    return text, config


def _read_curves(path: Path) -> dict[str, Array]:
    """Numeric columns over `step`; empty and NaN cells are left out."""
    if not path.is_file():
        return {}
    lines = _text(path).splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()  # an interrupted run may end in the middle of a line
    reader = csv.DictReader(lines, restkey="")
    if "step" not in (reader.fieldnames or ()):
        raise RunError("the log has no column `step`", where=path, choices=reader.fieldnames or ())
    points: dict[str, list[tuple[float, float]]] = {name: [] for name in reader.fieldnames or () if name != "step"}
    for row in reader:
        numbers = {name: _number(cell, f"{path}, line {reader.line_num}") for name, cell in row.items()}
        step = numbers.pop("step")
        for name, value in numbers.items():
            if name in points and np.isfinite(step) and np.isfinite(value):
                points[name].append((step, value))
    return {name: np.array(values, dtype=np.float64) for name, values in points.items() if values}


def _number(cell: object, where: str) -> float:
    try:
        return float(str(cell)) if cell else float("nan")
    except ValueError as error:
        raise RunError(f"`{cell}` is not a number", where=where) from error
