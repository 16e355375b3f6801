"""The report: one self-contained HTML page about one run or several."""

import shlex
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import numpy as np
from markupsafe import Markup

from gensight.engine.card import Card
from gensight.errors import RunError
from gensight.files.atomic import write_text
from gensight.report import plots
from gensight.report.errors_px import errors_by_keypoint
from gensight.report.gallery import gallery
from gensight.report.pictures import has_sides
from gensight.report.plots import NUM_SERIES, PlottedScore, Series
from gensight.report.results import Cost, ModelScores, Run, Score, read_run
from gensight.report.tables import (
    MISSING,
    difference_text,
    interval_text,
    number_text,
    protocol_text,
    protocols_of,
    score_text,
    verdict,
)
from gensight.samples import Array
from gensight.skeletons import pairs_text

_PLOTTED_PROTOCOLS = 6


@dataclass(frozen=True, eq=False)
class ScoredRun:
    """One model of one run, and how it looks in every plot."""

    run: Run
    model: ModelScores
    series: Series
    is_main: bool

    def score_of(self, protocol: Score) -> Score | None:
        """This model's score by the same protocol."""
        return next((score for score in self.model.results if score.protocol == protocol.protocol), None)

    def is_best(self, score: Score) -> bool:
        """Whether no other model of the run has a better score by the same protocol."""
        found = [
            one.value for model in self.run.metrics.scores for one in model.results if one.protocol == score.protocol
        ]
        known = [value for value in found if value is not None and np.isfinite(value)]
        return bool(known) and score.value == (max(known) if score.higher_is_better else min(known))


def write_report(runs: Sequence[Path], out: Path) -> Path:
    """Writes one HTML page about the given run folders; nothing else is needed to read it, not even a network.

    Args:
        runs: Run folders, at least one. Several are shown side by side.
        out: The HTML file to write (atomically).

    Returns:
        `out`.

    Raises:
        RunError: No folder is given, a folder is no evaluated run, or one of its files is broken (named).
    """
    if not runs:
        raise RunError("a report needs at least one run folder", hint="gensight report RUN [RUN ...]")
    read = _distinct([read_run(Path(folder)) for folder in runs])
    write_text(out, page_template("page.html.jinja").render(_context(read)))
    return Path(out)


def page_template(name: str) -> jinja2.Template:
    """One of this folder's templates; the others can be included in it."""
    folder = resources.files("gensight.report")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "difference_text": difference_text,
        "interval_text": interval_text,
        "number_text": number_text,
        "protocol_text": protocol_text,
        "score_text": score_text,
        "verdict": verdict,
    }
    return environment.get_template(name)


def _distinct(runs: Sequence[Run]) -> list[Run]:
    """Runs of the same name are labelled by their folders."""
    names = [run.name for run in runs]
    labels = [
        f"{name} ({run.folder})" if names.count(name) > 1 else name for run, name in zip(runs, names, strict=True)
    ]
    return [
        Run(**{**vars(run), "name": label if labels.count(label) == 1 else f"{label} #{number}"})
        for number, (run, label) in enumerate(zip(runs, labels, strict=True), start=1)
    ]


def _scored(runs: Sequence[Run]) -> list[ScoredRun]:
    """All models of all runs: one run's models differ by colour; several runs do, and their models by line style."""
    several = len(runs) > 1
    keys = _keys(runs)
    return [
        ScoredRun(
            run,
            model,
            Series(f"{keys[number]} · {model.model}", number, place) if several else Series(model.model, place, place),
            place == 0,
        )
        for number, run in enumerate(runs)
        for place, model in enumerate(run.metrics.scores)
    ]


def _keys(runs: Sequence[Run]) -> list[str]:
    """A short name for each run, since plots have no room for long ones: A, B, C ..."""
    return [string.ascii_uppercase[number] if len(runs) <= 26 else str(number + 1) for number in range(len(runs))]


