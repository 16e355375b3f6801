"""A study's comparison: tables for the terminal and for Markdown, and one self-contained HTML page.

Everything is made from the content of `study.json` alone.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from markupsafe import Markup

from gensight.files.atomic import write_text
from gensight.report import plots
from gensight.report.page import page_template
from gensight.report.plots import NUM_SERIES, PlottedScore, Series
from gensight.report.results import Comparison, Interval, Score, typed
from gensight.report.tables import (
    MISSING,
    aligned,
    cell_text,
    difference_text,
    number_text,
    protocol_text,
    protocols_of,
    score_text,
    verdict,
)


class OneRun(msgspec.Struct, frozen=True):
    """The score of one run, on its own fold."""

    seed: int
    value: float | None
    interval: Interval
    fold: int | str | None = None


class PooledScore(Score, frozen=True):
    """A score over all folds, and what it was made of: the score of each seed (none if runs are missing), each run."""

    seeds: list[float | None] = msgspec.field(default_factory=list)
    runs: list[OneRun] = msgspec.field(default_factory=list)


class ArmScores(msgspec.Struct, frozen=True):
    """One arm's scores; `training_minutes` is the median over its runs."""

    arm: str
    results: list[PooledScore]
    num_runs: int
    num_planned: int
    training_minutes: float | None = None


class Study(msgspec.Struct, frozen=True):
    """`study.json`."""

    name: str
    reference: str
    arms: list[ArmScores]
    differences: list[Comparison] = []
    description: str = ""


def parse_study(value: object, where: str | Path = "study.json") -> Study:
    """The content of a `study.json` as typed values. Raises RunError for a missing key or a wrong type."""
    return typed(value, Study, where, "study")


def study_table_text(study_json: Mapping[str, Any]) -> str:
    """Arms in rows, protocols in columns, then the paired differences: aligned text."""
    scores, differences = _tables(parse_study(study_json))
    return "\n\n".join(aligned(table) for table in (scores, differences) if len(table) > 1)


def study_markdown(study_json: Mapping[str, Any]) -> str:
    """The same as Markdown tables."""
    tables = (table for table in _tables(parse_study(study_json)) if len(table) > 1)
    return "\n\n".join(_markdown(table) for table in tables) + "\n"


def write_study_page(study_json: Mapping[str, Any], out: Path) -> Path:
    """Writes the page: the tables, and for each protocol every arm with its interval and the dots of its runs."""
    study = parse_study(study_json)
    scores, differences = _tables(study)
    context = {
        "study": study,
        "num_series": NUM_SERIES,
        "scores": scores,
        "differences": differences,
        "plots": [_plot(study, protocol) for protocol in _protocols(study)],
        "notes": _notes(study),
    }
    write_text(out, page_template("study.html.jinja").render(context))
    return Path(out)


Table = list[list[str]]


def _tables(study: Study) -> tuple[Table, Table]:
    """Scores and differences, each with its head."""
    protocols = _protocols(study)
    scores = [["arm", "runs", *map(protocol_text, protocols), "n", "training"]]
    for arm in study.arms:
        runs = f"{arm.num_runs}" if arm.num_runs == arm.num_planned else f"{arm.num_runs} of {arm.num_planned}"
        mine = {result.protocol: result for result in arm.results}
        cells = [_cell(mine.get(protocol.protocol)) for protocol in protocols]
        minutes = MISSING if arm.training_minutes is None else f"{arm.training_minutes:.1f} min"
        scores.append([arm.arm, runs, *cells, number_text(*arm.results), minutes])
    differences = [["paired difference", "protocol", "value [95 %]", "n", ""]]
    for one in study.differences:
        number = number_text(one if one.num_images else _smaller(study, one))
        differences.append([one.models, one.protocol, difference_text(one), number, verdict(one)])
    return scores, differences


def _smaller(study: Study, difference: Comparison) -> Score:
    """What both sides were tested on, where it isn't recorded: the smaller side's, since folds are nested."""
    sides = (arm for arm in study.arms if arm.arm in (difference.model, difference.baseline))
    scores = (score for arm in sides for score in arm.results if score.protocol == difference.protocol)
    return min(scores, key=lambda score: score.num_images)


def _cell(score: PooledScore | None) -> str:
    """`4.51 px [4.02, 5.10], seeds 4.40 to 4.63`."""
    text = cell_text(score)
    seeds = [value for value in score.seeds if value is not None] if score else []
    if score is None or len(seeds) < 2:
        return text
    low, high = (score_text(value, score.unit).removesuffix(f" {score.unit}") for value in (min(seeds), max(seeds)))
    return f"{text}, seeds {low} to {high}"


def _protocols(study: Study) -> list[PooledScore]:
    return protocols_of(result for arm in study.arms for result in arm.results)


def _plot(study: Study, protocol: PooledScore) -> Markup:
    entries = []
    for number, arm in enumerate(study.arms):
        score = next((result for result in arm.results if result.protocol == protocol.protocol), None)
        dots = [run.value for run in score.runs if run.value is not None] if score else []
        entries.append(PlottedScore.of(Series(arm.arm, number), score, dots))
    return plots.plot_scores(protocol_text(protocol), [entry for entry in entries if entry], protocol.unit)


def _notes(study: Study) -> list[str]:
    notes = [f"{result.protocol}: {note}" for arm in study.arms for result in arm.results for note in result.notes]
    notes += [
        f"{arm.arm}: {arm.num_runs} of {arm.num_planned} runs are finished"
        for arm in study.arms
        if arm.num_runs < arm.num_planned
    ]
    return list(dict.fromkeys(notes))


def _markdown(table: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in table]
    return "\n".join([lines[0], f"|{'---|' * len(table[0])}", *lines[1:]])
