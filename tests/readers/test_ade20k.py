"""ADE20K: SceneParsing's numbers, and the full layout's colours, objects and parts."""

import json

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.readers.ade20k import Ade20kReader, SceneParsingReader
from tests.contracts.reader import ReaderContract
from tests.readers.miniatures import SIZE, make_scene_parsing, picture


def make_full(root, names=("building, edifice", "door", "car, auto")):
    """Two scenes: a building with a door (a part), and a car half hidden."""
    folder = root / "images" / "ADE" / "training" / "urban" / "street"
    for number in range(2):
        stem = f"ADE_train_0000000{number}"
        write_image(folder / f"{stem}.jpg", picture(number))
        classes = np.zeros((*SIZE, 3), np.uint8)
        classes[2:10, 3:9] = (10, 56, 5)  # class 312
        classes[12:20, 10:30] = (10, 145, 6)  # class 401
        write_image(folder / f"{stem}_seg.png", classes)
        objects = []
        for place, (name, ndx, level, box) in enumerate(
            ((names[0], 312, 0, (3, 2, 9, 10)), (names[1], 774, 1, (4, 4, 6, 8)), (names[2], 401, 0, (10, 12, 30, 20)))
        ):
            mask = np.zeros(SIZE, np.uint8)
            mask[box[1] : box[3], box[0] : box[2]] = 255
            mask[box[1], box[0] : box[2]] = 128 if ndx == 401 else 255
            file = f"{stem}/instance_{place:03d}_{stem}.png"
            write_image(folder / file, mask)
            x, y = [box[0], box[2] - 1], [box[1], box[3] - 1]
            objects.append({"id": place, "name": name, "name_ndx": ndx, "instance_mask": file,
                            "parts": {"hasparts": [], "ispartof": [], "part_level": level},
                            "polygon": {"x": x, "y": y}})  # fmt: skip
        entry = {"filename": f"{stem}.jpg", "imsize": [*SIZE, 3], "scene": ["outdoor", "street"], "object": objects}
        (folder / f"{stem}.json").write_text(json.dumps({"annotation": entry}))
    return root


class TestSceneParsing(ReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        return SceneParsingReader(make_scene_parsing(tmp_path))


class TestFull(ReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        return Ade20kReader(make_full(tmp_path))


def test_values_of_scene_parsing(tmp_path):
    reader = SceneParsingReader(make_scene_parsing(tmp_path))
    assert reader.categories == ("wall", "building", "person")
    assert reader.synonyms == {"building": ("edifice",), "person": ("individual", "soul")}
    sample = reader[0]
    assert sample.label == "airport terminal"
    classes = sample.extras["segmentation"]
    assert classes.classes == reader.categories
    assert classes.ignored == (0,)
    assert [int(classes()[row, column]) for row, column in ((0, 0), (9, 0), (11, 5), (20, 31))] == [1, 0, 2, 3]
    assert [one.key for one in SceneParsingReader(tmp_path, "validation")] == ["ADE_val_00000001"]


def test_a_number_without_a_class_is_refused(tmp_path):
    root = make_scene_parsing(tmp_path)
    path = root / "objectInfo150.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:3]) + "\n")
    with pytest.raises(DataError, match=r"holds \[3\], which are no class numbers"):
        SceneParsingReader(root)[0].extras["segmentation"]()
    path.write_text("1\twall\n3\tfloor\n")
    with pytest.raises(DataError, match="no row of class 2"):
        SceneParsingReader(root)


def test_values_of_the_full_layout(tmp_path):
    reader = Ade20kReader(make_full(tmp_path))
    sample = reader[0]
    assert sample.key == "urban/street/ADE_train_00000000"
    assert reader.categories == ("building", "car")
    assert [one.category for one in sample.instances] == ["building", "car"]  # a door is part of a building
    car = sample.instances[1]
    np.testing.assert_array_equal(car.box, [10, 12, 30, 20])
    assert car.mask().sum() == 7 * 20  # its first row is hidden
    classes = sample.extras["segmentation"]
    assert classes.names == ("unlabelled", "building", "car")
    assert [int(classes()[row, column]) for row, column in ((0, 0), (5, 5), (15, 15))] == [0, 1, 2]


def test_classes_that_share_a_name_get_distinct_names(tmp_path):
    assert Ade20kReader(make_full(tmp_path, ("wall", "door", "wall"))).categories == ("wall", "wall (401)")


def test_a_file_outside_is_not_read(tmp_path):
    root = make_full(tmp_path)
    path = next(root.rglob("*.json"))
    path.write_text(path.read_text().replace("ADE_train_00000000/instance", "../../instance", 1))
    with pytest.raises(DataError, match="names a file outside of its folder"):
        Ade20kReader(root)
    path.write_text("{}")
    with pytest.raises(DataError, match="no annotation of ADE20K"):
        Ade20kReader(root)


def test_real_scenes(shared_data):
    reader = Ade20kReader(shared_data / "ADE20K_2021_17_01")
    assert len(reader) == 3
    assert reader.synonyms["sidewalk"] == ("pavement",)
    sample = reader[0]
    classes = sample.extras["segmentation"]()
    for instance in sample.instances[:5]:  # a seen pixel of an object is of its class, but for what lies on it
        number = sample.extras["segmentation"].names.index(instance.category)
        assert (classes[instance.mask()] == number).mean() > 0.9
