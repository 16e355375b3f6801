"""Folder reader."""

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.readers.images.folder import FolderReader
from tests.contracts.reader import ReaderContract


@pytest.fixture
def images(tmp_path):
    root = tmp_path / "images"
    for number, name in enumerate(["b.png", "a.jpg", "deep/c.png", ".hidden/d.png"]):
        write_image(root / name, np.random.default_rng(number).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    (root / "notes.txt").write_text("not an image")
    return root


class TestFolderReader(ReaderContract):
    @pytest.fixture
    def reader(self, images):
        return FolderReader(images)


def test_sorted_and_recursive(images):
    assert [sample.key for sample in FolderReader(images)] == ["a.jpg", "b.png", "deep/c.png"]
    assert FolderReader(images)[0].instances is None


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match="the folder holds no images") as caught:
        FolderReader(tmp_path)
    assert caught.value.where == str(tmp_path)
    assert ".png" in caught.value.choices


def test_a_missing_folder_is_reported(tmp_path):
    with pytest.raises(DataError, match="folder not found"):
        FolderReader(tmp_path / "none")


def test_check_names_broken_images_and_does_not_raise(images):
    (images / "broken.png").write_bytes((images / "b.png").read_bytes()[:200])
    (images / "empty.jpg").touch()
    summary = FolderReader(images).check()
    found = {finding.what: finding.where for finding in summary.findings if finding.level == "error"}
    assert "empty.jpg" in found["the image file is empty"]
    assert any("broken.png" in where for where in found.values())
    assert summary.num_samples == 5
