import re

import numpy as np
import pytest
from markupsafe import Markup

from gensight.report import plots
from gensight.report.plots import PlottedScore, Series

RNG = np.random.default_rng(0)
FEW = np.array([1.0])


@pytest.mark.parametrize("values", [FEW, np.zeros(3), np.geomspace(0.01, 1e4, 40)])
def test_any_errors_can_be_plotted(values: np.ndarray) -> None:
    series = Series("readout", 1)
    for svg in (
        plots.plot_error_shares([(series, values)]),
        plots.plot_error_histogram([(series, values)]),
        plots.plot_keypoint_errors(["snout", "tail"], [(series, {"snout": values})]),
    ):
        assert isinstance(svg, Markup)
        assert svg.startswith('<svg class="plot" viewBox="0 0 360 ')
        assert svg.rstrip().endswith("</svg>")
        assert "var(--series-1)" in svg
        assert "currentColor" in svg


@pytest.mark.parametrize("count", [1, 2, 30])
def test_curves_of_any_length_can_be_plotted(count: int) -> None:
    points = np.stack([np.arange(count), RNG.uniform(0, 1, count)], axis=1)
    assert "training loss" in plots.plot_curves("training loss", [(Series("A"), points)], smooth=True)


def test_wide_losses_are_drawn_logarithmically_and_in_plain_numbers() -> None:
    points = np.stack([np.arange(50), np.geomspace(10, 0.01, 50)], axis=1)
    svg = plots.plot_curves("loss", [(Series("A"), points)], smooth=False)
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert {"0.1", "1", "10"} <= {label.strip() for label in labels}
    assert "mathdefault" not in svg


def test_scores_far_apart_share_a_readable_axis() -> None:
    entries = [PlottedScore(Series("a"), 6.0, (5.0, 7.0)), PlottedScore(Series("b", 1), 130.0, (120.0, 140.0))]
    svg = plots.plot_scores("mean-px", entries, "px")
    labels = {label.strip() for label in re.findall(r"<text[^>]*>([^<]*)</text>", svg)}
    assert {"10", "100", "a", "b"} <= labels


def test_names_are_text_never_markup_or_formulas() -> None:
    svg = plots.plot_scores("<script>", [PlottedScore(Series("$x^{2", 0), 1.0, (1.0, 1.0))], "")
    assert "<script" not in svg
    assert "$x^{2" in svg
    assert 'aria-label="scores of &lt;script&gt;"' in svg


def test_the_same_numbers_give_the_same_bytes() -> None:
    errors = [(Series("a"), np.geomspace(1, 50, 20))]
    assert plots.plot_error_shares(errors) == plots.plot_error_shares(errors)
