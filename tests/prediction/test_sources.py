"""Images and boxes as Python users give them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from gensight.errors import DataError
from gensight.files.videos.writing import VideoWriter
from gensight.prediction.sources import boxes_by_key, open_images

PIXELS = np.zeros((8, 10, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("images/a.png", "images/b.png", "other/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), PIXELS)
    with VideoWriter(tmp_path / "clip.mp4", 10) as video:
        for _ in range(2):
            video.write(np.zeros((32, 48, 3), np.uint8))
    return tmp_path


def test_keys_of_images(folder: Path) -> None:
    def keys(images: object) -> list[str]:
        samples, known = open_images(images)  # type: ignore[arg-type]
        found = [sample.key for sample in samples]
        assert known in (None, found)
        return found

    assert keys(folder / "images/a.png") == ["a.png"]
    assert keys(str(folder / "images")) == ["a.png", "b.png"]
    assert keys(PIXELS) == ["image"]
    assert keys([PIXELS, folder / "images/a.png"]) == ["0", "a.png"]
    assert keys([folder / "images/a.png", str(folder / "other/a.png")]) == ["0-a.png", "1-a.png"]
    assert len(keys(folder / "clip.mp4")) == 2


def test_pixels_of_images(folder: Path) -> None:
    samples, _ = open_images([folder / "images/a.png", np.ones((4, 6))])
    first, second = samples
    assert first.image().shape == (8, 10, 3)
    assert second.size == (4, 6)
    assert (second.image() == 255).all()


def test_boxes_of_one_image_of_several_and_by_name() -> None:
    box = [1, 2, 3, 4]
    one = boxes_by_key(np.array(box), ["image"])
    several = boxes_by_key([[box, box], np.zeros((0, 4))], ["0", "1"])
    named = boxes_by_key({"a.png": [box]}, None)
    assert one is not None
    assert several is not None
    assert named is not None
    assert [found.tolist() for found, _ in one["image"]] == [box]
    assert [len(found) for found in several.values()] == [2, 0]
    assert list(named) == ["a.png"]
    assert boxes_by_key(None, ["image"]) is None


@pytest.mark.parametrize(
    ("boxes", "keys", "message"),
    [
        ([[1, 2, 3]], ["image"], r"boxes of shape \(1, 3\) are no boxes"),
        ([1, 2, 3, np.nan], ["image"], "a box that is not finite"),
        ([[1, 2, 3, 4]], ["0", "1"], "boxes of 1 images for 2 images"),
        ([[1, 2, 3, 4]], None, "boxes of a folder or a video need the names"),
    ],
)
def test_what_is_no_box(boxes: object, keys: list[str] | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        boxes_by_key(boxes, keys)  # type: ignore[arg-type]
