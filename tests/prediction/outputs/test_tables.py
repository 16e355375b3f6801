"""Compared images on disk."""

import json
from pathlib import Path

import numpy as np

from gensight.prediction.outputs.tables import LabelFiles, MatchFiles, SimilarityFiles
from gensight.prediction.outputs.writer import Files, Shown
from gensight.samples import Matches, Prediction


def write(folder: Path, files: Files, *predictions: Prediction | None) -> None:
    """None: an image that can't be read."""
    found = [
        (Shown("broken.png", (0, 0), problem="cut"), None)
        if one is None
        else (Shown(one.sample_key, one.size), files.add(one, one.sample_key, folder))
        for one in predictions
    ]
    files.write(lambda: iter(found), None, folder)


def test_matches_have_a_row_for_each_point(tmp_path: Path) -> None:
    found = Matches(np.array([[3.0, 4.25], [np.nan, np.nan]]), np.array([0.5, 0.0], np.float32))
    write(tmp_path, MatchFiles(np.array([[1.0, 2.0], [5.0, 6.0]])), Prediction("b.png", (8, 8), matches=found), None)
    assert (tmp_path / "matches.csv").read_text().splitlines() == [
        "image,point,x,y,found_x,found_y,confidence",
        "b.png,0,1.00,2.00,3.00,4.25,0.500",
        "b.png,1,5.00,6.00,nan,nan,0.000",
        "broken.png,,,,,,",
    ]


def test_the_most_alike_come_first(tmp_path: Path) -> None:
    images = [Prediction(key, (8, 8), similarities=(value, value)) for key, value in (("a", -0.5), ("b", 0.25))]
    write(tmp_path, SimilarityFiles(), images[0], None, images[1])
    assert (tmp_path / "similarities.csv").read_text().splitlines() == [
        "image,similarity", "b,0.2500", "a,-0.5000", "broken.png,nan",
    ]  # fmt: skip


def test_an_image_that_cannot_be_read_has_an_empty_row(tmp_path: Path) -> None:
    write(tmp_path, LabelFiles(), None, Prediction("a.png", (8, 8), label_scores={"cat": 0.75, "dog": 0.25}))
    rows = (tmp_path / "labels.csv").read_text().splitlines()
    assert rows == ["image,label,confidence", "broken.png,,", "a.png,cat,0.75"]
    assert json.loads((tmp_path / "labels.json").read_text())[0] == {"image": "broken.png"}
