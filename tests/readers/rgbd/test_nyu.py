"""NYU Depth V2: axes as MATLAB's come out, the official parts, depth in metres."""

import h5py
import numpy as np
import pytest

from gensight.errors import DataError
from gensight.readers.rgbd.nyu import NyuRawReader, NyuReader
from tests.contracts.reader import ReaderContract
from tests.readers.miniatures import make_nyu_mat, make_nyu_raw, metres, picture


class TestMat(ReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        return NyuReader(make_nyu_mat(tmp_path))


class TestRaw(ReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        return NyuRawReader(make_nyu_raw(tmp_path))


def test_values_of_the_labelled_file(tmp_path):
    path = make_nyu_mat(tmp_path)
    reader = NyuReader(path, "train")
    assert [sample.key for sample in reader] == ["nyu-0001", "nyu-0002", "nyu-0004"]
    assert [sample.key for sample in NyuReader(path, "test")] == ["nyu-0003"]
    sample = reader[2]
    np.testing.assert_array_equal(sample.image(), picture(3))
    np.testing.assert_array_equal(sample.depth().values, metres(3))
    classes = sample.extras["segmentation"]
    assert classes.names == ("unlabelled", "wall", "night stand")
    assert classes.ignored == (0,)
    assert classes()[0, 0] == 1
    assert classes()[0, 25] == 0
    assert classes()[10, 25] == 2
    assert sample.group == "den_0002"


def test_values_of_the_raw_layout(tmp_path):
    reader = NyuRawReader(make_nyu_raw(tmp_path), "nyu_train")
    assert [sample.key for sample in reader] == ["kitchen_0004a/rgb_00001", "kitchen_0004b/rgb_00007"]
    assert set(reader.groups) == {"kitchen_0004"}  # two recordings of one room
    np.testing.assert_allclose(reader[1].depth().values, metres(1), atol=1e-6)
    assert NyuRawReader(tmp_path, "nyu_test")[0].group == "bathroom"


def test_missing_pairs(tmp_path):
    root = make_nyu_raw(tmp_path)
    (root / "kitchen_0004a" / "sync_depth_00001.png").unlink()
    with pytest.raises(DataError, match=r"file not found: kitchen_0004a/sync_depth_00001\.png"):
        NyuRawReader(root)
    reader = NyuRawReader(root, missing="drop")
    assert len(reader) == 1
    assert reader.dropped == {"files missing": 1}


def test_other_files_are_refused(tmp_path):
    path = make_nyu_mat(tmp_path)
    with pytest.raises(DataError, match="NYUv2 has no part `val`"):
        NyuReader(path, "val")
    with h5py.File(path, "a") as file:
        del file["labels"]
    with pytest.raises(DataError, match="the file has no labels"):
        NyuReader(path)
    path.write_bytes(b"no hdf5")
    with pytest.raises(DataError, match="cannot be read"):
        NyuReader(path)
    path = make_nyu_mat(tmp_path / "again")
    (tmp_path / "again" / "splits.mat").unlink()
    with pytest.raises(DataError, match="file not found"):
        NyuReader(path, "train")
