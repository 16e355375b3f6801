"""Numbers as text, and the score table for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from gensight.report.results import Comparison, Interval, Metrics, Score, parse_metrics

MISSING = "–"
Verdict = Literal["better", "worse", "not distinguishable", ""]


def score_text(value: float | None, unit: str, sign: bool = False) -> str:
    """`5.83 px`, `91.2 %`, `0.752`; with `sign` a plus before gains."""
    if value is None or value != value:
        return MISSING
    scaled, digits = (100 * value, 1) if unit == "%" else (value, 2 if unit else 3)
    return f"{scaled:{'+' if sign else ''}.{digits}f} {unit}".rstrip().replace("-", "−")


def interval_text(interval: Interval, unit: str, sign: bool = False) -> str:
    """`[5.10, 6.61]`, or nothing if a bound is unknown."""
    if any(bound is None or bound != bound for bound in interval):
        return ""
    low, high = (score_text(bound, unit, sign).removesuffix(f" {unit}") for bound in interval)
    return f"[{low}, {high}]"


def verdict(difference: Comparison, higher_is_better: bool | None) -> Verdict:
    """The verdict of a paired difference: `better` or `worse` only if its interval excludes zero."""
    low, high = difference.interval
    if low is None or high is None or higher_is_better is None:
        return ""
    if low <= 0 <= high:
        return "not distinguishable"
    return "better" if (low > 0) == higher_is_better else "worse"


def protocols_of(metrics: Sequence[Metrics]) -> list[Score]:
    """One score for each protocol that any model was scored by, in order of first appearance."""
    found: dict[str, Score] = {}
    for one in metrics:
        for model in one.scores:
            for score in model.results:
                found.setdefault(score.protocol, score)
    return list(found.values())


def scores_table_text(metrics_json: Mapping[str, Any]) -> str:
    """The scores of a `metrics.json` as aligned text: protocols in rows, models in columns, then the differences.

    Raises:
        RunError: The mapping is not what a `metrics.json` holds.
    """
    metrics = parse_metrics(dict(metrics_json))
    scores = {(model.model, score.protocol): score for model in metrics.scores for score in model.results}
    models = [model.model for model in metrics.scores]
    protocols = protocols_of([metrics])
    num_images = max((score.num_images for score in scores.values()), default=0)
    lines = [[f"{metrics.split}, {num_images} images", *models]]
    for protocol in protocols:
        arrow = "↑" if protocol.higher_is_better else "↓"
        cells = [_cell(scores.get((model, protocol.protocol))) for model in models]
        lines.append([f"{protocol.protocol} {arrow}", *cells])
    text = aligned(lines)
    if not metrics.differences:
        return text
    directions = {protocol.protocol: protocol.higher_is_better for protocol in protocols}
    rows = [_difference_row(difference, directions) for difference in metrics.differences]
    return f"{text}\n\n{aligned([['paired difference', 'protocol', 'value [95 %]', ''], *rows])}"


def _cell(score: Score | None) -> str:
    if score is None:
        return MISSING
    return f"{score_text(score.value, score.unit)} {interval_text(score.interval, score.unit)}".rstrip()


def _difference_row(difference: Comparison, directions: Mapping[str, bool]) -> list[str]:
    direction = difference.higher_is_better
    if direction is None:
        direction = directions.get(difference.protocol)
    value = score_text(difference.value, difference.unit, sign=True)
    spread = interval_text(difference.interval, difference.unit, sign=True)
    names = f"{difference.model} − {difference.baseline}"
    return [names, difference.protocol, f"{value} {spread}".rstrip(), verdict(difference, direction)]


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """A table as text: the head, a rule, and the rows, every column as wide as its widest cell."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([padded[0], "  ".join("-" * width for width in widths), *padded[1:]])
