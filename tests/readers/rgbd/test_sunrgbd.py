"""SUN RGB-D: the official parts without NYUv2, depth whose bits were moved, 8 metres at most."""

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.readers.rgbd.sunrgbd import SunRgbdReader
from tests.contracts.reader import ReaderContract
from tests.readers.miniatures import make_sunrgbd, metres


class TestSunRgbd(ReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        return SunRgbdReader(make_sunrgbd(tmp_path), "train")


def test_values(tmp_path):
    root = make_sunrgbd(tmp_path)
    reader = SunRgbdReader(root, "test")
    assert [sample.key for sample in reader] == ["xtion/sun3ddata/mit/lab_1/0000007/image/a"]
    assert reader.dropped == {"part of NYUv2": 1}
    sample = reader[0]
    assert (sample.label, sample.group) == ("lab", "xtion/sun3ddata/mit/lab_1")
    depth = sample.depth().values
    assert np.isnan(depth[0, 0])
    assert depth[0, 1] == 8  # 9.5 m
    np.testing.assert_allclose(depth[1:], metres(3)[1:], atol=1e-6)
    assert len(SunRgbdReader(root, "all")) == 3
    assert SunRgbdReader(root, "train")[1].label == "home office"


def test_what_is_wrong_is_named(tmp_path):
    root = make_sunrgbd(tmp_path)
    with pytest.raises(DataError, match="SUN RGB-D has no part `val`"):
        SunRgbdReader(root, "val")
    (root / "SUNRGBD" / "kv1/b3dodata/img_0001/depth_bfx/a.png").unlink()
    with pytest.raises(DataError, match="a scene without its images"):
        SunRgbdReader(root, "train")
    assert len(SunRgbdReader(root, "train", missing="drop")) == 1