def _context(runs: Sequence[Run]) -> dict[str, Any]:
    scored = _scored(runs)
    protocols = protocols_of(score for run in runs for model in run.metrics.scores for score in model.results)
    return {
        "title": " and ".join(run.name for run in runs) if len(runs) <= 3 else f"{len(runs)} runs",
        "num_series": NUM_SERIES,
        "runs": [_run_facts(run, number, key) for number, (run, key) in enumerate(zip(runs, _keys(runs), strict=True))],
        "headlines": [(run, run.metrics.scores[0], run.metrics.scores[0].results[0]) for run in runs if run.has_scores],
        "protocols": protocols,
        "scored": scored,
        "notes": _notes(scored),
        "differences": [(run, one) for run in runs for one in run.metrics.differences],
        "score_plots": _score_plots(scored, protocols),
        "part_tables": _part_tables(scored, protocols),
        **_error_plots(runs, scored),
        "curve_plots": _curve_plots(runs),
        "without_curves": [run.name for run in runs if not run.curves],
        "has_sides": any(has_sides(run) for run in runs),
        "galleries": [gallery(run) for run in runs],
        "costs": _costs(scored),
    }


# --- What was run ---


def _pairs(run: Run) -> str | None:
    found = None if run.predictions is None else run.predictions.skeleton
    return None if found is None or not found.mirror else pairs_text(tuple(found.keypoints), tuple(found.mirror))


def _run_facts(run: Run, number: int, key: str) -> dict[str, Any]:
    card = run.card
    size = _at(run.config, "view", "size")
    facts = {
        "data": _kind(run.config, "data", "root", "subjects"),
        "scored on": f"{run.metrics.split} split, {run.metrics.num_images} images",
        "input": " × ".join(map(str, size)) if isinstance(size, list) else None,
        "encoding": _kind(run.config, "encoding", "skeleton"),
        "left-right pairs": _pairs(run),
        "backbone": _kind(run.config, "backbone", "id", "trainable"),
        "method": _kind(run.config, "method"),
        "training": None if card is None or card.steps is None else f"{card.steps:,} steps",
        "seed": _at(run.config, "seed"),
    }
    path = shlex.quote(str(run.folder))
    return {
        "name": run.name,
        "key": key,
        "number": number % NUM_SERIES,
        "description": str(run.config.get("description") or ""),
        "facts": [(name, str(value)) for name, value in facts.items() if value is not None],
        "commands": [
            f"gensight train {shlex.quote(str(run.folder / 'config.yaml'))}",
            f"gensight evaluate {path}",
            f"gensight report {path}",
        ],
        "versions": "" if card is None else ", ".join(f"{name} {number}" for name, number in card.versions.items()),
        "config": run.config_text,
        "card": "" if card is None else msgspec.json.format(msgspec.json.encode(card.to_json())).decode(),
    }


def _at(config: Mapping[str, Any], *keys: str) -> Any:
    value: Any = config
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _kind(config: Mapping[str, Any], section: str, *details: str) -> str | None:
    """A section's kind and what distinguishes it: `diffusers (stabilityai/..., frozen)`."""
    kind = _at(config, section, "kind")
    found = [str(_at(config, section, key)) for key in details if _at(config, section, key) is not None]
    if kind is None:
        return None
    return f"{kind} ({', '.join(found)})" if found else str(kind)


# --- Scores ---


def _notes(scored: Sequence[ScoredRun]) -> list[str]:
    """The notes of the metrics, each once, with the models it holds for."""
    found: dict[str, list[str]] = {}
    for one in scored:
        for score in one.model.results:
            for note in score.notes:
                found.setdefault(f"{score.protocol}: {note}", []).append(one.series.label)
    return [
        note if len(labels) == len(scored) else f"{note} ({', '.join(dict.fromkeys(labels))})"
        for note, labels in found.items()
    ]


def _score_plots(scored: Sequence[ScoredRun], protocols: Sequence[Score]) -> list[Markup]:
    found = []
    for protocol in protocols[:_PLOTTED_PROTOCOLS]:
        entries = [entry for one in scored if (entry := PlottedScore.of(one.series, one.score_of(protocol)))]
        if entries:
            found.append(plots.plot_scores(protocol_text(protocol), entries, protocol.unit))
    return found


