"""The comparison of a study, made from its numbers alone."""

from pathlib import Path
from typing import Any

import pytest

from gensight.errors import RunError
from gensight.report.study import study_markdown, study_table_text, write_study_page


def score(value: float, **more: Any) -> dict[str, Any]:
    return {
        "protocol": "mean-px", "value": value, "interval": [value - 1, value + 1], "higher_is_better": False,
        "unit": "px", "num_images": 116, "num_groups": 3, "notes": ["3 groups of images were resampled"],
        "seeds": [value - 0.2, value + 0.2],
        "runs": [{"fold": fold, "seed": 0, "value": value + fold, "interval": [value, None]} for fold in range(3)],
        **more,
    }  # fmt: skip


def numbers() -> dict[str, Any]:
    difference = {"protocol": "mean-px", "model": "few <20>", "baseline": "all", "value": 4.0, "interval": [2.0, 6.0]}
    return {
        "name": "mouse",
        "reference": "all",
        "arms": [
            {"arm": "all", "num_runs": 6, "num_planned": 6, "training_minutes": 4.26, "results": [score(5.0)]},
            {"arm": "few <20>", "num_runs": 3, "num_planned": 6, "results": [score(9.0, seeds=[])]},
        ],
        "differences": [{**difference, "unit": "px", "higher_is_better": False}],
    }


def test_table_names_scores_seeds_missing_runs_and_verdicts() -> None:
    lines = study_table_text(numbers()).splitlines()
    assert lines[0].split() == ["arm", "runs", "mean-px", "↓", "n", "training"]
    assert [cell.strip() for cell in lines[2].split("  ")][-3:] == [
        "5.00 px [4.00, 6.00], seeds 4.80 to 5.20",
        "116 in 3 groups",
        "4.3 min",
    ]
    assert "3 of 6" in lines[3]
    assert "seeds" not in lines[3]
    assert "+4.00 px [+2.00, +6.00]" in lines[-1]
    assert lines[-1].endswith("worse")


def test_markdown_is_two_tables() -> None:
    text = study_markdown(numbers())
    assert "| arm | runs | mean-px ↓ | n | training |\n|---|---|---|---|---|\n| all | 6 |" in text
    assert "| few <20> − all | mean-px | +4.00 px [+2.00, +6.00] | 116 in 3 groups | worse |" in text


def test_the_page_stands_alone_and_escapes_names(tmp_path: Path) -> None:
    page = write_study_page(numbers(), tmp_path / "study.html").read_text()
    assert "few &lt;20&gt;" in page
    assert "few <20>" not in page
    assert page.count("<svg") == 1
    assert "3 of 6 runs are finished" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_other_content_is_refused() -> None:
    with pytest.raises(RunError, match=r"unexpected content: .*reference"):
        study_table_text({"name": "x", "arms": []})
