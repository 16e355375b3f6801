import numpy as np
import pytest

from gensight.drawing import contact_sheet
from gensight.errors import DataError


def test_pictures_stand_in_rows_in_order() -> None:
    pictures = [np.full((20, 30, 3), 40 * index, dtype=np.uint8) for index in range(5)]
    sheet = contact_sheet(pictures, 3, gap=4)
    assert sheet.shape == (4 + 2 * 24, 4 + 3 * 34, 3)
    for index in range(5):
        row, column = divmod(index, 3)
        np.testing.assert_array_equal(sheet[4 + row * 24 :, 4 + column * 34 :][:20, :30], pictures[index])
    assert (sheet[28:, 74:] == 255).all()


def test_sizes_and_greys_may_be_mixed_and_keep_their_aspect() -> None:
    tall, wide = np.zeros((100, 50), dtype=np.uint8), np.zeros((10, 20, 3), dtype=np.uint8)
    sheet = contact_sheet([tall, wide], 2, tile=(40, 40), gap=0)
    assert sheet.shape == (40, 80, 3)
    assert (sheet[:, 10:30] == 0).all()
    assert (sheet[10:30, 40:] == 0).all()
    assert (sheet[:9, 40:] != 0).all()


def test_captions_are_written_below_and_shortened() -> None:
    pictures = [np.zeros((50, 100, 3), dtype=np.uint8)] * 2
    bare, captioned = contact_sheet(pictures, 1), contact_sheet(pictures, 1, ["short", "long " * 100])
    assert captioned.shape[0] > bare.shape[0]
    assert captioned.shape[1] == bare.shape[1]
    strip = captioned[58:76]
    assert (strip[:, 8:108] < 128).any()
    assert (captioned[:, 108:] == 255).all()


def test_bad_calls_are_refused() -> None:
    picture = np.zeros((4, 4, 3), dtype=np.uint8)
    with pytest.raises(DataError, match="needs at least one picture"):
        contact_sheet([], 3)
    with pytest.raises(DataError, match="2 captions for 1 pictures"):
        contact_sheet([picture], 1, ["a", "b"])
    with pytest.raises(DataError, match="at least one column, got 0"):
        contact_sheet([picture], 0)
