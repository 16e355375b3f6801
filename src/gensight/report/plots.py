"""Plots as inline SVG that follows the page's colours, light or dark.

matplotlib draws with stand-in colours, which are then replaced by the page's CSS variables. Text stays text, so it is
sharp on a phone and can be searched. The same numbers give the same bytes.
"""

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from gensight.report.results import Score
from gensight.samples import Array

NUM_SERIES = 7
_INK, _RULE = "#010203", "#040506"
_SERIES = tuple(f"#0a0b{index:02x}" for index in range(NUM_SERIES))
_VARIABLES = {_INK: "currentColor", _RULE: "var(--rule)"} | {
    colour: f"var(--series-{index})" for index, colour in enumerate(_SERIES)
}
_DASHES = ("solid", (0, (5, 2)), (0, (1.2, 1.6)), (0, (6, 2, 1.2, 2)))
_WIDTH = 5.0  # inches of 72 px: what a phone shows without shrinking letters to illegible
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _RULE,
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": _RULE,
    "grid.linewidth": 0.6,
    "text.color": _INK,
    "xtick.color": _RULE,
    "ytick.color": _RULE,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.7,
}


@dataclass(frozen=True)
class Series:
    """How one model of one run looks in every plot.

    Attributes:
        label: The legend's text.
        colour: Number of the page's series colour.
        dash: Number of the line style.
    """

    label: str
    colour: int = 0
    dash: int = 0

    @property
    def ink(self) -> str:
        return _SERIES[self.colour % NUM_SERIES]

    @property
    def stroke(self) -> str | tuple[int, tuple[float, ...]]:
        return _DASHES[self.dash % len(_DASHES)]


@dataclass(frozen=True)
class PlottedScore:
    """A score in a plot: its value and interval, and the values of the single runs that it is made of."""

    series: Series
    value: float
    interval: tuple[float, float]
    runs: Sequence[float] = ()

    @classmethod
    def of(cls, series: Series, score: Score | None, runs: Sequence[float] = ()) -> "PlottedScore | None":
        """A score as it is plotted; None where there is none. Unknown bounds lie at the score."""
        if score is None or score.value is None or not np.isfinite(score.value):
            return None
        low, high = (score.value if bound is None else bound for bound in score.interval)
        return cls(series, score.value, (low, high), runs)


