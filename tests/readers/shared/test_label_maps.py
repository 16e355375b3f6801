"""Label maps: numbers survive writing, and what is no label map is refused."""

import numpy as np
import pytest
from PIL import Image

from gensight.errors import DataError
from gensight.readers.shared.label_maps import (
    LabelMask,
    box_overlap,
    has_palette,
    mask_box,
    read_label_map,
    write_label_map,
)


def test_numbers_survive(tmp_path):
    labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_label_map(tmp_path / "a.png", labels)
    np.testing.assert_array_equal(read_label_map(tmp_path / "a.png", (16, 16)), labels)
    assert has_palette(tmp_path / "a.png")
    # VOC's palette: 1 is dark red, 2 dark green, 15 (person) pink, 255 (the rim) cream.
    colours = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).reshape(-1, 3)
    assert colours[[0, 1, 2, 15]].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [192, 128, 128]]
    assert colours[255].tolist() == [224, 224, 192]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, bool])
def test_grey_values_are_numbers(tmp_path, dtype):
    labels = np.eye(5).astype(dtype)
    Image.fromarray(labels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_label_map(tmp_path / "a.png"), np.eye(5))
    assert not has_palette(tmp_path / "a.png")
    Image.fromarray(np.eye(5, dtype=np.uint8)).convert("RGB").save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_label_map(tmp_path / "b.png"), np.eye(5))


def test_what_is_no_label_map(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(DataError, match="label map not found"):
        read_label_map(path)
    Image.fromarray(np.arange(75, dtype=np.uint8).reshape(5, 5, 3)).save(path)
    with pytest.raises(DataError, match="a label map with colours instead of numbers"):
        read_label_map(path)
    path.write_bytes(path.read_bytes()[:30])
    for read in (read_label_map, has_palette):
        with pytest.raises(DataError, match="cannot be read as a label map"):
            read(path)
    write_label_map(path, np.zeros((5, 6), np.uint8))
    with pytest.raises(DataError, match=r"the label map is 5 x 6 \(height x width\), but its image is 6 x 5"):
        read_label_map(path, (6, 5))


def test_masks(tmp_path):
    labels = np.zeros((5, 6), np.uint8)
    labels[1, 2:5], labels[3] = 3, 200
    write_label_map(tmp_path / "a.png", labels)
    one, every = LabelMask(tmp_path / "a.png", (5, 6), 3)(), LabelMask(tmp_path / "a.png", (5, 6))()
    assert (one.sum(), every.sum(), one.dtype) == (3, 9, bool)
    assert mask_box(one).tolist() == [2, 1, 5, 2]
    assert mask_box(every).tolist() == [0, 1, 6, 4]
    assert mask_box(np.zeros((3, 3), bool)) is None


def test_overlap():
    box = np.array([0.0, 0, 4, 2])
    assert box_overlap(box, box) == 1
    assert box_overlap(box, box + np.array([2, 0, 2, 0])) == pytest.approx(1 / 3)
    assert box_overlap(box, box + 10) == 0
    assert box_overlap(np.zeros(4), np.zeros(4)) == 0
