"""Labels and predictions from each format that is read into each that is written, and back."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from gensight.errors import ConfigError, DataError
from gensight.files.videos.writing import VideoWriter
from gensight.readers.base import Reader
from gensight.readers.deeplabcut.reader import DeepLabCutReader
from gensight.readers.deeplabcut.writer import write_deeplabcut
from gensight.readers.poses.formats import FORMATS as FILES
from gensight.readers.poses.formats import format_of
from gensight.readers.poses.table import PoseTable
from gensight.readers.puppets import PuppetsReader
from gensight.verbs.data.convert import convert, table_of
from gensight.verbs.data.datasets import FORMATS, write
from tests.readers.poses.test_formats import NEEDS
from tests.readers.poses.test_formats import table as video_table

COUNT = 9


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dlc") / "project"
    write_deeplabcut(PuppetsReader(COUNT, size=(64, 64), num_subjects=(1, 2), truths=("keypoints",)), folder)
    return folder


def values(table: PoseTable) -> np.ndarray:
    return np.concatenate([some for _, some in table.blocks()])


def read(path: Path) -> PoseTable:
    chosen = format_of(path)
    assert chosen is not None
    return chosen.read(path)


@pytest.mark.parametrize("name", ["csv", "h5", "coco", "parquet", "sleap"])
def test_a_project_becomes_each_file(project: Path, tmp_path: Path, name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    out = tmp_path / f"labels{FILES[name].suffix}"
    done = convert(project, out)
    assert (done.num_images, done.out) == (COUNT, out)
    expected = table_of([DeepLabCutReader(project)])
    back = read(out)
    assert back.individuals == expected.individuals
    np.testing.assert_allclose(values(back)[..., :2], values(expected)[..., :2], atol=0.01)
    if name != "sleap":
        assert [frame.key for frame in back.frames()] == [frame.key for frame in expected.frames()]


@pytest.mark.parametrize("first", FILES)
@pytest.mark.parametrize("second", FILES)
def test_files_become_each_other(tmp_path: Path, first: str, second: str) -> None:
    for name in {first, second} & NEEDS.keys():
        pytest.importorskip(NEEDS[name])
    given = video_table()
    paths = [tmp_path / f"{number}{FILES[name].suffix}" for number, name in enumerate((first, second))]
    FILES[first].write(given, paths[0])
    convert(paths[0], paths[1])
    back = read(paths[1])
    assert (back.individuals, back.skeleton.keypoints) == (given.individuals, given.skeleton.keypoints)
    np.testing.assert_allclose(values(back), values(given), atol=0.01)
    if {first, second} <= {"coco", "parquet", "nwb"}:
        assert [frame.time for frame in back.frames()] == pytest.approx([frame.time for frame in given.frames()])


def points(reader: Reader) -> list[np.ndarray]:
    return [one.keypoints.points for sample in reader for one in sample.instances or () if one.keypoints is not None]


@pytest.mark.parametrize("to", [name for name, one in FORMATS.items() if "keypoints" in one.truths])
def test_a_project_becomes_each_data_set_with_keypoints(project: Path, tmp_path: Path, to: str) -> None:
    if to in ("spair", "ap10k"):
        pytest.skip("formats of boxes and of animals' own keypoints")
    done = convert(project, tmp_path / "out", to=to)
    assert done.num_images == COUNT
    again = convert(tmp_path / "out", tmp_path / "back.json")
    assert (again.num_images, again.num_subjects) == (done.num_images, done.num_subjects)
    expected = table_of([DeepLabCutReader(project)])
    found = np.sort(values(read(tmp_path / "back.json"))[..., 0], axis=None)
    np.testing.assert_allclose(found, np.sort(values(expected)[..., 0], axis=None), atol=0.01)


def test_a_kind_of_data_set_is_converted_with_its_keys(tmp_path: Path) -> None:
    write("puppets", tmp_path / "voc", "voc", 10, "48x48")
    done = convert("voc", tmp_path / "coco", [f"root={tmp_path / 'voc'}", "task=Segmentation"], to="coco")
    assert done.num_images > 0
    assert (tmp_path / "coco" / "annotations.json").is_file()


def test_what_predict_wrote_keeps_its_times(tmp_path: Path) -> None:
    given = video_table()
    FILES["csv"].write(given, tmp_path / "keypoints.csv")
    categories = [{"id": 1, "name": "s", "keypoints": list(given.skeleton.keypoints), "skeleton": [[1, 2], [2, 3]]}]
    (tmp_path / "images.json").write_text(json.dumps({"images": [], "annotations": [], "categories": categories}))
    with (tmp_path / "frames.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "frame", "time", "height", "width", "problem"])
        table.writerows([frame.key, frame.frame, frame.time, *frame.size, ""] for frame in given.frames())
    convert(tmp_path, tmp_path / "all.json")
    back = read(tmp_path / "all.json")
    assert [frame.time for frame in back.frames()] == [frame.time for frame in given.frames()]
    assert back.skeleton.edges == given.skeleton.edges


def test_predictions_of_a_video_become_a_project_to_correct(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 25) as video:
        for number in range(6):
            video.write(np.full((64, 48, 3), 40 * number, np.uint8))
    FILES["coco"].write(video_table(), tmp_path / "clip.json")
    done = convert(tmp_path / "clip.json", tmp_path / "project", to="deeplabcut")
    assert (done.num_images, done.num_subjects) == (6, 7)
    assert len(points(DeepLabCutReader(tmp_path / "project"))) > 0


def test_what_cannot_be_converted_is_named(project: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown value"):
        convert(project, tmp_path / "folder")
    with pytest.raises(ConfigError, match=r"end with \.analysis\.h5"):
        convert(project, tmp_path / "labels.csv", to="sleap")
    with pytest.raises(DataError, match="not empty"):
        convert(project, project, to="coco")
    with pytest.raises(ConfigError, match="keys go with a kind"):
        convert(project, tmp_path / "labels.csv", ["root=x"])
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="not a table of DeepLabCut"):
        convert(tmp_path / "other.csv", tmp_path / "labels.json")
    FILES["coco"].write(video_table(), tmp_path / "clip.json")
    with pytest.raises(DataError, match="is not there, and a data set holds images"):
        convert(tmp_path / "clip.json", tmp_path / "project", to="deeplabcut")
