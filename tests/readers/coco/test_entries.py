"""COCO files as exporters write them: ids, flags, sizes, limbs and segmentations of other types and shapes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as reference

from gensight.errors import DataError
from gensight.readers.coco.reader import CocoReader
from gensight.readers.coco.rle import decode_mask

HEIGHT, WIDTH = 60, 80
POLYGON = [40, 30, 70, 30, 70, 50, 40, 50]


def labels() -> dict[str, Any]:
    images = [{"id": n, "file_name": f"{n}.png", "height": HEIGHT, "width": WIDTH} for n in (1, 2, 3)]
    annotations = [
        {"id": n, "image_id": n, "category_id": 1, "iscrowd": 0, "area": 600, "bbox": [40, 30, 30, 20],
         "keypoints": [50, 40, 2, 60, 45, 1, 0, 0, 0], "segmentation": [POLYGON]}
        for n in (1, 2, 3)
    ]  # fmt: skip
    category = {"id": 1, "name": "animal", "keypoints": ["a", "b", "c"], "skeleton": [[1, 2]]}
    return {"images": images, "annotations": annotations, "categories": [category]}


def read(
    root: Path, part: str = "images", change: Callable[[dict[str, Any]], object] = lambda entry: None
) -> CocoReader:
    value = labels()
    for entry in value[part]:
        change(entry)
    (root / "images").mkdir(exist_ok=True)
    for number in (1, 2, 3):
        Image.new("RGB", (WIDTH, HEIGHT)).save(root / "images" / f"{number}.png")
    (root / "labels.json").write_text(json.dumps(value))
    return CocoReader(root / "images", root / "labels.json", None)


SAME = {  # what means the same as the plain file
    "category_id_text": ("annotations", lambda entry: entry.update(category_id="1")),
    "category_id_of_categories": ("categories", lambda entry: entry.update(id="1")),
    "image_id_text": ("annotations", lambda entry: entry.update(image_id=str(entry["image_id"]))),
    "image_id_text_float": ("annotations", lambda entry: entry.update(image_id=f"{entry['image_id']}.0")),
    "image_id_float": ("annotations", lambda entry: entry.update(image_id=float(entry["image_id"]))),
    "id_of_images": ("images", lambda entry: entry.update(id=f" {entry['id']} ")),
    "iscrowd_float": ("annotations", lambda entry: entry.update(iscrowd=0.0)),
    "iscrowd_null": ("annotations", lambda entry: entry.update(iscrowd=None)),
    "iscrowd_text": ("annotations", lambda entry: entry.update(iscrowd="0")),
    "iscrowd_missing": ("annotations", lambda entry: entry.pop("iscrowd")),
    "height_float": ("images", lambda entry: entry.update(height=60.0)),
    "height_text": ("images", lambda entry: entry.update(height="60")),
    "height_null": ("images", lambda entry: entry.update(height=None)),
    "height_zero": ("images", lambda entry: entry.update(height=0, width=0)),
    "no_sizes": ("images", lambda entry: (entry.pop("height"), entry.pop("width"))),
    "area_text": ("annotations", lambda entry: entry.update(area="600")),
    "box_text": ("annotations", lambda entry: entry.update(bbox=["40", "30", "30", "20"])),
    "nested_keypoints": ("annotations", lambda entry: entry.update(keypoints=[[50, 40, 2], [60, 45, 1], [0, 0, 0]])),
    "null_keypoint": ("annotations", lambda entry: entry.update(keypoints=[50, 40, 2, 60, 45, 1, None, None, 0])),
    "limbs_from_0": ("categories", lambda entry: entry.update(skeleton=[[0, 1], [1, 0]][:1])),
    "limb_that_cannot_be": (
        "categories",
        lambda entry: entry.update(skeleton=[[1, 2], [1, 9], [3, 3], "x", [1], None]),
    ),
    "limbs_by_name": ("categories", lambda entry: entry.update(skeleton=[["a", "b"]])),
    "limbs_as_text": ("categories", lambda entry: entry.update(skeleton=[["1", 2.0]])),
    "backslashes": ("images", lambda entry: entry.update(file_name=f"C:\\me\\{entry['id']}.PNG")),
    "another_folder": ("images", lambda entry: entry.update(file_name=f"/home/me/frames/{entry['id']}.png")),
}


@pytest.mark.parametrize("name", SAME)
def test_what_has_one_meaning_is_read(tmp_path, name):
    reader = read(tmp_path, *SAME[name])
    assert [sample.key for sample in reader] == ["1.png", "2.png", "3.png"]
    assert reader.skeleton.edges == ((0, 1),)
    for sample in reader:
        (instance,) = sample.instances
        assert sample.size == (HEIGHT, WIDTH)
        assert sample.image().shape == (HEIGHT, WIDTH, 3)
        assert instance.box.tolist() == [40, 30, 70, 50]
        assert (instance.area, instance.is_crowd, instance.mask().sum()) == (600, False, 600)
        np.testing.assert_array_equal(instance.keypoints.points, [[50.5, 40.5], [60.5, 45.5], [np.nan, np.nan]])


def test_large_ids_and_ids_that_are_missing(tmp_path):
    reader = read(tmp_path, "annotations", lambda entry: entry.update(id=9.001002844e11 + entry["id"]))
    assert reader[1].instances[0].id == 900100284402
    reader = read(tmp_path, "annotations", lambda entry: entry.pop("id"))
    assert len({sample.instances[0].id for sample in reader}) == 3


def test_categories_without_keypoint_names_get_numbers(tmp_path):
    reader = read(tmp_path, "categories", lambda entry: entry.update(keypoints=None, skeleton=None))
    assert reader.skeleton.keypoints == ("keypoint_1", "keypoint_2", "keypoint_3")


WRONG = {
    "image_id_fraction": ("annotations", {"image_id": 1.5}, "`image_id` is 1.5", "annotation 1"),
    "image_id_null": ("annotations", {"image_id": None}, "`image_id` is null", "annotation 1"),
    "id_word": ("annotations", {"id": "first"}, '`id` is "first"', "annotation first"),
    "height_word": ("images", {"height": "tall"}, '`height` is "tall"', "image 1"),
    "height_huge": ("images", {"height": 10**12}, "an image of 1000000000000 x 80 px", "image 1"),
    "no_name": ("images", {"file_name": None}, "`file_name` is null", "image 1"),
    "keypoints_word": ("categories", {"keypoints": "nose"}, '`keypoints` is "nose"', "category 1"),
    "box_word": ("annotations", {"bbox": ["a", 1, 2, 3]}, "`bbox` is", "annotation 1"),
    "two_corners": ("annotations", {"segmentation": [[1, 1, 2, 2]]}, "a polygon of 2 corners", "annotation 1"),
    "odd": ("annotations", {"segmentation": [[1, 1, 2, 2, 3]]}, "5 numbers, which are not pairs", "annotation 1"),
    "empty": ("annotations", {"segmentation": [[]]}, "a polygon of 0 corners", "annotation 1"),
    "one_empty": ("annotations", {"segmentation": [POLYGON, []]}, "a polygon of 0 corners", "annotation 1"),
    "words": ("annotations", {"segmentation": [["a"]]}, "a polygon is a list of numbers", "annotation 1"),
    "nothing": ("annotations", {"segmentation": {}}, "neither runs nor", "annotation 1"),
    "bad_runs": ("annotations", {"segmentation": {"counts": "~~~"}}, "neither runs nor", "annotation 1"),
    "bad_sum": ("annotations", {"segmentation": {"counts": [5]}}, "runs of 5 pixels", "annotation 1"),
    "long_runs": ("annotations", {"segmentation": {"counts": "o" * 40 + "0"}}, "neither runs nor", "annotation 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_has_no_meaning_is_refused_by_entry(tmp_path, name):
    part, fields, what, where = WRONG[name]
    with pytest.raises(DataError, match=what) as caught:
        read(tmp_path, part, lambda entry: entry.update(fields))
    assert f"labels.json, {where}" in caught.value.where
    assert caught.value.hint


def region() -> Any:
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    pixels[30:50, 40:70] = 1
    return pixels


RUNS = reference.encode(region())["counts"].decode()
SHAPES = {
    "flat": POLYGON,
    "corner_pairs": [[[40, 30], [70, 30], [70, 50], [40, 50]]],
    "list_of_runs": [{"size": [HEIGHT, WIDTH], "counts": RUNS}],
    "no_size": {"counts": RUNS},
    "size_text": {"size": [str(HEIGHT), float(WIDTH)], "counts": RUNS},
}


@pytest.mark.parametrize("name", SHAPES)
def test_other_shapes_of_segmentations(tmp_path, name):
    reader = read(tmp_path, "annotations", lambda entry: entry.update(segmentation=SHAPES[name]))
    np.testing.assert_array_equal(reader[0].instances[0].mask(), region() > 0)


@pytest.mark.parametrize("far", [300, 1e4, 1e9, 1e300])
def test_corners_far_away_cost_nothing_and_are_clipped(far):
    size = (HEIGHT, WIDTH)
    assert decode_mask([[0, 0, far, 0, far, far, 0, far]], size).all()
    half = decode_mask([[-far, -far, 40, -far, 40, far, -far, far]], size)
    np.testing.assert_array_equal(half, decode_mask([[-10, -10, 40, -10, 40, 70, -10, 70]], size))
    assert not decode_mask([[far, far, 2 * far, far, 2 * far, 2 * far]], size).any()
