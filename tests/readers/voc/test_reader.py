"""PASCAL VOC: boxes 1-based and inclusive, lists with flags, masks numbered as the annotation lists its objects."""

from pathlib import Path

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.readers.puppets import PuppetsReader
from gensight.readers.shared.label_maps import write_label_map
from gensight.readers.voc.reader import VOC_CLASSES, VocReader
from gensight.readers.voc.writer import write_voc
from gensight.readers.voc.xml import VocFlags, read_annotation
from gensight.samples import Instance, Sample
from tests.contracts.reader import ReaderContract

XML = """<?xml version="1.0" encoding="UTF-8"?>
<annotation>
  <filename>{name}.jpg</filename>
  <size><width>30</width><height>20</height><depth>3</depth></size>
  {objects}
</annotation>
"""
DOG = """<object><name>dog</name><pose>Left</pose><truncated>1</truncated><difficult>0</difficult>
  <bndbox><xmin>1</xmin><ymin>1</ymin><xmax>30</xmax><ymax>20</ymax></bndbox></object>"""
PERSON = """<object><name>person</name><pose>Unspecified</pose><occluded>1</occluded><difficult>1</difficult>
  <bndbox><xmax>10</xmax><xmin>5.5</xmin><ymax>9</ymax><ymin>3</ymin></bndbox>
  <part><name>hand</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>6</xmax><ymax>6</ymax></bndbox></part>
  <part><name>head</name><bndbox><xmin>6</xmin><ymin>3</ymin><xmax>8</xmax><ymax>4</ymax></bndbox></part></object>"""


def make(root: Path) -> Path:
    """Three images: a dog and a person, nothing, a dog; the first with masks."""
    for name, objects in (("a", DOG + PERSON), ("b", ""), ("c", DOG)):
        write_image(root / "JPEGImages" / f"{name}.jpg", np.full((20, 30, 3), 7, np.uint8))
        (root / "Annotations").mkdir(exist_ok=True)
        (root / "Annotations" / f"{name}.xml").write_text(XML.format(name=name, objects=objects))
    lists = root / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\nb\nc\n")
    (lists / "person_train.txt").write_text("a  1\nb -1\nc  0\n")
    (lists / "dog_train.txt").write_text("a  1\nb -1\nc  1\n")
    numbers = np.zeros((20, 30), np.uint8)
    numbers[2:9, 5:10], numbers[12:, :] = 2, 1
    numbers[11] = 255
    write_label_map(root / "SegmentationObject" / "a.png", numbers)
    write_label_map(root / "SegmentationClass" / "a.png", np.where(numbers == 2, 15, numbers))
    return root


@pytest.fixture
def root(tmp_path):
    return make(tmp_path / "VOC2012")


class WritesVoc(ReaderContract):
    def write(self, samples, root):
        write_voc(samples, root, image_suffix=".png")
        return VocReader(root, "train")


class TestSmall(WritesVoc):
    @pytest.fixture
    def reader(self, root):
        return VocReader(root, "train")


class TestPuppets(WritesVoc):
    @pytest.fixture(scope="class")
    def reader(self, tmp_path_factory):
        root = tmp_path_factory.mktemp("voc")
        rendered = PuppetsReader(4, seed=1, size=(32, 48), truths=("boxes", "masks", "gaze"), subjects="all")
        write_voc([rendered[i] for i in range(2)], root, "train")
        write_voc([rendered[i] for i in range(2, 4)], root, "val")
        return VocReader(root, "trainval")


def test_values(root):
    reader = VocReader(root, "train")
    assert reader.groups == ["a", "b", "c"]
    assert reader.categories == VOC_CLASSES
    dog, person = reader[0].instances
    assert dog.box.tolist() == [0, 0, 30, 20]
    assert person.box.tolist() == [4.5, 2, 10, 9]
    assert person.head_box.tolist() == [5, 2, 8, 4]
    assert dog.head_box is None
    assert reader[0].extras["voc_flags"] == (VocFlags(False, True, False, "Left"), VocFlags(True, False, True))
    assert reader[1].instances == ()


def test_masks_are_numbered_as_the_objects_and_leave_the_rim_out(root):
    reader = VocReader(root, "train")
    dog, person = (one.mask() for one in reader[0].instances)
    assert person.sum() == 7 * 5
    assert person[2:9, 5:10].all()
    assert dog.sum() == 8 * 30
    assert reader[2].instances[0].mask is None
    classes = reader[0].extras["segmentation"]()
    assert classes[5, 6] == 15
    assert classes[11, 0] == 255
    assert "segmentation" not in reader[1].extras


def test_lists_that_are_wrong(root):
    lists = root / "ImageSets" / "Main"
    with pytest.raises(DataError, match="there is no list `trian`") as caught:
        VocReader(root, "trian")
    assert caught.value.hint == "did you mean `train`?"
    (lists / "train.txt").write_text("\n")
    with pytest.raises(DataError, match="the list names nothing"):
        VocReader(root, "train")
    (lists / "train.txt").write_text("a\nb\na\n")
    with pytest.raises(DataError, match="`a` is listed twice") as caught:
        VocReader(root, "train")
    assert caught.value.where.endswith("train.txt, row 3")
    with pytest.raises(DataError, match="folder of the images not found") as caught:
        VocReader(root.parent, "train")
    assert "VOCdevkit/VOC2012" in caught.value.hint


