"""Files of boxes in other conventions, about other images, and without a usable box."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.prediction.detection.box_files import fit_boxes, given_boxes
from gensight.prediction.sources import Boxes, open_images, open_source, read_boxes

HEIGHT, WIDTH = 36, 64
GOOD = ("p0.png", [6, 7, 19, 11])


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boxes") / "images"
    for number in range(2):
        write_image(folder / f"p{number}.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    write_image(folder / "deep" / "q.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    return folder


def fitted(place: Path, *entries: tuple[str, list[float]]) -> Boxes:
    path = place.parent.with_name("boxes.json")
    path.write_text(json.dumps([{"file_name": name, "bbox": box, "score": 0.9} for name, box in entries]))
    return fit_boxes(read_boxes(path), path, [open_source(place)])


@pytest.mark.parametrize("name", ["p0.png", "images/p0.png"])
def test_a_name_is_that_of_the_file_from_its_folder_or_from_one_above(images: Path, name: str) -> None:
    (box, score), *others = fitted(images, (name, GOOD[1]))["p0.png"]
    assert box.tolist() == [6, 7, 25, 18]
    assert (score, others) == (0.9, [])
    assert list(fitted(images / "p0.png", (name, GOOD[1]))) == ["p0.png"]


def test_a_bare_name_finds_an_image_in_a_folder_below(images: Path) -> None:
    assert list(fitted(images, ("q.png", GOOD[1]))) == ["deep/q.png"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (("p0.png", [0.1, 0.2, 0.3, 0.3]), "fractions of the image's sides: no number is above 0.3"),
        (("p0.png", [40, 20, 52, 33]), "corners .*40, 20, 52, 33 as x, y, width, height reaches far out"),
        (("other/p0.png", GOOD[1]), "none of the 1 names is one of an image .* the first other/p0.png"),
        (("nothing.png", GOOD[1]), "none of the 1 names"),
        (("p0.png", [6, 7, 0.3, 0.3]), "no box can be used: 1 of less than a pixel, or outside the image"),
        (("p0.png", [90, 50, 6, 6]), "no box can be used"),
        (("p0.png", [6, 7, 0, 0]), "no box can be used"),
        (("p0.png", [6, 7, -2, 3]), "no box can be used"),
        (("p0.png", [6, 7, float("nan"), 3]), "entry 0 is no detection"),
    ],
)
def test_what_is_no_box_of_an_image_is_refused_with_the_format(
    images: Path, entry: tuple[str, list[float]], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        fitted(images, entry)
    hint = caught.value.hint or ""
    assert "[x, y, width, height]" in hint or "the path from the folder, such as deep/q.png, p0.png" in hint


def test_one_bad_box_does_not_end_a_folder(images: Path) -> None:
    with pytest.warns(UserWarning, match=r"boxes left out: 2 of less .* the first of p1.png; 1 about no image"):
        found = fitted(images, GOOD, ("p1.png", [6, 7, 0, 0]), ("p1.png", [90, 50, 6, 6]), ("else.png", GOOD[1]))
    assert {key: len(boxes) for key, boxes in found.items()} == {"p0.png": 1, "p1.png": 0}


def test_a_box_that_leaves_its_image_a_little_is_one(images: Path) -> None:
    ((box, _),) = fitted(images, ("p0.png", [1, 1, 63.5, 35]))["p0.png"]
    assert box.tolist() == [1, 1, 64.5, 36]


IMAGE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def given(boxes: object, images: object = IMAGE) -> dict[str, list[list[float]]] | None:
    opened, keys = open_images(images)
    samples = [] if keys is None else list(opened)
    found = given_boxes(boxes, images, samples, keys, "boxes")
    return found and {key: [box.tolist() for box, _ in some] for key, some in found.items()}


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([0.1, 0.2, 0.5, 0.9], "fractions of the image's sides: no number is above 0.9"),
        ([40, 20, 12, 13], "seem to be x, y, width, height: 40, 20, 12, 13 as corners ends before it begins"),
        ([[6, 7, 25, 18], [90, 50, 96, 56]], r"box 1 \(90, 50, 96, 56\) is less than a pixel .* of 64 x 36 px"),
        ([6, 7, 6.4, 18], "box 0 .* is less than a pixel"),
        ([6, 7, 6, 7], "box 0 .* is less than a pixel"),
        ([-30, -20, 25, -3], "outside its image"),
        ([25, 18, 6, -7], "box 0"),
        ([6, 7, float("nan"), 18], "a box that is not finite"),
        ([6, 7, float("inf"), 18], "a box that is not finite"),
        ([6, 7, 25], r"boxes of shape \(3,\)"),
        ([[6, 7], [25, 18]], r"boxes of shape \(2, 2\)"),
        (np.ones((2, 2, 4)), r"boxes of shape \(2, 2, 4\)"),
        ([[6, 7, 25, 18], [1]], "no array of boxes"),
        (["6", "7", "25", "18"], "boxes of <U2, not of numbers"),
        ([None, 7, 25, 18], "boxes of object, not of numbers"),
        (np.array([6, 7, 25, 18], complex), "boxes of complex128"),
        (np.array([True, True, True, True]), "boxes of bool"),
        ({"other": [6, 7, 25, 18]}, "boxes of other, which is no image that is predicted on"),
    ],
)
def test_what_a_python_user_gives_is_a_box_of_the_image_or_refused(boxes: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        given(boxes)


def test_boxes_of_every_type_and_shape_that_has_one_meaning_are_taken(images: Path) -> None:
    box, partly = [6.0, 7.0, 25.0, 18.0], [-4.0, 7.0, 25.0, 50.0]
    for same in (box, tuple(box), np.array(box, np.int16), np.array([box], np.float32), [[box]], torch.tensor(box)):
        assert given(same) == {"image": [box]}
    assert given([box, partly]) == {"image": [box, partly]}
    assert given(np.zeros((0, 4))) == {"image": []}
    assert given(None) is None
    assert given([box, [partly]], [IMAGE, IMAGE]) == {"0": [box], "1": [partly]}
    assert given(torch.tensor([[box], [partly]], requires_grad=True), [IMAGE, IMAGE]) == {"0": [box], "1": [partly]}
    assert given({"deep/q.png": box}, images) == {"deep/q.png": [box]}
    with pytest.raises(DataError, match="need the names of the images"):
        given(box, images)
