"""What predictions.json keeps of a prediction."""

from pathlib import Path

import numpy as np
import pytest

from gensight.encodings.depth import DepthMap
from gensight.files.images import read_image
from gensight.prediction.scoring.records import record
from gensight.samples import Depth, Item, Prediction
from tests.encodings.test_panels import SIZE, Deep, sample


def test_a_record_keeps_the_picture_and_the_error(tmp_path: Path) -> None:
    item = Item((sample(depth=Deep(np.full(SIZE, 2.0))),))
    prediction = Prediction("a", SIZE, depth=Depth(np.full(SIZE, 1.0, np.float32), "metric"))
    entry = record(prediction, item, DepthMap(), None, tmp_path)
    assert entry["error"] == pytest.approx(0.5)
    assert read_image(tmp_path.parent / entry["panel"]).ndim == 3
    bare = record(Prediction("a", SIZE), item, DepthMap(), None, tmp_path)
    assert bare == {"sample_key": "a", "item_key": "a", "size": [24, 32]}
