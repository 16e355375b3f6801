"""All files of a single prediction."""

from pathlib import Path

import numpy as np

from gensight.files.images import read_image
from gensight.prediction.outputs.overlay import draw_prediction
from gensight.prediction.outputs.tables import LabelFiles
from gensight.prediction.outputs.writer import Pictures, write_one
from gensight.samples import Instance, Prediction

SIZE = (32, 48)
BOXED = Prediction("cat", SIZE, (Instance("cat", box=np.array([4.0, 4, 20, 20]), confidence=0.5),))
GREY = np.full((*SIZE, 3), 128, np.uint8)


def test_a_prediction_has_a_picture_and_tables(tmp_path: Path) -> None:
    write_one([LabelFiles()], Pictures("overlays", "overlay.mp4", draw_prediction), BOXED, GREY, tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")} == {
        "overlays/cat.jpg", "labels.csv", "labels.json",
    }  # fmt: skip
    assert read_image(tmp_path / "overlays/cat.jpg").shape == (*SIZE, 3)


def test_nothing_is_drawn_on_request(tmp_path: Path) -> None:
    write_one([], None, BOXED, GREY, tmp_path / "out")
    assert not (tmp_path / "out").exists()
