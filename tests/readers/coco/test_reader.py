"""COCO reader, its index and its writer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from gensight.errors import DataError
from gensight.files.columns import cache_folder
from gensight.files.images import write_image
from gensight.readers.coco import index as coco_index
from gensight.readers.coco.reader import CocoReader
from gensight.readers.coco.writer import write_coco
from gensight.samples import Instance, Keypoints, Sample, Visibility
from gensight.skeletons import COCO_17, OPENPOSE_18
from tests.contracts.reader import ReaderContract

CAT = {"id": 7, "name": "cat", "keypoints": ["nose", "left_ear", "right_ear"], "skeleton": [[1, 2], [1, 3]]}
CUP = {"id": 9, "name": "cup"}


def labels() -> dict[str, Any]:
    """Three images, the second without annotations; annotations out of order."""
    return {
        "images": [{"id": i, "file_name": f"{i}.png", "height": 20, "width": 30} for i in (5, 3, 8)],
        "annotations": [
            {"id": 40, "image_id": 8, "category_id": 9, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0,
             "segmentation": [[1, 2, 4, 2, 4, 6, 1, 6]]},
            {"id": 41, "image_id": 5, "category_id": 7, "bbox": [0.5, 1, 10, 12], "area": 99.5, "iscrowd": 0,
             "keypoints": [4, 5, 2, 6, 7.5, 1, 0, 0, 0], "num_keypoints": 2, "segmentation": []},
            {"id": 42, "image_id": 8, "category_id": 7, "bbox": [1, 1, 9, 9], "area": 50, "iscrowd": 1,
             "keypoints": [0] * 9, "num_keypoints": 0, "segmentation": {"size": [20, 30], "counts": [100, 50, 450]}},
        ],
        "categories": [dict(CAT), dict(CUP)],
    }  # fmt: skip


def make(root: Path, value: dict[str, Any] | str | None = None) -> Path:
    value = labels() if value is None else value
    for number in (3, 5, 8):
        write_image(root / "images" / f"{number}.png", np.full((20, 30, 3), number, np.uint8))
    (root / "labels.json").write_text(value if isinstance(value, str) else json.dumps(value))
    return root


def read(root: Path, **options: Any) -> CocoReader:
    return CocoReader(root / "images", root / "labels.json", **({"categories": None} | options))


@pytest.fixture
def root(tmp_path):
    return make(tmp_path / "data")


class WritesCoco(ReaderContract):
    def write(self, samples, root):
        write_coco(samples, root)
        return CocoReader(root / "images", root / "annotations.json", categories=None)


class TestOwnCategories(WritesCoco):
    @pytest.fixture
    def reader(self, root):
        return read(root)


class TestRealPersons(WritesCoco):
    @pytest.fixture(scope="class")
    def reader(self, shared_data, tmp_path_factory):
        """The first images of the real file, with people, crowds among them."""
        folder = shared_data / "coco_mini"
        value = json.loads((folder / "annotations" / "person_keypoints_val2017.json").read_text())
        crowds = {entry["image_id"] for entry in value["annotations"] if entry["iscrowd"]}
        value["images"] = sorted(value["images"], key=lambda image: image["id"] not in crowds)[:4]
        kept = {image["id"] for image in value["images"]}
        value["annotations"] = [entry for entry in value["annotations"] if entry["image_id"] in kept]
        path = tmp_path_factory.mktemp("coco") / "few.json"
        path.write_text(json.dumps(value))
        return CocoReader(folder / "val2017", path)


def test_values(root):
    reader = read(root)
    assert [sample.key for sample in reader] == ["5.png", "3.png", "8.png"]
    assert [sample.key for sample in reader][1] == reader.groups[1]
    assert reader.image_ids == {"5.png": 5, "3.png": 3, "8.png": 8}
    assert reader.categories == ("cat", "cup")
    assert reader.skeleton.keypoints == ("nose", "left_ear", "right_ear")
    assert reader.skeleton.edges == ((0, 1), (0, 2))
    (cat,) = reader[0].instances
    assert (cat.id, cat.category, cat.area, cat.is_crowd, cat.mask) == (41, "cat", 99.5, False, None)
    assert cat.box.tolist() == [0.5, 1, 10.5, 13]
    np.testing.assert_array_equal(cat.keypoints.points, [[4.5, 5.5], [6.5, 8], [np.nan, np.nan]])
    assert cat.keypoints.visibility.tolist() == [Visibility.VISIBLE, Visibility.OCCLUDED, Visibility.UNLABELLED]
    assert reader[1].instances == ()
    cup, crowd = reader[2].instances
    assert (cup.id, crowd.id, crowd.is_crowd) == (40, 42, True)
    assert cup.mask().sum() == 12
    assert cup.mask()[2:6, 1:4].all()
    assert crowd.mask().sum() == 50
    assert cup.keypoints is None


def test_categories_are_chosen(root):
    reader = read(root, categories=["cup"])
    assert reader.skeleton is None
    assert [len(sample.instances) for sample in reader] == [0, 0, 1]
    with pytest.raises(DataError, match="there is no category `person`") as caught:
        CocoReader(root / "images", root / "labels.json")
    assert caught.value.choices == ["cat", "cup"]
    with pytest.raises(DataError, match="there is no category `cap`") as caught:
        read(root, categories=["cap"])
    assert caught.value.hint in ("did you mean `cup`?", "did you mean `cat`?")


def test_categories_with_different_keypoints_are_not_read_together(tmp_path):
    value = labels()
    value["categories"][1] = CUP | {"keypoints": ["rim", "handle"]}
    root = make(tmp_path, value)
    with pytest.raises(DataError, match="the categories have different keypoints"):
        read(root)
    assert read(root, categories=["cup"]).skeleton.keypoints == ("rim", "handle")


def test_limbs_counted_from_zero_are_understood(tmp_path):
    value = labels()
    value["categories"][0] = CAT | {"skeleton": [[0, 1], [0, 2]]}
    assert read(make(tmp_path, value)).skeleton.edges == ((0, 1), (0, 2))


def test_named_skeletons_are_recognised(tmp_path):
    value = labels()
    value["categories"][0] = {"id": 7, "name": "person", "keypoints": list(COCO_17.keypoints), "skeleton": []}
    value["annotations"] = value["annotations"][:1]
    assert read(make(tmp_path, value), categories=["person"]).skeleton is COCO_17


# --- the index ---


def test_the_second_opening_does_not_parse(root, monkeypatch):
    first = read(root)
    monkeypatch.setattr(coco_index, "_parse", lambda *_: pytest.fail("parsed again"))
    second = read(root)
    assert [sample.key for sample in second] == [sample.key for sample in first]
    np.testing.assert_array_equal(second[0].instances[0].keypoints.points, first[0].instances[0].keypoints.points)


def test_a_changed_file_is_parsed_again(root):
    read(root)
    value = labels()
    value["annotations"][1]["keypoints"][0] = 9
    (root / "labels.json").write_text(json.dumps(value))
    assert read(root)[0].instances[0].keypoints.points[0, 0] == 9.5


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_index_is_made_again(root, damage):
    keys = [sample.key for sample in read(root)]
    (cached,) = cache_folder().rglob("*.columns")
    cached.write_bytes(cached.read_bytes()[:-9] if damage is None else damage)
    assert [sample.key for sample in read(root)] == keys
    assert cached.stat().st_size > 500


def test_without_a_writable_cache_the_index_lies_in_memory(root, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GENSIGHT_CACHE", str(tmp_path / "file"))  # a file where the folder would be
    assert read(root)[0].instances[0].id == 41


# --- what is wrong is refused by file and entry ---


def refused(root: Path, value: dict[str, Any] | str, match: str) -> DataError:
    with pytest.raises(DataError, match=match) as caught:
        read(make(root, value))
    assert str(root / "labels.json") in caught.value.where
    return caught.value


def changed(entry: int, **fields: Any) -> dict[str, Any]:
    value = labels()
    value["annotations"][entry] |= fields
    return value


def test_duplicate_ids(tmp_path):
    refused(tmp_path, changed(0, id=41), "two annotation entries have the id 41")
    value = labels()
    value["images"][1]["id"] = 5
    refused(tmp_path, value, "two image entries have the id 5")
    value = labels()
    value["images"][1]["file_name"] = "5.png"
    refused(tmp_path, value, r"images 5 and 3 have the same file name 5\.png")
    value = labels()
    value["categories"][1]["id"] = 7
    refused(tmp_path, value, "two category entries have the id 7")


def test_wrong_keypoint_count(tmp_path):
    error = refused(tmp_path, changed(1, keypoints=[1, 2, 2] * 4), "wrong keypoint count: 12 numbers, but category")
    assert error.where.endswith("annotation 41")
    refused(tmp_path, changed(1, keypoints=[1, 2, 2, 3]), "wrong keypoint count: 4 numbers")
    refused(tmp_path, changed(0, keypoints=[1, 2, 2]), "category `cup` names 0 keypoints")


def test_wrong_flags(tmp_path):
    error = refused(tmp_path, changed(1, keypoints=[1, 2, 3] * 3), "a keypoint flag v other than 0, 1 or 2")
    assert error.where.endswith("annotation 41")


def test_nan(tmp_path):
    error = refused(tmp_path, changed(1, keypoints=[float("nan"), 2, 2] * 3), "not valid JSON")
    assert "JSON has no NaN" in error.hint
    refused(tmp_path, changed(1, keypoints=[None, 2, 2] * 3), r"`keypoints` is \[null, 2, 2")


def test_annotations_of_images_and_categories_that_are_not_listed(tmp_path):
    error = refused(tmp_path, changed(1, image_id=77), "1 annotations name an image that the file does not list")
    assert error.where.endswith("annotation 41")
    refused(tmp_path, changed(1, category_id=77), "1 annotations name a category that the file does not list")


def test_missing_images_are_named_or_dropped(root):
    (root / "images" / "3.png").unlink()
    with pytest.raises(DataError, match=r"1 of 3 images that labels\.json names are missing: 3\.png") as caught:
        read(root)
    assert "missing='drop'" in caught.value.hint
    reader = read(root, missing="drop")
    assert [sample.key for sample in reader] == ["5.png", "8.png"]
    assert len(reader[1].instances) == 2
    assert reader.check().dropped == {"images missing": 1}
    assert reader.image_ids == {"5.png": 5, "8.png": 8}
    with pytest.raises(DataError, match="image folder not found"):
        CocoReader(root / "none", root / "labels.json", categories=None)


def test_broken_files(tmp_path):
    text = json.dumps(labels())
    assert "cut short" in refused(tmp_path, text[: len(text) // 2], "not valid JSON").hint
    refused(tmp_path, '{"images": []}', "not COCO labels: Object missing required field `annotations`")
    refused(tmp_path, "[1, 2]", "not COCO labels: Expected `object`, got `array`")
    refused(tmp_path, "", "the label file is empty")
    refused(tmp_path, labels() | {"images": [], "annotations": []}, "the label file lists no images")
    refused(tmp_path, changed(1, bbox=[1, 2]), "a bbox of 2 numbers")
    value = labels()
    del value["annotations"][2]["image_id"]
    assert "annotation 42" in refused(tmp_path, value, "missing required field `image_id`").where
    with pytest.raises(DataError, match="cannot be read: No such file"):
        CocoReader(tmp_path / "images", tmp_path / "none.json")


def test_a_resized_image_is_refused_when_it_is_read(root):
    write_image(root / "images" / "5.png", np.zeros((40, 60, 3), np.uint8))
    with pytest.raises(DataError, match=r"40 x 60 \(height x width\), but labels\.json states 20 x 30"):
        read(root)[0].image()


def test_points_outside_the_image_are_kept_and_reported(tmp_path):
    reader = read(make(tmp_path, changed(1, keypoints=[100, 5, 2, 6, 7, 1, 0, 0, 0])))
    assert reader[0].instances[0].keypoints.points[0, 0] == 100.5
    (finding,) = [finding for finding in reader.check().findings if "outside" in finding.what]
    assert finding.where == "5.png, annotation 41: nose"


def test_a_mask_of_another_size_is_refused(tmp_path):
    value = changed(0, segmentation={"size": [5, 5], "counts": [25]})
    assert refused(tmp_path, value, r"not a segmentation: the mask's size is \[5, 5\]").where.endswith("annotation 40")


# --- writing ---


def test_written_file_is_good_for_pycocotools_and_other_skeletons(tmp_path):
    points = np.arange(36, dtype=np.float64).reshape(18, 2) / 3 + 0.5
    visibility = np.full(18, 3, np.int8)
    visibility[:3] = [Visibility.UNLABELLED, Visibility.ABSENT, Visibility.OCCLUDED]
    points[:2] = np.nan
    pixels = np.zeros((20, 30, 3), np.uint8)
    mask = np.zeros((20, 30), bool)
    mask[3:7, 4:9] = True
    instances = (
        Instance("person", keypoints=Keypoints(OPENPOSE_18, points, visibility, np.ones(18, np.float32))),
        Instance("person", mask=lambda: mask),
    )
    write_coco([Sample("clip.mp4#000003", (20, 30), lambda: pixels, instances)], tmp_path)
    tool = COCO(tmp_path / "annotations.json")
    first, second = tool.loadAnns(tool.getAnnIds())
    assert first["num_keypoints"] == 16
    assert first["keypoints"][:9] == [0, 0, 0, 0, 0, 0, *(points[2] - 0.5), 1]
    assert second["area"] == 20
    np.testing.assert_array_equal(tool.annToMask(second), mask)
    reader = CocoReader(tmp_path / "images", tmp_path / "annotations.json")
    assert reader[0].key == "clip.mp4#000003.png"
    assert reader.skeleton is OPENPOSE_18
    np.testing.assert_allclose(reader[0].instances[0].keypoints.points, points)


def test_writing_refuses_what_would_be_lost(tmp_path):
    pixels = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(DataError, match="no samples to write"):
        write_coco([], tmp_path)
    with pytest.raises(DataError, match=r"the key `\.\./x` is no file name below a folder"):
        write_coco([Sample("../x", (2, 2), lambda: pixels)], tmp_path)
    with pytest.raises(DataError, match=r"two samples would be written to a\.png"):
        write_coco([Sample(key, (2, 2), lambda: pixels) for key in ("a", "a.png")], tmp_path)


# --- real data ---


@pytest.mark.parametrize("part", ["train2017", "val2017"])
def test_the_real_files_agree_with_pycocotools(shared_data, part):
    folder = shared_data / "coco_mini"
    path = folder / "annotations" / f"person_keypoints_{part}.json"
    reader, tool = CocoReader(folder / part, path), COCO(path)
    assert len(reader) == len(tool.imgs)
    assert reader.skeleton is COCO_17
    num_instances = 0
    for sample in reader:
        for instance in sample.instances:
            entry = tool.anns[instance.id]
            assert tool.imgs[entry["image_id"]]["file_name"] == sample.key
            assert instance.is_crowd == bool(entry["iscrowd"])
            assert instance.area == entry["area"]
            triples = np.array(entry["keypoints"]).reshape(17, 3)
            np.testing.assert_array_equal(instance.keypoints.visibility, np.array([0, 2, 3])[triples[:, 2]])
            known = triples[:, 2] > 0
            np.testing.assert_array_equal(instance.keypoints.points[known], triples[known, :2] + 0.5)
            num_instances += 1
    assert num_instances == len(tool.anns)


def test_instances_of_all_categories(shared_data):
    folder = shared_data / "coco_mini"
    reader = CocoReader(folder / "val2017", folder / "annotations" / "instances_val2017.json", categories=None)
    assert len(reader.categories) == 80
    assert reader.skeleton is None
    assert sum(len(sample.instances) for sample in reader) == 624
