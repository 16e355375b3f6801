"""Folder reader."""

import os

import numpy as np
import pytest
from PIL import Image

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


def test_only_regular_files_are_images(tmp_path):
    write_image(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "nothing.jpg").symlink_to("not there")
    os.mkfifo(tmp_path / "pipe.jpg")  # opening it would wait for ever
    (tmp_path / "link.png").symlink_to("a.png")
    assert [sample.key for sample in FolderReader(tmp_path)] == ["a.png", "link.png"]


def test_names_that_are_no_text_have_readable_keys(tmp_path):
    write_image(tmp_path / "a.png", np.full((4, 4, 3), 7, np.uint8))
    (tmp_path / "a.png").rename(tmp_path / os.fsdecode(b"bild_\xfc.png"))
    (sample,) = FolderReader(tmp_path)
    assert sample.key == "bild_\\udcfc.png"
    assert sample.image().max() == 7


def test_all_pages_of_a_file_are_samples(tmp_path, monkeypatch):
    pages = [Image.fromarray(np.full((4, 6), 40 * number, np.uint8)) for number in range(3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    write_image(tmp_path / "a.png", np.full((4, 4, 3), 7, np.uint8))
    assert len(FolderReader(tmp_path)) == 2
    monkeypatch.setenv("GENSIGHT_IMAGES", "pages=all")
    reader = FolderReader(tmp_path)
    assert reader.groups == ["a.png", *(f"stack.tif#{page:06d}" for page in range(3))]
    assert [sample.image().max() for sample in reader] == [7, 0, 40, 80]
    assert reader.sample(2).size == (4, 6)
    assert reader.location(2) == (tmp_path / "stack.tif", 1)
