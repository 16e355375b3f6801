import json
from pathlib import Path

import pytest

from gensight.errors import RunError
from gensight.report import scores_table_text
from gensight.report.results import Comparison, Score
from gensight.report.tables import interval_text, number_text, score_text, verdict
from tests.report.fake_run import write_fake_run


def score(protocol: str, value: float | None, unit: str, up: bool) -> dict[str, object]:
    interval = [None, None] if value is None else [value - 0.05, value + 0.05]
    return {
        "protocol": protocol,
        "value": value,
        "interval": interval,
        "higher_is_better": up,
        "unit": unit,
        "num_images": 7,
    }


def test_the_table_by_hand() -> None:
    metrics = {
        "split": "test",
        "scores": [
            {"model": "readout", "results": [score("mean-px", 5.833, "px", False), score("pck@0.1", 0.5, "%", True)]},
            {"model": "scratch", "results": [score("mean-px", None, "px", False)]},
        ],
        "differences": [
            {
                "protocol": "mean-px",
                "model": "readout",
                "baseline": "scratch",
                "value": -2.0,
                "interval": [-3, -1],
                "unit": "px",
                "higher_is_better": False,
                "num_images": 7,
                "num_groups": 6,
            }
        ],
    }
    assert scores_table_text(metrics).splitlines() == [
        "test, 7 images  readout               scratch  n",
        "--------------  --------------------  -------  -",
        "mean-px ↓       5.83 px [5.78, 5.88]  –        7",
        "pck@0.1 ↑       50.0 % [45.0, 55.0]   –        7",
        "",
        "paired difference  protocol  value [95 %]             n",
        "-----------------  --------  -----------------------  -------------  ------",
        "readout − scratch  mean-px   −2.00 px [−3.00, −1.00]  7 in 6 groups  better",
    ]


def test_the_table_of_a_whole_run(tmp_path: Path) -> None:
    folder = write_fake_run(tmp_path / "run", num_items=2)
    text = scores_table_text(json.loads((folder / "metrics.json").read_text()))
    assert all(name in text for name in ("readout", "random-weights", "mean-position", "scratch", "pck-box@0.10 ↑"))
    assert scores_table_text({"scores": []}).startswith("test, 0 images")
    with pytest.raises(RunError, match="missing required field `scores`"):
        scores_table_text({})


@pytest.mark.parametrize(
    ("value", "unit", "sign", "text"),
    [
        (0.9123, "%", False, "91.2 %"),
        (-1.5, "px", True, "−1.50 px"),
        (1.5, "px", True, "+1.50 px"),
        (0.75, "", False, "0.750"),
        (None, "px", False, "–"),
        (float("nan"), "%", False, "–"),
    ],
)
def test_scores_in_words(value: float | None, unit: str, sign: bool, text: str) -> None:
    assert score_text(value, unit, sign) == text


def test_what_scores_are_over() -> None:
    one, grouped = (Score("p", 0.0, (0.0, 1.0), True, num_images=9, num_groups=groups) for groups in (9, 3))
    assert number_text(one, None, one) == "9"
    assert number_text(one, grouped) == "9 / 9 in 3 groups"
    assert number_text(None, Score("p", 0.0, (0.0, 1.0), True)) == "–"  # files of before


def test_intervals_in_words() -> None:
    assert interval_text((0.1, 0.25), "%") == "[10.0, 25.0]"
    assert interval_text((-1.0, 2.0), "px", sign=True) == "[−1.00, +2.00]"
    assert interval_text((None, 2.0), "px") == ""


@pytest.mark.parametrize(
    ("interval", "higher_is_better", "expected"),
    [
        ((1.0, 2.0), True, "better"),
        ((1.0, 2.0), False, "worse"),
        ((-2.0, -1.0), False, "better"),
        ((-2.0, -1.0), True, "worse"),
        ((-1.0, 1.0), True, "not distinguishable"),
        ((0.0, 1.0), True, "not distinguishable"),
        ((None, 1.0), True, ""),
        ((1.0, 2.0), None, ""),
    ],
)
def test_verdicts(interval: tuple[float | None, float | None], higher_is_better: bool | None, expected: str) -> None:
    assert verdict(Comparison("p", "a", "b", 0.0, interval, higher_is_better=higher_is_better)) == expected
