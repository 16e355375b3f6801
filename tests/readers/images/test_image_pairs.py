"""Pairs of a degraded and a restored image: matched by order, and refused where they do not fit."""

import numpy as np
import pytest
from PIL import Image

from gensight.errors import DataError
from gensight.readers.images.image_pairs import ImagePairsReader, restored_image


def write(root, names, folder, size=(20, 30), value=9):
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(np.full((*size, 3), value, np.uint8)).save(root / folder / name)


def pairs(root):
    write(root / "train", ["rain-1.png", "rain-2.png"], "rain")
    write(root / "train", ["norain-1.png", "norain-2.png"], "norain", value=200)
    return ImagePairsReader(root, "train", "derain", ("rain", "norain"))


def test_files_go_together_by_the_order_of_their_names(tmp_path):
    reader = pairs(tmp_path)
    assert [one.key for one in reader] == ["rain/rain-1.png", "rain/rain-2.png"]
    assert restored_image(reader[1], "derain")().mean() == 200
    assert restored_image(reader[1], "denoise") is None


def test_what_does_not_fit_is_refused(tmp_path):
    reader = pairs(tmp_path)
    write(tmp_path / "train", ["norain-2.png"], "norain", (20, 31))
    with pytest.raises(DataError, match=r"rain-2.png is of \(20, 30\), its partner of \(20, 31\)"):
        reader[1]
    write(tmp_path / "train", ["norain-3.png"], "norain")
    with pytest.raises(DataError, match="2 images in rain and 3 in norain make no pairs"):
        ImagePairsReader(tmp_path, "train", "derain", ("rain", "norain"))
    with pytest.raises(DataError, match="folder"):
        ImagePairsReader(tmp_path, "train", "derain")
