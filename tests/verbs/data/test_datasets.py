"""`gensight datasets`: kinds are listed with what they need, data is looked at, puppets are written and read back."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from gensight.cli.main import app
from gensight.config.data import Data
from gensight.errors import ConfigError, DataError
from gensight.prediction.sources import read_boxes
from gensight.readers.annotated.reader import AnnotatedReader
from gensight.readers.coco.reader import CocoReader
from gensight.readers.deeplabcut.reader import DeepLabCutReader
from gensight.readers.footage.video import VideoReader
from gensight.readers.puppets import PuppetsReader
from gensight.verbs.data.datasets import KINDS, check, data_kinds, pickle_to_json, write
from gensight.verbs.data.survey import survey


def test_every_kind_of_the_schema_is_listed() -> None:
    [union, *_] = Data.__metadata__ and [Data.__origin__]
    assert set(KINDS.values()) == set(union.__args__)
    kinds = {kind.name: kind for kind in data_kinds()}
    assert kinds["coco"].needs[0] == "root: Folder of the data set."
    assert kinds["puppets"].needs[0].startswith("optional: num_train")


@pytest.mark.parametrize(("format", "reader"), [("coco", CocoReader), ("deeplabcut", DeepLabCutReader)])
def test_puppets_are_written_in_formats_that_read_back(tmp_path: Path, format: str, reader: type) -> None:
    root = write("puppets", tmp_path / "out", format=format, num_samples=2, size="64x48", seed=5)
    read = reader(root) if format == "deeplabcut" else reader(root / "images", root / "annotations.json")
    assert len(read) == 2
    assert read[0].size == (64, 48)


def test_puppets_are_written_in_our_own_format_with_gaze(tmp_path: Path) -> None:
    write("puppets", tmp_path / "out", format="annotated", num_samples=4, size="64x48", seed=5)
    drawn = PuppetsReader(4, seed=5, size=(64, 48), truths=("gaze",))
    for theirs, ours in zip(AnnotatedReader(tmp_path / "out"), drawn, strict=True):
        assert np.array_equal(theirs.image(), ours.image())
        for one, other in zip(theirs.instances or (), ours.instances or (), strict=True):
            assert one.gaze is not None
            assert other.gaze is not None
            assert one.gaze.in_frame == other.gaze.in_frame
            np.testing.assert_allclose(one.gaze.points, other.gaze.points)
            np.testing.assert_allclose(one.gaze.eye, other.gaze.eye)


# What each format's parts hold of 12 images, and the keys that its section then needs.
@pytest.mark.parametrize(
    ("format", "subjects", "sizes", "keys"),
    [
        ("voc", "people", (9, 1, 2), ["validation_share=0.1"]),
        ("davis", "people", (9, 1, 2), []),
        ("rgbd", "all", (8, 2, 2), []),
        ("spair", "people", (4, 4, 4), []),
        ("ap10k", "animals", (8, 2, 2), []),
    ],
)
def test_puppets_are_written_with_the_parts_of_a_format(
    tmp_path: Path, format: str, subjects: str, sizes: tuple[int, ...], keys: list[str]
) -> None:
    write("puppets", tmp_path / "out", format, 12, "32x48", subjects, seed=2, num_frames=2)
    parts = check(format, [f"root={tmp_path / 'out'}", *keys])
    parts.pop("all", None)  # of so few images, some keypoints have no label
    assert tuple(summary.num_samples for summary in parts.values()) == sizes
    for summary in parts.values():
        assert not [finding for finding in summary.findings if finding.level == "error"]


def test_check_looks_at_folders(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes((tmp_path / "good.png").read_bytes()[:50])
    result = CliRunner().invoke(app, ["datasets", "check", "folder", f"root={tmp_path}"])
    assert result.exit_code == 1
    assert result.stdout.startswith("train: ")
    assert "bad.png" in result.stdout


def test_check_takes_recipes(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("data: {kind: puppets, num_train: 2, num_validation: 0, num_test: 1, size: [32, 32]}")
    parts = check(str(recipe), ["data.num_train=1"])
    assert {name: summary.num_samples for name, summary in parts.items()} == {"train": 1, "test": 1}


def test_mistakes_are_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`coko` is neither a kind of data set nor a recipe"):
        check("coko", [])
    with pytest.raises(ConfigError) as caught:
        check("coco", ["rot=x"])
    assert "root: must be given" in str(caught.value)
    assert "did you mean `root`?" in str(caught.value)
    assert "data." not in str(caught.value)
    (tmp_path / "file").touch()
    for arguments, error, text in (
        (("coco", tmp_path / "x"), ConfigError, "valid: puppets"),
        (("puppets", tmp_path / "x", "yolo"), ConfigError, "valid: coco, deeplabcut, voc, davis, rgbd, spair, ap10k"),
        (("puppets", tmp_path / "x", "coco", 1, "big"), ConfigError, "write HEIGHTxWIDTH"),
        (("puppets", tmp_path / "x", "coco", 1, "8x8", "robots"), ConfigError, "valid: people, animals, all"),
        (("puppets", tmp_path), DataError, "this folder is not empty"),
        (
            ("puppets", tmp_path / "x", "voc", 1),
            DataError,
            "1 images of 1 a scene are too few for the parts train, val",
        ),
        (("puppets", tmp_path / "x", "davis", 8), DataError, "ask for 9 or more with --num"),
        (("puppets", tmp_path / "x", "ap10k", 9), DataError, "generate them with --subjects animals"),
    ):
        with pytest.raises(error, match=text):
            write(*arguments)


def test_a_pickle_becomes_json_beside_it(tmp_path: Path) -> None:
    source = tmp_path / "test.pickle"
    source.write_bytes(pickle.dumps([{"filename": "a\\b.jpg", "gaze_cx": np.float64(3)}]))
    result = CliRunner().invoke(app, ["datasets", "pickle-to-json", str(source)])
    assert result.exit_code == 0
    assert "wrote 1 records" in result.stdout
    assert json.loads((tmp_path / "test.json").read_text()) == [{"filename": "a\\b.jpg", "gaze_cx": 3.0}]
    with pytest.raises(DataError, match="this file exists already"):
        pickle_to_json(source)
    (tmp_path / "hostile.pickle").write_bytes(pickle.dumps([{"a": os.getcwd}]))
    with pytest.raises(DataError, match="the pickle references"):
        pickle_to_json(tmp_path / "hostile.pickle")


def test_scenes_in_motion_are_written_as_videos(tmp_path: Path) -> None:
    write("puppets", tmp_path / "clips", format="videos", num_samples=7, num_frames=4, size="32x48", style="clean")
    names = sorted(path.name for path in (tmp_path / "clips").iterdir())
    assert names == ["boxes.json", "scene-0000.mp4", "scene-0001.mp4"]
    boxes = read_boxes(tmp_path / "clips" / names.pop(0))
    lengths = [len(VideoReader(tmp_path / "clips" / name)) for name in names]
    assert lengths == [4, 3]
    drawn = PuppetsReader(7, 0, (32, 48), subjects="people", num_frames=4, style="clean")
    frame = VideoReader(tmp_path / "clips" / names[1])[0].image().astype(float)
    assert np.abs(frame - drawn[4].image()).mean() < 6  # H.264 is lossy
    assert np.abs(frame - drawn[0].image()).mean() > 12
    found = boxes["scene-0001.mp4#000000"]
    assert [box.tolist() for box, _ in found] == [pytest.approx(one.box, abs=0.02) for one in drawn[4].instances]


def labelled_images(folder: Path, num: int, keypoints: list[float], **annotation: object) -> list[str]:
    """COCO labels of one animal in each image, and the overrides that read them."""
    images = [{"id": number, "file_name": f"{number}.png", "height": 40, "width": 60} for number in range(num)]
    for image in images:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(image["id"]).integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(
            folder / "images" / str(image["file_name"])
        )
    animal = {"category_id": 1, "iscrowd": 0, "area": 200, "keypoints": keypoints, **annotation}
    labels = {
        "images": images,
        "annotations": [{"id": number, "image_id": number, **animal} for number in range(num)],
        "categories": [{"id": 1, "name": "mouse", "keypoints": ["nose", "ear", "tail"], "skeleton": []}],
    }
    (folder / "labels.json").write_text(json.dumps(labels))
    return [f"root={folder}", "categories=null", "test=null", "validation_share=0.2", "train.images=images",
            "train.annotations=labels.json"]  # fmt: skip


def test_points_at_the_origin_and_keypoints_nobody_labelled_are_named_over_all_parts(tmp_path: Path) -> None:
    found = check("coco", labelled_images(tmp_path, 12, [0, 0, 2, 20, 20, 2, 0, 0, 0]))
    assert list(found) == ["train", "validation", "test", "all"]
    assert not any(found[part].findings for part in ("train", "validation", "test"))
    unlabelled, origin = found["all"].findings
    assert (unlabelled.what, unlabelled.where) == (
        "keypoints without any label: nothing is learned or scored of them", "tail",
    )  # fmt: skip
    assert origin.what.startswith("12 of 24 labelled points lie at (0, 0) exactly")
    assert origin.where == "nose 12"


def test_boxes_that_show_nothing_are_counted(tmp_path: Path) -> None:
    for box, what in (
        ([10, 10, 0.2, 0.2], "box of less than a pixel"),
        ([70, 10, 9, 9], "box outside its image: a crop to it shows nothing of its subject"),
    ):
        overrides = labelled_images(tmp_path, 12, [10, 9, 2, 20, 20, 2, 5, 5, 2], bbox=box)
        found = check("coco", overrides)
        assert sum(one.count for part in found.values() for one in part.findings if one.what == what) == 12
        lines = survey(tmp_path).notes
        assert [line for line in lines if f"12 x {what} (" in line and line.startswith("warning: ")] != []


def test_images_that_are_too_few_to_divide_can_be_looked_at(tmp_path: Path) -> None:
    found = check("coco", labelled_images(tmp_path, 2, [10, 9, 2, 20, 20, 2, 5, 5, 2]))
    assert list(found) == ["undivided"]
    assert found["undivided"].num_samples == 2
    assert found["undivided"].findings[0].what.startswith("empty split")