def plot_scores(title: str, entries: Sequence[PlottedScore], unit: str) -> Markup:
    """Every score as a dot with its interval, over small dots of single runs; logarithmic where pixels span 8-fold."""
    percent = 100 if unit == "%" else 1
    values = [entry.value for entry in entries]

    def paint(axes: Axes) -> None:
        for row, entry in enumerate(entries):
            ink, runs = entry.series.ink, np.array(entry.runs) * percent
            places = row + 0.3 * (np.arange(len(runs)) % 3 - 1) / 1.5  # beside each other, so that none hides another
            axes.plot(runs, places, "o", color=ink, markersize=3.2, alpha=0.4)
            axes.plot(np.array(entry.interval) * percent, [row, row], color=ink, linewidth=2.4, alpha=0.55)
            axes.plot([entry.value * percent], [row], "o", color=ink, markersize=6.5, clip_on=False)
        axes.set_yticks(range(len(entries)), [_short(entry.series.label) for entry in entries])
        axes.set_ylim(len(entries) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        axes.set_title(title, x=0)
        if unit == "px" and min(values, default=0) > 0 and max(values) > 8 * min(values):
            _logarithmic(axes)
        elif unit in ("px", "%"):
            axes.set_xlim(left=0)
        axes.set_xlabel(unit or "score")

    return _svg(f"scores of {title}", paint, height=0.95 + 0.3 * len(entries))


def plot_error_shares(errors: Sequence[tuple[Series, Array]]) -> Markup:
    """For each model the share of keypoints within an error: its cumulative distribution, logarithmic in pixels."""

    def paint(axes: Axes) -> None:
        for series, values in errors:
            ordered = np.sort(np.maximum(values, _SMALLEST))
            shares = 100 * np.arange(1, len(ordered) + 1) / len(ordered)
            kept = np.unique(np.linspace(0, len(ordered) - 1, 300).astype(int))  # enough for the eye, little to load
            axes.plot(
                ordered[kept], shares[kept], color=series.ink, linestyle=series.stroke, label=_short(series.label)
            )
        _logarithmic(axes)
        axes.set_ylim(0, 101)
        axes.set_xlabel("error in image pixels")
        axes.set_ylabel("% of keypoints within")
        _legend_above(axes)

    return _svg("share of keypoints within an error", paint, height=3.3)


def plot_error_histogram(errors: Sequence[tuple[Series, Array]]) -> Markup:
    """How often each size of error occurs, in logarithmic bins, with the medians as vertical lines."""
    largest = max(float(np.max(values)) for _, values in errors)
    smallest = max(min(float(np.percentile(values, 1)) for _, values in errors), _SMALLEST)
    bins = np.geomspace(smallest / 1.2, max(largest, 2 * smallest) * 1.05, 31).tolist()

    def paint(axes: Axes) -> None:
        for series, values in errors:
            weights = np.full(len(values), 100 / len(values))
            clipped = np.clip(values, bins[0], bins[-1])
            axes.hist(clipped, bins, weights=weights, histtype="stepfilled", color=series.ink, alpha=0.25)
            axes.hist(clipped, bins, weights=weights, histtype="step", color=series.ink, label=_short(series.label))
            axes.axvline(float(np.median(values)), color=series.ink, linestyle=(0, (1.2, 1.6)), linewidth=1.3)
        _logarithmic(axes)
        axes.set_xlabel("error in image pixels (dotted: median)")
        axes.set_ylabel("% of keypoints")
        if len(errors) > 1:
            _legend_above(axes)

    return _svg("distribution of errors", paint, height=3.3)


def plot_keypoint_errors(names: Sequence[str], errors: Sequence[tuple[Series, Mapping[str, Array]]]) -> Markup:
    """Per keypoint and model the median error (dot), the middle half (thick) and the middle 80 % (thin)."""
    height = 1.0 + len(names) * max(0.26, 0.13 * len(errors))

    def paint(axes: Axes) -> None:
        for index, (series, by_name) in enumerate(errors):
            offset = (index - (len(errors) - 1) / 2) * 0.75 / len(errors)
            shown = False
            for row, name in enumerate(names):
                values = by_name.get(name)
                if values is None or len(values) == 0:
                    continue
                p10, p25, median, p75, p90 = np.maximum(np.percentile(values, [10, 25, 50, 75, 90]), _SMALLEST)
                at = [row + offset, row + offset]
                axes.plot([p10, p90], at, color=series.ink, linewidth=1, alpha=0.7)
                axes.plot([p25, p75], at, color=series.ink, linewidth=3, alpha=0.5)
                label = None if shown else _short(series.label)
                axes.plot([median], at[:1], "o", color=series.ink, markersize=4.5, label=label)
                shown = True
        axes.set_yticks(range(len(names)), [_short(name, 22) for name in names])
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        _logarithmic(axes)
        axes.set_xlabel("error in image pixels")
        if len(errors) > 1:
            _legend_above(axes)

    return _svg("errors per keypoint", paint, height)


def plot_curves(title: str, curves: Sequence[tuple[Series, Array]], smooth: bool) -> Markup:
    """A logged column over the training steps, one line per run; noisy ones with a running mean over the raw values."""

    def paint(axes: Axes) -> None:
        for series, points in curves:
            steps, values = points[:, 0], points[:, 1]
            curve = values
            if smooth and len(values) >= 40:
                axes.plot(*_thinned(steps, values), color=series.ink, alpha=0.25, linewidth=0.8)
                curve = _running_mean(values, max(3, len(values) // 40))
            few = "o" if len(values) <= 25 else ""
            label = _short(series.label)
            axes.plot(
                *_thinned(steps, curve), color=series.ink, linestyle=series.stroke, marker=few, ms=3.5, label=label
            )
        lowest = min(points[:, 1].min() for _, points in curves)
        highest = max(points[:, 1].max() for _, points in curves)
        if lowest > 0 and highest > 20 * lowest:
            axes.set_yscale("log")
            _plain_ticks(axes.yaxis)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel("step")
        axes.set_title(title, x=0)
        if len(curves) > 1:
            axes.legend(loc="best")

    return _svg(title, paint, height=2.8)


_SMALLEST = 0.05  # px: errors below it are drawn there, since a logarithmic axis has no zero


def _legend_above(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)


def _logarithmic(axes: Axes) -> None:
    axes.set_xscale("log")
    _plain_ticks(axes.xaxis)


def _plain_ticks(axis: Axis) -> None:
    """1, 2, 5, 10 ... in plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=9))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def _short(label: str, length: int = 30) -> str:
    return label if len(label) <= length else f"{label[: length // 2]}…{label[-(length // 2 - 1) :]}"


def _thinned(steps: Array, values: Array) -> tuple[Array, Array]:
    kept = np.unique(np.linspace(0, len(steps) - 1, 600).astype(int))
    return steps[kept], values[kept]


def _running_mean(values: Array, window: int) -> Array:
    """The mean over `window` values around each, fewer at both ends."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    centres = np.arange(len(values))
    low, high = np.maximum(centres - window // 2, 0), np.minimum(centres + window // 2 + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)


def _svg(title: str, paint: Callable[[Axes], None], height: float) -> Markup:
    """Draws on fresh axes, `height` inches high, and returns an `<svg>` element that any page may hold."""
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": title}), warnings.catch_warnings():
        # A name in a script that matplotlib's font lacks is still written right by the browser.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        paint(figure.add_subplot())
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, count=1, flags=re.DOTALL)
    for stand_in, variable in _VARIABLES.items():
        body = body.replace(stand_in, variable)
    size = f"{_WIDTH * 72:g} {height * 72:g}"
    return Markup('<svg class="plot" viewBox="0 0 {}" role="img" aria-label="{}">').format(size, title) + Markup(body)
