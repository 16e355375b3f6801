"""VOC -> COCO: read back, every object is where it was; our own reader and pycocotools agree."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from typer.testing import CliRunner

from gensight.cli.main import app
from gensight.errors import ConfigError, DataError
from gensight.readers.coco.reader import CocoReader
from gensight.readers.puppets import PuppetsReader
from gensight.readers.voc.reader import VOC_CLASSES, VocReader
from gensight.readers.voc.to_coco import voc_to_coco
from gensight.readers.voc.writer import write_voc
from gensight.verbs.data import datasets
from tests.readers.voc.test_reader import DOG, XML, make


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "VOC2012")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rendered") / "VOC2012"
    scenes = PuppetsReader(5, seed=3, size=(48, 64), truths=("boxes", "masks"), subjects="all")
    write_voc(scenes, root, "val")
    return root


def test_what_is_read_back_is_what_was_there(rendered: Path, tmp_path: Path) -> None:
    counts = voc_to_coco(rendered, tmp_path / "val.json", "val")
    voc = VocReader(rendered, "val")
    coco = CocoReader(rendered / "JPEGImages", tmp_path / "val.json", categories=None)
    assert coco.categories == voc.categories
    assert counts == (5, sum(len(sample.instances or ()) for sample in voc))
    for ours, theirs in zip(coco, voc, strict=True):
        assert ours.key == f"{theirs.key}.jpg"
        assert np.array_equal(ours.image(), theirs.image())
        for one, other in zip(ours.instances or (), theirs.instances or (), strict=True):
            assert one.category == other.category
            np.testing.assert_allclose(one.box, other.box, rtol=0, atol=1e-9)
            assert other.mask is not None
            if other.mask().any():
                assert one.mask is not None
                assert np.array_equal(one.mask(), other.mask())
                assert one.area == other.mask().sum()


def test_pycocotools_reads_the_same_masks(rendered: Path, tmp_path: Path) -> None:
    voc_to_coco(rendered, tmp_path / "val.json", "val", task="Segmentation")
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = COCO(str(tmp_path / "val.json"))
    masks = [
        instance.mask for sample in VocReader(rendered, "val", task="Segmentation") for instance in sample.instances
    ]
    shown = [mask for mask in masks if mask is not None and mask().any()]
    read = [theirs.annToMask(entry) for entry in theirs.loadAnns(theirs.getAnnIds()) if "segmentation" in entry]
    assert len(read) == len(shown) > 0
    for one, other in zip(read, shown, strict=True):
        assert np.array_equal(one.astype(bool), other())


def test_the_fields_by_hand(root: Path, tmp_path: Path) -> None:
    assert voc_to_coco(root, tmp_path / "train.json", "train") == (3, 3)
    content = json.loads((tmp_path / "train.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["a.jpg", "b.jpg", "c.jpg"]
    assert content["images"][1] == {"id": 2, "file_name": "b.jpg", "height": 20, "width": 30}
    assert [category["name"] for category in content["categories"]] == list(VOC_CLASSES)
    dog, person, other = content["annotations"]
    assert dog["bbox"] == [0, 0, 30, 20]  # VOC's 1 to 30 and 1 to 20, both ends included
    assert person["bbox"] == [4.5, 2, 5.5, 7]
    assert (dog["area"], person["area"], other["area"]) == (30 * 8, 5 * 7, 30 * 20)  # masks, then a box
    assert (dog["difficult"], dog["truncated"], dog["occluded"], dog["pose"]) == (0, 1, 0, "Left")
    assert (person["difficult"], person["truncated"], person["occluded"]) == (1, 0, 1)
    assert "pose" not in person
    assert "segmentation" not in other
    assert [entry["category_id"] for entry in content["annotations"]] == [12, 15, 12]
    assert [entry["image_id"] for entry in content["annotations"]] == [1, 1, 3]


@pytest.mark.parametrize(("difficult", "crowds"), [("keep", [0, 0, 0]), ("ignore", [0, 1, 0]), ("drop", [0, 0])])
def test_difficult_objects(root: Path, tmp_path: Path, difficult: str, crowds: list[int]) -> None:
    datasets.voc_to_coco(root, tmp_path / "train.json", "train", difficult=difficult)
    content = json.loads((tmp_path / "train.json").read_text())
    assert [entry["iscrowd"] for entry in content["annotations"]] == crowds
    assert [entry["id"] for entry in content["annotations"]] == list(range(1, len(crowds) + 1))


def test_the_command(root: Path) -> None:
    result = CliRunner().invoke(app, ["datasets", "voc-to-coco", str(root), "--part", "train"])
    assert result.exit_code == 0, result.output
    assert "wrote 3 images and 3 objects to" in result.stdout
    assert (root / "instances_train.json").is_file()
    result = CliRunner().invoke(app, ["datasets", "voc-to-coco", str(root), "--part", "train"])
    assert result.exit_code == 2
    assert "this file exists already" in result.stderr


def test_mistakes_are_reported_and_leave_nothing(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    with pytest.raises(ConfigError, match="valid: keep, ignore, drop"):
        datasets.voc_to_coco(root, out, "train", difficult="skip")
    with pytest.raises(ConfigError, match="valid: Main, Segmentation"):
        datasets.voc_to_coco(root, out, "train", task="Layout")
    with pytest.raises(DataError, match=r"test\.txt"):
        datasets.voc_to_coco(root, out, "test")
    entity = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "xxxxxxxxxx">]>'
    text = XML.format(name="c", objects=DOG.replace("dog", "&x;"))
    (root / "Annotations/c.xml").write_text(text.replace('<?xml version="1.0" encoding="UTF-8"?>', entity))
    with pytest.raises(DataError, match="declares a document type"):
        datasets.voc_to_coco(root, out, "train")
    assert list(tmp_path.iterdir()) == [root]
