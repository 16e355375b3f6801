"""One folder per class."""

import pytest

from gensight.errors import DataError
from gensight.readers.images.class_folders import ImageFoldersReader
from tests.contracts.reader import ReaderContract
from tests.readers.miniatures import make_image_folders, make_pets


class TestImageFolders(ReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        return ImageFoldersReader(make_image_folders(tmp_path))


def test_values(tmp_path):
    root = make_image_folders(tmp_path)
    reader = ImageFoldersReader(root)
    assert [sample.key for sample in reader] == [f"{n}/{a}.JPEG" for n in ("n01440764", "n02123045") for a in "ab"]
    assert [sample.label for sample in reader] == ["tench", "tench", "tabby", "tabby"]
    assert reader.labels == ("tench", "tabby")
    assert reader.synonyms == {"tench": ("Tinca tinca",), "tabby": ("tabby cat",)}
    (root / "LOC_synset_mapping.txt").unlink()
    assert ImageFoldersReader(root, "val").labels == ("n01440764", "n02123045")
    assert ImageFoldersReader(root / "val", "").labels == ("n01440764", "n02123045")


def test_what_is_wrong_is_named(tmp_path):
    root = make_image_folders(tmp_path)
    (root / "LOC_synset_mapping.txt").write_text("n01440764 tench\nn02123045 tench\n")
    with pytest.raises(DataError, match="two folders mean `tench`"):
        ImageFoldersReader(root)
    with pytest.raises(DataError, match="folder not found"):
        ImageFoldersReader(root, "test")
    (tmp_path / "empty" / "train" / "dog").mkdir(parents=True)
    with pytest.raises(DataError, match="no class folder holds an image"):
        ImageFoldersReader(make_pets(tmp_path / "empty"))