def test_missing_files_are_named_or_dropped(root):
    (root / "Annotations" / "b.xml").unlink()
    with pytest.raises(DataError, match=r"1 of 3 annotations that train\.txt names are missing: b") as caught:
        VocReader(root, "train")
    assert "missing='drop'" in caught.value.hint
    (root / "JPEGImages" / "c.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 3 images that train\.txt names are missing: c"):
        VocReader(root, "train")
    reader = VocReader(root, "train", missing="drop")
    assert [sample.key for sample in reader] == ["a"]
    assert reader.check().dropped == {"images missing": 1, "annotations missing": 1}


@pytest.mark.parametrize(
    ("content", "what", "where"),
    [
        ("<annotation><object>", "not valid xml: no element found", "c.xml"),
        ("", "not valid xml", "c.xml"),
        (XML.format(name="c", objects="<object><name> </name></object>"), "an object without a name", "object 1"),
        (XML.format(name="c", objects=DOG + "<object><name>cat</name></object>"), "no bndbox of four", "object 2"),
        (XML.format(name="c", objects=DOG.replace(">30<", ">wide<")), "no bndbox of four numbers", "object 1"),
        (XML.format(name="c", objects=DOG.replace(">30<", ">nan<")), "a bndbox that is none", "object 1"),
        (XML.format(name="c", objects=DOG.replace(">30<", ">0<")), "a bndbox that is none", "object 1"),
        (XML.format(name="c", objects=DOG).replace("<width>30", "<width>-30"), "no image size: 20 x -30", "c.xml"),
    ],
)
def test_broken_annotations_are_refused_by_file_and_object(root, content, what, where):
    (root / "Annotations" / "c.xml").write_text(content)
    with pytest.raises(DataError, match=what) as caught:
        VocReader(root, "train")
    assert caught.value.where.endswith(where)


def test_entities_are_not_expanded(tmp_path):
    path = tmp_path / "bomb.xml"
    doctype = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]>'
    bomb = f"{doctype}<annotation><object><name>&c;</name></object></annotation>"
    path.write_text(bomb)
    with pytest.raises(DataError, match="an annotation that declares a document type is not read"):
        read_annotation(path)
    path.write_text("<annotation><object><name>&xxe;</name></object></annotation>")
    with pytest.raises(DataError, match="undefined entity"):
        read_annotation(path)
    path.write_bytes(bomb.encode("utf-16"))
    with pytest.raises(DataError, match="not a text file in UTF-8"):
        read_annotation(path)


def test_without_a_size_the_image_gives_it(root):
    path = root / "Annotations" / "c.xml"
    path.write_text(path.read_text().replace("<width>30</width><height>20</height>", "<width>0</width>"))
    assert VocReader(root, "train")[2].size == (20, 30)


def test_check_reads_masks(root):
    write_label_map(root / "SegmentationObject" / "a.png", np.zeros((10, 30), np.uint8))
    (finding,) = [one for one in VocReader(root, "train").check().findings if one.level == "error"]
    assert finding.what == "the label map is 10 x 30 (height x width), but its image is 20 x 30"
    assert finding.count == 2
    elsewhere = np.ones((20, 30), np.uint8)
    elsewhere[15:, 20:] = 2  # the person's box lies at the other end
    write_label_map(root / "SegmentationObject" / "a.png", elsewhere)
    found = {finding.what: finding.where for finding in VocReader(root, "train").check().findings}
    assert found["mask that lies elsewhere than its box"] == "a"


def test_a_resized_image_is_refused_when_it_is_read(root):
    write_image(root / "JPEGImages" / "a.jpg", np.zeros((40, 60, 3), np.uint8))
    with pytest.raises(DataError, match=r"40 x 60 \(height x width\), but a\.xml states 20 x 30"):
        VocReader(root, "train")[0].image()


def test_written_folders_have_the_official_files(tmp_path):
    pixels = np.zeros((8, 9, 3), np.uint8)
    mask = np.zeros((8, 9), bool)
    mask[2:5, 3:7] = True
    one = Sample("x/1.png", (8, 9), lambda: pixels, (Instance("cup & ball", mask=lambda: mask), Instance("ghost")))
    two = Sample("x/2", (8, 9), lambda: pixels, (Instance("dog", box=np.array([0, 0, 9, 8.0])),))
    write_voc([one], tmp_path, "train")
    write_voc([two], tmp_path, "val")
    lists = tmp_path / "ImageSets/Main"
    assert (lists / "trainval.txt").read_text() == "x_1\nx_2\n"
    assert (lists / "cup & ball_train.txt").read_text() == "x_1  1\n"
    assert (tmp_path / "ImageSets/Segmentation/train.txt").read_text() == "x_1\n"
    assert sorted(path.name for path in (tmp_path / "JPEGImages").iterdir()) == ["x_1.jpg", "x_2.jpg"]
    assert "<xmin>4</xmin><ymin>3</ymin><xmax>7</xmax><ymax>5</ymax>" in (tmp_path / "Annotations/x_1.xml").read_text()
    reader = VocReader(tmp_path, "trainval")
    (cup,) = reader[0].instances
    assert (cup.category, cup.box.tolist()) == ("cup & ball", [3, 2, 7, 5])
    assert reader[0].extras["segmentation"]()[3, 4] == 21
    assert reader.categories == ("cup & ball", "dog")
    with pytest.raises(DataError, match="no samples to write"):
        write_voc([], tmp_path)
    with pytest.raises(DataError, match="two samples would be written to x_1"):
        write_voc([one, one], tmp_path)
