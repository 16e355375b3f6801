"""What `init` sees in projects as people have them: every layout, damaged in the ways that occur."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gensight.assembly.readers import build_readers
from gensight.config.loading.loader import load_recipe
from gensight.errors import ConfigError, DataError
from gensight.verbs.data.datasets import check
from gensight.verbs.data.init import init
from gensight.verbs.data.survey import Survey, survey
from tests.readers.label_files.layouts import LAYOUTS, NUM, make, pictures


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gets_a_recipe_whose_data_can_be_read(name: str, tmp_path: Path) -> None:
    answer = init(make(name, tmp_path / "lab"), tmp_path / "recipe.yaml")
    config = load_recipe(answer.recipe)
    names = LAYOUTS[name][2]
    assert f"{NUM} images" in answer.seen[0]
    assert f"labelled: {NUM} subjects" in " ".join(answer.seen)
    if not names:
        assert config.data.kind == "instruct-pool"
        assert answer.next_command.startswith('gensight datasets build-instruct --from "yolo root=')
        return
    parts = build_readers(config.data)
    assert sum(len(part) for part in parts.parts) == NUM
    assert parts.train.skeleton is not None
    assert parts.train.skeleton.keypoints == names
    assert (config.data.split.kind == "videos") == (name == "yolo_pose")  # type: ignore[union-attr]


Change = Callable[[Path], object]


def edit(path: Path, change: Callable[[Any], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def labelme(change: Callable[[Any], object]) -> tuple[str, Change]:
    return "labelme", lambda root: edit(root / "003.json", change)


def everywhere(change: Callable[[Any], object]) -> tuple[str, Change]:
    return "labelme", lambda root: [edit(path, change) for path in root.glob("*.json")]


def rewritten(layout: str, file: str, old: str, new: str) -> tuple[str, Change]:
    return layout, lambda root: (root / file).write_text((root / file).read_text().replace(old, new, 1))


def yolo(text: str, layout: str = "yolo_pose") -> tuple[str, Change]:
    return layout, lambda root: (root / "labels/train/003.txt").write_text(text)


def copied(root: Path) -> None:
    shutil.copy(root / "images/train/003.png", root / "images/val/x.png")
    shutil.copy(root / "labels/train/003.txt", root / "labels/val/x.txt")


def without_labels(root: Path) -> None:
    for path in root.glob("*.json"):
        path.unlink()


LINE = {"label": "x", "shape_type": "line", "points": [[1, 2], [3, 4]]}
READ: dict[str, tuple[tuple[str, Change], str]] = {  # what still has one meaning, and what is said of it
    "no group": (everywhere(lambda value: [shape.update(group_id=None) for shape in value["shapes"]]), "30 points"),
    "a line": (labelme(lambda value: value["shapes"].append(LINE)), "labelme shapes of type line, which are not read"),
    "far away": (labelme(lambda value: value["shapes"][0].update(points=[[1e9, 2e9]])), "30 points"),
    "case": (everywhere(lambda value: value.update(imagePath=value["imagePath"].upper())), "30 points"),
    "no type": (labelme(lambda value: value["shapes"][0].pop("shape_type")), "30 points"),
    "no image": (("labelme", lambda root: (root / "003.png").unlink()), "images or videos missing: 1, left out"),
    "no label": (yolo(""), "without a label: 1 image"),
    "both parts": (("yolo_pose", copied), "in more than one part, so that scores would be too good: 1 images"),
    "a hidden point": (rewritten("cvat_images", "annotations.xml", 'outside="0"', 'outside="1"'), "29 points"),
    "moved": (("sleap_project", lambda root: (root / "mouse.mp4").rename(root / "Mouse.MP4")), "30 points"),
    "two annotators": (
        ("label_studio", lambda root: edit(root / "project-1-at-2024.json",
                                           lambda value: value[0]["annotations"].append({"result": []}))),
        "by further annotators, which are not read",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_what_has_one_meaning_is_read(name: str, tmp_path: Path) -> None:
    (layout, change), expected = READ[name]
    root = make(layout, tmp_path / "lab")
    change(root)
    found = survey(root)
    assert found.keypoints == ("nose", "l_ear", "tail")
    assert expected in " / ".join(found.notes)


CSV = "points.csv"
REFUSED: dict[str, tuple[tuple[str, Change], str, str]] = {
    "twice": (labelme(lambda value: value["shapes"].append(value["shapes"][0])), "`nose` stands twice", "003.json"),
    "a word": (labelme(lambda value: value["shapes"][0].update(points=[["a", 2]])), "x is 'a'", "003.json, shape 0"),
    "nothing": (labelme(lambda value: value["shapes"][0].update(points=[])), "without points", "003.json, shape 0"),
    "cut": (("labelme", lambda root: (root / "003.json").write_text('{"shapes": [')), "not valid JSON", "003.json"),
    "infinite": (rewritten("labelme", "003.json", "20.5", "1e999"), "not valid JSON", "003.json"),
    "all gone": (("labelme", lambda root: [path.unlink() for path in root.glob("*.png")]), "10 of 10 images", "lab"),
    "doctype": (rewritten("cvat_images", "annotations.xml", "<annotations>", "<!DOCTYPE x><annotations>"),
                "declare a document type", "annotations.xml"),
    "cut xml": (rewritten("cvat_images", "annotations.xml", "</annotations>", ""), "not valid xml", "annotations.xml"),
    "one number": (rewritten("cvat_images", "annotations.xml", "36.50,28.50", "9"), "points are `9`", "image 0"),
    "no video": (("cvat_video", lambda root: (root / "mouse.mp4").unlink()), "mouse.mp4", "lab"),
    "pixels": (yolo("0 40 30 20 10\n", "yolo_boxes"), "40 is no share of the image", "003.txt, line 1"),
    "short": (yolo("0 0.4 0.3 0.2 0.1 0.5 0.5 2\n"), "neither a box", "003.txt, line 1"),
    "nan": (yolo("0 nan 0.3 0.2 0.1" + " 0.5 0.5 2" * 3), "is 'nan'", "003.txt, line 1"),
    "far": (yolo("0 0.5 0.3 0.2 0.1" + " 1e9 0.5 2" * 3), "is no share", "003.txt, line 1"),
    "csv word": (rewritten("csv_wide", CSV, "36.0", "abc"), "`l_ear` is 'abc'", "points.csv, row 2"),
    "points": (("pts", lambda root: (root / "003.pts").write_text("version: 1\n{\n1 2\n}")),
               "2 numbers instead of 6", "003.pts"),
    "csv cell": (rewritten("csv_wide", CSV, ",36.0", ""), "6 cells, but the header has 7", "points.csv, row 2"),
    "cut slp": (("sleap_project", lambda root: (root / "labels.v001.slp").write_bytes(b"\x89HDF")),
                "sleap-io can't read it", "labels.v001.slp"),
    "attributes": (
        ("via_project", lambda root: edit(root / "via_project.json", lambda value: [
            region.update(region_attributes={"foo": "nose", "bar": "1"})
            for one in value["_via_img_metadata"].values() for region in one["regions"]
        ])), "several attributes", "via_project.json",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused_by_file_and_entry(name: str, tmp_path: Path) -> None:
    (layout, change), what, where = REFUSED[name]
    root = make(layout, tmp_path / "lab")
    change(root)
    with pytest.raises(DataError, match=what) as caught:
        survey(root)
    assert where in (caught.value.where or "")
    assert caught.value.hint or "cells" in what


UNREAD: dict[str, tuple[Change, str]] = {
    "mat": (lambda root: (root / "labels.mat").write_bytes(b"x"), "1 .mat file is here that may hold labels"),
    "pickle": (lambda root: (root / "labels.pkl").write_bytes(b"x"), "nothing is unpickled"),
    "json": (lambda root: [(root / f"{n}.json").write_text('{"a": [1]}') for n in range(6)], "6 .json files are here"),
    "nested": (lambda root: (root / "a.json").write_text("[" * 3000 + "]" * 3000), "1 .json file"),
    "latin": (lambda root: (root / "p.csv").write_bytes("image,Ö_x,Ö_y\n1,2,3".encode("cp1252")), "save it as UTF-8"),
    "coco": (
        lambda root: (root / "coco.json").write_text(json.dumps({
            "images": [{"id": 1, "file_name": "far/away.png"}], "annotations": [{}],
            "categories": [{"id": 1, "name": "a", "keypoints": ["b"]}]})),
        "COCO labels of 1 images that are not below this folder",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNREAD)
def test_what_is_seen_and_not_read_is_named_with_the_way_out(name: str, tmp_path: Path) -> None:
    change, expected = UNREAD[name]
    pictures(tmp_path / "lab")
    change(tmp_path / "lab")
    answer = init(tmp_path / "lab", tmp_path / "recipe.yaml")
    assert expected in " / ".join(answer.seen)
    assert "its labels can't be read" in answer.seen[-1]
    assert "no keypoint labels" not in " ".join(answer.seen)


def test_labels_of_several_tools(tmp_path: Path) -> None:
    root = make("labelme", tmp_path / "lab")
    make("csv_wide", root)
    found = survey(root)
    assert found.keypoints
    assert "also here, and not read: " in found.notes[-1]
    assert survey(root / "points.csv").title == "csv of points"


def test_strips_are_named(tmp_path: Path) -> None:
    (tmp_path / "strips").mkdir()
    for number in range(3):
        Image.fromarray(np.zeros((64, 3776, 3), np.uint8)).save(tmp_path / "strips" / f"{number}.png")
    (line,) = survey(tmp_path / "strips").notes
    assert line.startswith("3 of 3 images are strips, such as 64 x 3776 px (height x width)")
    assert "untile=59x1" in line


def coco(root: Path, **changes: Any) -> Path:
    """COCO labels of 12 images in two parts."""
    names = [*pictures(root / "images"), "a.png", "b.png"]
    for number, name in enumerate(names[-2:]):
        Image.fromarray(np.full((96, 128, 3), number, np.uint8)).save(root / "images" / name)
    for part, some in (("train", names[:9]), ("val", names[9:])):
        value = {
            "images": [{"id": number, "file_name": name} for number, name in enumerate(some)],
            "annotations": [
                {"id": number, "image_id": number, "category_id": 1, "bbox": [10, 10, 50, 40], "keypoints": [20, 20, 2],
                 **changes} for number in range(len(some))
            ],
            "categories": [{"id": 1, "name": "mouse", "keypoints": ["nose"]}],
        }  # fmt: skip
        (root / f"{part}.json").write_text(json.dumps(value))
    return root


def test_images_in_both_parts_of_coco(tmp_path: Path) -> None:
    root = coco(tmp_path / "lab")
    assert not any("more than one part" in note for note in survey(root).notes)
    shutil.copy(root / "images" / "000.png", root / "images" / "b.png")
    assert any("more than one part" in note for note in survey(root).notes)
    parts = ["train.images=images", "train.annotations=train.json", "test.images=images", "test.annotations=val.json"]
    found = check("coco", [f"root={root}", "categories=[mouse]", "validation_share=0", *parts])
    assert "image that stands in more than one part" in [finding.what for finding in found["train"].findings]


def test_masks_without_keypoints_lead_to_a_recipe(tmp_path: Path) -> None:
    outline = [[10, 10, 60, 10, 60, 50]]
    root = coco(tmp_path / "lab", keypoints=None, segmentation=outline)
    for part in ("train", "val"):
        edit(root / f"{part}.json", lambda value: value["categories"][0].pop("keypoints"))
    found = survey(root)
    assert isinstance(found, Survey)
    assert (found.truths, found.keypoints) == (("boxes", "masks"), ())
    answer = init(root, tmp_path / "recipe.yaml")
    assert "--tasks segment,detect" in answer.next_command
    assert load_recipe(answer.recipe).encoding.kind == "painted"


def test_a_place_that_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "labels.mat").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"nothing here that gensight can read: .*1 \.mat file is here"):
        survey(tmp_path)
