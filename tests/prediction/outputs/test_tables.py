"""Compared images on disk."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from gensight.prediction.outputs.tables import MatchFiles, SimilarityFiles
from gensight.prediction.outputs.writer import Files
from gensight.samples import Matches, Prediction


def write(files: Files, *predictions: Prediction) -> None:
    with ExitStack() as stack:
        files.open(stack)
        for prediction in predictions:
            files.add(prediction)
        files.close()


def test_matches_have_a_row_for_each_point(tmp_path: Path) -> None:
    found = Matches(np.array([[3.0, 4.25], [np.nan, np.nan]]), np.array([0.5, 0.0], np.float32))
    write(MatchFiles(tmp_path, np.array([[1.0, 2.0], [5.0, 6.0]])), Prediction("b.png", (8, 8), matches=found))
    assert (tmp_path / "matches.csv").read_text().splitlines() == [
        "image,point,x,y,found_x,found_y,confidence",
        "b.png,0,1.00,2.00,3.00,4.25,0.500",
        "b.png,1,5.00,6.00,nan,nan,0.000",
    ]


def test_the_most_alike_come_first(tmp_path: Path) -> None:
    images = [Prediction(key, (8, 8), similarities=(value, value)) for key, value in (("a", -0.5), ("b", 0.25))]
    write(SimilarityFiles(tmp_path), *images)
    assert (tmp_path / "similarities.csv").read_text().splitlines() == ["image,similarity", "b,0.2500", "a,-0.5000"]
