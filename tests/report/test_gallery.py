from pathlib import Path

import pytest

from gensight.report import gallery as gallery_module
from gensight.report.gallery import gallery
from gensight.report.results import read_run
from tests.report.fake_run import write_fake_run


def test_worst_middle_and_best_are_shown_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery_module, "PICTURES_PER_GROUP", 2)
    folder = write_fake_run(tmp_path / "mouse", num_items=10)
    shown = gallery(read_run(folder))
    places = {row["title"]: [tile["place"] for tile in row["tiles"]] for row in shown["rows"]}
    assert places == {
        "Worst": ["10 of 10", "9 of 10"],
        "Around the median": ["5 of 10", "6 of 10"],
        "Best": ["1 of 10", "2 of 10"],
    }
    worst = shown["rows"][0]["tiles"][0]
    assert worst["name"] == "m4s1/img0000.png"
    assert worst["worst_keypoint"].startswith("worst: ")


def test_items_without_a_picture_keep_their_rank(tmp_path: Path) -> None:
    folder = write_fake_run(tmp_path / "mouse", num_items=3)
    (folder / "pictures" / "0000.jpg").unlink()
    shown = gallery(read_run(folder))
    assert (shown["num_items"], shown["num_pictured"]) == (3, 2)
    assert [[tile["place"] for tile in row["tiles"]] for row in shown["rows"]] == [["2 of 3", "1 of 3"]]
