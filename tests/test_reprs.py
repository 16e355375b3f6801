"""Data types print themselves in one short line."""

import numpy as np

from gensight.samples import Instance, Keypoints, Prediction, Provenance
from gensight.skeletons import COCO_17


def test_a_prediction_is_one_line() -> None:
    keypoints = Keypoints(COCO_17, np.zeros((17, 2)), np.full(17, 3, np.int8), np.ones(17, np.float32))
    one = Instance("person", np.array([0.0, 1.0, 2.0, 3.5]), keypoints, provenance=Provenance("run:demo", 0.5))
    text = repr(Prediction("a.png", (480, 640), (one, one, one)))
    assert text == "Prediction(sample_key='a.png', size=(480, 640), instances=3 x Instance)"
    single = repr(Prediction("a.png", (480, 640), (one,)))
    assert "\n" not in single
    assert len(single) < 500
    assert "box=[0.0, 1.0, 2.0, 3.5]" in single
    assert "skeleton=coco-17" in single
    assert "run:demo" in single
