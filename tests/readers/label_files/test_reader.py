"""Label files of annotation tools: every layout gives the same mouse."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from gensight.readers.label_files.reader import LabelFilesReader
from gensight.samples import Visibility
from tests.readers.label_files.layouts import HEIGHT, LAYOUTS, NUM, PARTS, WIDTH, box, make, points


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_mouse(name: str, tmp_path: Path) -> None:
    reader = LabelFilesReader(make(name, tmp_path / "lab data"), LAYOUTS[name][1])
    names = LAYOUTS[name][2]
    assert len(reader) == NUM
    assert reader.dropped == {}
    assert list(reader.findings()) == []
    assert (reader.skeleton.keypoints if reader.skeleton else ()) == names
    assert len({sample.key for sample in reader}) == NUM
    for number, sample in enumerate(pickle.loads(pickle.dumps(reader))):
        (mouse,) = sample.instances
        assert sample.size == (HEIGHT, WIDTH)
        if names:
            expected = list(points(number).values())
            np.testing.assert_allclose(mouse.keypoints.points, expected, atol=0.01)
            assert set(mouse.keypoints.visibility.tolist()) == {Visibility.VISIBLE}
        else:
            np.testing.assert_allclose(mouse.box, box(number), atol=0.01)
            assert mouse.category == "mouse"
        if mouse.mask is not None:
            assert mouse.mask().sum() == 80 * 70
    assert sample.image().shape == (HEIGHT, WIDTH, 3)
    assert PARTS[0] == "nose"