def _part_tables(scored: Sequence[ScoredRun], protocols: Sequence[Score]) -> list[dict[str, Any]]:
    """Per protocol the values of its parts (keypoints, thresholds) for every model."""
    tables = []
    for protocol in protocols:
        columns = [(one.series.label, score.parts if (score := one.score_of(protocol)) else {}) for one in scored]
        names = list(dict.fromkeys(name for _, parts in columns for name in parts))
        rows = [(name, [score_text(parts.get(name), protocol.unit) for _, parts in columns]) for name in names]
        if rows:
            labels = [label for label, _ in columns]
            number = number_text(*(one.score_of(protocol) for one in scored))
            tables.append({"protocol": protocol.protocol, "columns": labels, "rows": rows, "number": number})
    return tables


# --- Errors, curves ---


def _error_plots(runs: Sequence[Run], scored: Sequence[ScoredRun]) -> dict[str, Markup | None]:
    by_keypoint = [(one, errors_by_keypoint(one.run, one.model)) for one in scored]
    by_keypoint = [(one, errors) for one, errors in by_keypoint if errors]
    pooled = [(one, np.concatenate(list(errors.values()))) for one, errors in by_keypoint]
    mains = [(one.series, values) for one, values in pooled if one.is_main]
    # Of several runs only the trained models: four models of each would hide one another.
    listed = [(one.series, errors) for one, errors in by_keypoint if one.is_main or len(runs) == 1]
    compared = [(one.series, values) for one, values in pooled if one.is_main or len(runs) <= 2]
    names = list(dict.fromkeys(name for _, errors in listed for name in errors))
    return {
        "shares_plot": plots.plot_error_shares(compared) if compared else None,
        "histogram": plots.plot_error_histogram(mains) if mains else None,
        "keypoint_plot": plots.plot_keypoint_errors(names, listed) if names else None,
    }


def _curve_plots(runs: Sequence[Run]) -> list[Markup]:
    """The training loss, then every validation column; columns about time are no curves."""
    columns = list(dict.fromkeys(name for run in runs for name in run.curves))
    chosen = [name for name in columns if name == "loss"] + [name for name in columns if name.startswith("validation_")]
    found = []
    for name in chosen:
        curves: list[tuple[Series, Array]] = [
            (Series(key, number), run.curves[name])
            for number, (run, key) in enumerate(zip(runs, _keys(runs), strict=True))
            if name in run.curves
        ]
        title = "training loss" if name == "loss" else name.replace("_", " ")
        found.append(plots.plot_curves(title, curves, smooth=name == "loss"))
    return found


# --- Cost ---


def _costs(scored: Sequence[ScoredRun]) -> list[dict[str, Any]]:
    """One row for the trained model of each run, and one for each baseline that states its cost."""
    rows = []
    for one in scored:
        if one.is_main:
            rows.append(
                {"label": one.series.label, "cells": _cost_cells(_with_card(one.run.metrics.cost, one.run.card))}
            )
        elif one.model.cost is not None:
            rows.append({"label": one.series.label, "cells": _cost_cells(one.model.cost)})
    return rows


def _with_card(cost: Cost, card: Card | None) -> Cost:
    """Fills what the scores don't state from the model's card."""
    if card is None:
        return cost
    stated = {
        "parameters_trained": card.num_parameters_trained,
        "training_minutes": card.training_minutes,
        "hardware": card.hardware,
    }
    return msgspec.structs.replace(cost, **{name: v for name, v in stated.items() if getattr(cost, name) is None})


def _cost_cells(cost: Cost) -> list[str]:
    return [
        MISSING if cost.parameters_trained is None else _count_text(cost.parameters_trained),
        MISSING if cost.training_minutes is None else f"{cost.training_minutes:.1f} min",
        cost.hardware or MISSING,
        MISSING if cost.images_per_second is None else f"{cost.images_per_second:.1f}",
        MISSING if cost.peak_memory_bytes is None else f"{cost.peak_memory_bytes / 2**30:.2f} GiB",
    ]


def _count_text(count: int) -> str:
    if count >= 1_000_000:
        return f"{count / 1e6:.2f} M"
    return f"{count / 1e3:.1f} k" if count >= 10_000 else f"{count:,}"
