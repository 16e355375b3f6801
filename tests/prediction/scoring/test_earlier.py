"""A later evaluation adds to the scores of an earlier one, where both are of the same weights."""

import json
from pathlib import Path
from typing import Any

from gensight.prediction.scoring.earlier import with_earlier_scores


def model(name: str, **values: float) -> dict[str, Any]:
    results = [{"protocol": key, "value": value, "num_images": 6, "interval": [0, 9]} for key, value in values.items()]
    return {"model": name, "results": results}


def difference(protocol: str, value: float) -> dict[str, Any]:
    return {"model": "own", "baseline": "mean", "protocol": protocol, "value": value}


def joined(tmp_path: Path, new: dict[str, Any], old: object) -> Any:
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(old))
    found = with_earlier_scores(new, path)
    scores = {one["model"]: {r["protocol"]: r["value"] for r in one["results"]} for one in found["scores"]}
    return scores, [(one["protocol"], one["value"]) for one in found["differences"]]


OLD = {"scores": [model("own", px=4, pck=0.5), model("mean", px=6, pck=0.2)],
       "differences": [difference("px", -2), difference("pck", 0.3)]}  # fmt: skip


def test_the_same_weights_keep_other_protocols_and_baselines(tmp_path: Path) -> None:
    new = {"scores": [model("own", px=4, oks=0.7)], "differences": []}
    scores, differences = joined(tmp_path, new, OLD)
    assert scores == {"own": {"px": 4, "pck": 0.5, "oks": 0.7}, "mean": {"px": 6, "pck": 0.2}}
    assert differences == [("px", -2), ("pck", 0.3)]


def test_other_weights_keep_baselines_alone(tmp_path: Path) -> None:
    new = {"scores": [model("own", px=3)], "differences": []}
    assert joined(tmp_path, new, OLD) == ({"own": {"px": 3}, "mean": {"px": 6, "pck": 0.2}}, [])


def test_what_is_scored_again_is_replaced(tmp_path: Path) -> None:
    new = {"scores": [model("own", px=3), model("mean", px=6)], "differences": [difference("px", -3)]}
    assert joined(tmp_path, new, OLD) == ({"own": {"px": 3}, "mean": {"px": 6, "pck": 0.2}}, [("px", -3)])


def test_a_file_of_something_else_is_replaced(tmp_path: Path) -> None:
    new = {"scores": [model("own", px=3)], "differences": []}
    for other in ([], {"scores": [1]}, {"scores": [{"model": "x"}], "differences": 3}):
        assert joined(tmp_path, new, other)[0]["own"] == {"px": 3}
    assert with_earlier_scores(new, tmp_path / "none.json") == new
