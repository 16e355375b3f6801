"""Oxford-IIIT Pet: breeds, trimaps, heads, official lists."""

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.readers.pets import PetsReader
from tests.contracts.reader import ReaderContract
from tests.readers.miniatures import make_pets


class TestPets(ReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        return PetsReader(make_pets(tmp_path))


def test_values(tmp_path):
    reader = PetsReader(make_pets(tmp_path))
    assert reader.labels == ("abyssinian", "american bulldog", "beagle")
    assert reader.categories == ("cat", "dog")
    sample = reader[2]
    assert sample.label == "american bulldog"
    (dog,) = sample.instances
    assert dog.category == "dog"
    np.testing.assert_array_equal(dog.head_box, [8, 7, 15, 13])  # 1-based, inclusive
    assert dog.mask().sum() == 11 * 10
    classes = sample.extras["segmentation"]
    assert classes.names == ("background", "cat", "dog")
    assert [int(classes()[row, column]) for row, column in ((0, 0), (5, 21), (10, 15))] == [0, 255, 2]
    assert PetsReader(tmp_path, "test")[0].instances[0].head_box is None
    assert len(PetsReader(tmp_path, "list")) == 4  # with a comment


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("Abyssinian_1 1", "no row of a list of pets"),
        ("Abyssinian_1 1 3 1", "no row of a list of pets"),
        ("Abyssinian 1 1 1", "`Abyssinian` names no breed"),
        ("Abyssinian_1 1 1 1\nAbyssinian_1 1 1 1", "`Abyssinian_1` is listed twice"),
        ("Abyssinian_1 1 1 1\nbeagle_3 1 2 1", "breed 1 is both `abyssinian` and `beagle`"),
    ],
)
def test_bad_rows_are_named(tmp_path, row, message):
    root = make_pets(tmp_path)
    (root / "annotations" / "trainval.txt").write_text(row)
    with pytest.raises(DataError, match=message):
        PetsReader(root)


def test_missing_images(tmp_path):
    root = make_pets(tmp_path)
    (root / "images" / "beagle_3.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 4 images that trainval\.txt names are missing: beagle_3"):
        PetsReader(root)
    assert PetsReader(root, missing="drop").dropped == {"images missing": 1}


def test_real_pets(shared_data):
    reader = PetsReader(shared_data / "oxford_pets", "test")
    assert len(reader) == 298
    assert reader.labels == ("abyssinian", "american bulldog", "bengal")
    assert reader[0].size == reader[0].image().shape[:2]
