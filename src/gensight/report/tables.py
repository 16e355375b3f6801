"""Numbers as text, and the score table for the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from gensight.metrics.base import counts_text
from gensight.report.results import Comparison, Interval, Score, parse_metrics

MISSING = "–"
ScoreLike = TypeVar("ScoreLike", bound=Score)
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


def verdict(difference: Comparison) -> Verdict:
    """The verdict of a paired difference: `better` or `worse` only if its interval excludes zero."""
    low, high = difference.interval
    if low is None or high is None or difference.higher_is_better is None:
        return ""
    if low <= 0 <= high:
        return "not distinguishable"
    return "better" if (low > 0) == difference.higher_is_better else "worse"


def protocols_of(results: Iterable[ScoreLike]) -> list[ScoreLike]:
    """One score for each protocol, in order of first appearance."""
    found: dict[str, ScoreLike] = {}
    for score in results:
        found.setdefault(score.protocol, score)
    return list(found.values())


def protocol_text(score: Score) -> str:
    """`mean-px ↓`: its protocol, and which way it is better."""
    return f"{score.protocol} {'↑' if score.higher_is_better else '↓'}"


def cell_text(score: Score | None) -> str:
    """`4.51 px [4.02, 5.10]`."""
    if score is None:
        return MISSING
    return f"{score_text(score.value, score.unit)} {interval_text(score.interval, score.unit)}".rstrip()


def number_text(*scores: Score | Comparison | None) -> str:
    """What scores are over: `40 in 5 groups`, several numbers where they differ; `–` where it was not recorded."""
    known = [(one.num_images, one.num_groups) for one in scores if one is not None and one.num_images]
    return " / ".join(counts_text(*pair) for pair in dict.fromkeys(known)) or MISSING


def difference_text(difference: Comparison) -> str:
    """`+0.32 px [+0.10, +0.55]`."""
    spread = interval_text(difference.interval, difference.unit, sign=True)
    return f"{score_text(difference.value, difference.unit, sign=True)} {spread}".rstrip()


def scores_table_text(metrics_json: Mapping[str, Any]) -> str:
    """The scores of a `metrics.json` as aligned text: protocols in rows, models in columns, then the differences.

    Raises:
        RunError: The mapping is not what a `metrics.json` holds.
    """
    metrics = parse_metrics(dict(metrics_json))
    scores = {(model.model, score.protocol): score for model in metrics.scores for score in model.results}
    models = [model.model for model in metrics.scores]
    protocols = protocols_of(score for model in metrics.scores for score in model.results)
    lines = [[f"{metrics.split}, {metrics.num_images} images", *models, "n"]]
    for protocol in protocols:
        own = [scores.get((model, protocol.protocol)) for model in models]
        lines.append([protocol_text(protocol), *map(cell_text, own), number_text(*own)])
    notes = dict.fromkeys(note for model in metrics.scores for score in model.results for note in score.notes)
    text = "\n".join([aligned(lines), *(f"note: {note}" for note in notes)])
    if not metrics.differences:
        return text
    known = any(interval_text(one.interval, one.unit) for one in metrics.differences)
    value = "value [95 %]" if known else "value"
    rows = [
        [one.models, one.protocol, difference_text(one), number_text(one), verdict(one)] for one in metrics.differences
    ]
    return f"{text}\n\n{aligned([['paired difference', 'protocol', value, 'n', ''], *rows])}"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """A table as text: the head, a rule, and the rows, every column as wide as its widest cell."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([padded[0], "  ".join("-" * width for width in widths).rstrip(), *padded[1:]])
