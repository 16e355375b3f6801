"""Protocol names -> metrics, and results -> a text table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from gensight.errors import ConfigError, nearest
from gensight.metrics.base import Metric, Result
from gensight.metrics.bootstrap import Difference
from gensight.metrics.coco.oks import CocoOks
from gensight.metrics.keypoints import BbcAccuracy, Pck, PixelError
from gensight.metrics.readout_guidance import ReadoutGuidance2024
from gensight.skeletons import Skeleton

Family = Literal[
    "coco-oks", "pck-box", "pck-torso", "pckh", "readout-guidance-2024", "mean-px", "rmse-px", "median-px",
    "bbc-6px",
]  # fmt: skip
PROTOCOLS: tuple[str, ...] = get_args(Family)
THRESHOLDS: dict[str, tuple[float, ...]] = {
    "pck-box": (0.05, 0.1, 0.2),
    "pck-torso": (0.05, 0.1, 0.2),
    "pckh": (0.5,),
    "readout-guidance-2024": (0.05, 0.1, 0.2),
}
"""The protocols that take a threshold (`pck-box@0.10`), and those that are meant by the bare name."""


def build_metrics(protocols: Sequence[str], skeleton: Skeleton, seed: int = 0) -> list[Metric]:
    """Fresh metrics, in the order of `protocols`.

    Args:
        protocols: Names of PROTOCOLS; those in THRESHOLDS with a threshold (`pck-box@0.10`) or with all usual ones
            (`pck-box`).
        skeleton: The keypoints that are scored.
        seed: Seeds the bootstrap.

    Raises:
        ConfigError: An unknown name, a bad threshold, or a protocol that this skeleton cannot be scored by.
    """
    metrics: list[Metric] = []
    for protocol in protocols:
        family, at, threshold = protocol.partition("@")
        usual = THRESHOLDS.get(family, ())
        if family not in PROTOCOLS or (at and not usual):
            close = nearest(protocol, PROTOCOLS)
            raise ConfigError(
                f"no keypoint protocol is called `{protocol}`",
                where="evaluation.protocols",
                choices=[f"{name}@0.10" if name in THRESHOLDS else name for name in PROTOCOLS],
                hint=f"did you mean `{close}`?" if close else None,
            )
        thresholds = (_threshold(protocol, threshold),) if at else usual or (0.0,)
        metrics.extend(_build(family, skeleton, value, seed) for value in thresholds)
    return metrics


def _threshold(protocol: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value <= 10:
        raise ConfigError(
            f"`{protocol}` needs a positive number after the @", where="evaluation.protocols", hint="e.g. pck-box@0.10"
        )
    return value


def _build(family: str, skeleton: Skeleton, threshold: float, seed: int) -> Metric:
    match family:
        case "coco-oks":
            return CocoOks(skeleton, seed=seed)
        case "pck-box":
            return Pck(skeleton, "box", threshold, seed)
        case "pck-torso":
            return Pck(skeleton, "torso", threshold, seed)
        case "pckh":
            return Pck(skeleton, "head", threshold, seed)
        case "readout-guidance-2024":
            return ReadoutGuidance2024(skeleton, threshold, seed)
        case "bbc-6px":
            return BbcAccuracy(skeleton, seed)
        case "mean-px":
            return PixelError(skeleton, "mean", seed)
        case "rmse-px":
            return PixelError(skeleton, "rmse", seed)
        case "median-px":
            return PixelError(skeleton, "median", seed)
    raise AssertionError(f"{family} is in PROTOCOLS but is not built")


@dataclass(frozen=True, eq=False)
class TableRow:
    """One line of a score table.

    Attributes:
        label: What was scored: the model, or a baseline.
        result: Its score.
        difference: For a baseline: the model minus it; None for the model itself.
    """

    label: str
    result: Result
    difference: Difference | None = None


_HEADER = ("protocol", "scored", "score", "95 % interval", "images", "model minus this", "95 % interval", "better in")
_LEFT = 2  # columns that are aligned to the left


def format_table(rows: Sequence[TableRow]) -> str:
    """An aligned text table, one line per row, a blank line between protocols, notes at the end.

    `better in` is the share of resamples in which the model beats the baseline.
    """
    cells = [_cells(row) for row in rows]
    shown = [_HEADER, *cells]
    num_columns = len(_HEADER) if any(row.difference for row in rows) else 5
    widths = [max(len(line[column]) for line in shown) for column in range(num_columns)]

    def line(texts: tuple[str, ...]) -> str:
        columns = zip(texts, widths, strict=False)
        padded = [text.ljust(width) if i < _LEFT else text.rjust(width) for i, (text, width) in enumerate(columns)]
        return "  ".join(padded).rstrip()

    lines = [line(_HEADER), "  ".join("-" * width for width in widths)]
    for number, (row, texts) in enumerate(zip(rows, cells, strict=True)):
        if number and row.result.protocol != rows[number - 1].result.protocol:
            lines.append("")
        lines.append(line(texts))
    notes = [f"{row.result.protocol}, {row.label}: {note}" for row in rows for note in row.result.notes]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def _cells(row: TableRow) -> tuple[str, ...]:
    result, difference = row.result, row.difference
    cells = (
        result.protocol,
        row.label,
        _number(result.value, result.unit, ""),
        _bounds(result.interval, result.unit, ""),
        str(result.num_images),
    )
    if difference is None:
        return (*cells, "", "", "")
    share = "-" if np.isnan(difference.share_better) else f"{100 * difference.share_better:.1f} %"
    return (
        *cells,
        _number(difference.value, difference.unit, "+"),
        _bounds(difference.interval, difference.unit, "+"),
        share,
    )


def _number(value: float, unit: str, sign: str) -> str:
    if np.isnan(value):
        return "-"
    digits = f"{100 * value:{sign}.1f}" if unit == "%" else f"{value:{sign}.2f}"
    return f"{digits} {unit}".rstrip()


def _bounds(interval: tuple[float, float], unit: str, sign: str) -> str:
    low, high = (_number(bound, unit, sign).removesuffix(f" {unit}") for bound in interval)
    return f"[{low}, {high}]"
