"""DeepLabCut reader and writer."""

import csv
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml

from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.readers.deeplabcut.reader import DeepLabCutReader, is_project
from gensight.readers.deeplabcut.writer import write_deeplabcut
from gensight.readers.splits import split_by_group
from gensight.samples import Instance, Keypoints, Sample, Visibility
from gensight.skeletons import Skeleton
from tests.contracts.reader import ReaderContract

PARTS = ["nose", "left_ear", "right_ear"]
NAN = float("nan")


def make_project(
    root: Path,
    videos: dict[str, list[list[float]]],
    individuals: list[str] | None = None,
    three_columns: bool = False,
    **config: object,
) -> Path:
    """A project whose tables hold these rows of numbers (x, y of each part of each individual)."""
    parts = {"bodyparts": PARTS}
    if individuals:
        parts = {
            "bodyparts": "MULTI!",
            "multianimalbodyparts": PARTS,
            "uniquebodyparts": [],
            "individuals": individuals,
        }
    settings = {"Task": "mice", "scorer": "me", "multianimalproject": bool(individuals), "skeleton": [], **parts}
    root.mkdir(exist_ok=True)
    (root / "config.yaml").write_text(yaml.safe_dump(settings | config))
    for video, rows in videos.items():
        folder = root / "labeled-data" / video
        columns = [(name, part, axis) for name in individuals or [""] for part in PARTS for axis in "xy"]
        pad = ["", ""] if three_columns else []
        lines = [["scorer", *pad, *["me"] * len(columns)]]
        if individuals:
            lines.append(["individuals", *pad, *[c[0] for c in columns]])
        lines += [["bodyparts", *pad, *[c[1] for c in columns]], ["coords", *pad, *[c[2] for c in columns]]]
        for number, row in enumerate(rows):
            name = f"img{number:02d}.png"
            write_image(folder / name, np.full((30, 40, 3), 10 * number, np.uint8))
            path = ["labeled-data", video, name] if three_columns else [f"labeled-data/{video}/{name}"]
            lines.append([*path, *["" if np.isnan(value) else str(value) for value in row]])
        with (folder / "CollectedData_me.csv").open("w", newline="") as file:
            csv.writer(file).writerows(lines)
    return root


def table_of(root: Path, video: str = "v1") -> Path:
    return root / "labeled-data" / video / "CollectedData_me.csv"


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


ROW = [1.0, 2.0, 3.5, 4.25, NAN, NAN]


@pytest.fixture
def single(tmp_path):
    return make_project(tmp_path / "single", {"v2": [ROW, [NAN] * 6, ROW], "v1": [ROW, ROW]})


@pytest.fixture
def multi(tmp_path):
    both = [*ROW, 10, 11, 12, 13, 14, 15]
    second = [NAN] * 6 + [10, 11, 12, 13, 14, 15]
    return make_project(tmp_path / "multi", {"v": [both, second]}, individuals=["anna", "bert"], identity=True)


class TestSingleAnimal(ReaderContract):
    @pytest.fixture
    def reader(self, single):
        return DeepLabCutReader(single)

    def write(self, samples, root):
        write_deeplabcut(samples, root)
        return DeepLabCutReader(root)


class TestMultiAnimal(ReaderContract):
    @pytest.fixture
    def reader(self, multi):
        return DeepLabCutReader(multi)

    def write(self, samples, root):
        write_deeplabcut(samples, root)
        return DeepLabCutReader(root)


def test_values_of_a_single_animal_project(single):
    reader = DeepLabCutReader(single)
    assert [sample.key for sample in reader][:2] == ["labeled-data/v1/img00.png", "labeled-data/v1/img01.png"]
    assert reader.groups == ["v1", "v1", "v2", "v2", "v2"]
    assert reader.skeleton == Skeleton("mice", tuple(PARTS))
    assert reader.skeleton.mirror == (0, 2, 1)
    (instance,) = reader[0].instances
    np.testing.assert_allclose(instance.keypoints.points, [[1.5, 2.5], [4, 4.75], [NAN, NAN]])
    assert instance.keypoints.visibility.tolist() == [Visibility.VISIBLE] * 2 + [Visibility.UNLABELLED]
    assert instance.identity is None
    assert reader[3].instances == ()


def test_values_of_a_multi_animal_project(multi):
    reader = DeepLabCutReader(multi)
    assert [instance.identity for instance in reader[0].instances] == ["anna", "bert"]
    (bert,) = reader[1].instances
    assert bert.identity == "bert"
    np.testing.assert_allclose(bert.keypoints.points[2], [14.5, 15.5])


def test_names_are_no_identities_unless_the_project_declares_it(multi):
    rewrite(multi / "config.yaml", "identity: true", "identity: false")
    assert {instance.identity for instance in DeepLabCutReader(multi)[0].instances} == {None}


def test_unique_bodyparts_are_read_by_name(multi):
    rewrite(multi / "config.yaml", "uniquebodyparts: []", "uniquebodyparts: [feeder]")
    with table_of(multi, "v").open() as file:
        rows = list(csv.reader(file))
    for row, extra in zip(
        rows, [["me"] * 2, ["single"] * 2, ["feeder"] * 2, ["x", "y"], [5, 6], ["", ""]], strict=True
    ):
        row += extra
    with table_of(multi, "v").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert DeepLabCutReader(multi).skeleton.keypoints == tuple(PARTS)
    feeder = DeepLabCutReader(multi, bodyparts=["feeder"])
    assert feeder[0].instances[0].keypoints.points.tolist() == [[5.5, 6.5]]
    assert feeder[1].instances == ()
    with pytest.raises(DataError, match="can't be read together"):
        DeepLabCutReader(multi, bodyparts=["feeder", "nose"])


def test_path_in_three_columns_and_with_backslashes(tmp_path):
    root = make_project(tmp_path / "p", {"v1": [ROW, ROW]}, three_columns=True)
    assert [sample.key for sample in DeepLabCutReader(root)] == [f"labeled-data/v1/img0{i}.png" for i in range(2)]
    root = make_project(tmp_path / "q", {"v1": [ROW]})
    rewrite(table_of(root), "labeled-data/v1/", "labeled-data\\v1\\")
    assert DeepLabCutReader(root)[0].key == "labeled-data/v1/img00.png"


def test_the_order_is_the_order_of_the_rows(single):
    lines = table_of(single).read_text().splitlines()
    table_of(single).write_text("\n".join([*lines[:3], lines[4], lines[3]]) + "\n")
    assert [sample.key[-9:] for sample in DeepLabCutReader(single)[:2]] == ["img01.png", "img00.png"]


def test_bodyparts_are_chosen_in_order_and_limbs_follow(tmp_path):
    root = make_project(tmp_path, {"v1": [ROW]}, skeleton=[["nose", "left_ear"], ["nose", "right_ear"], ["a", "b"]])
    reader = DeepLabCutReader(root, bodyparts=["left_ear", "nose"])
    assert reader.skeleton.edges == ((1, 0),)
    np.testing.assert_allclose(reader[0].instances[0].keypoints.points, [[4, 4.75], [1.5, 2.5]])
    with pytest.raises(DataError, match="there is no bodypart `noze`") as caught:
        DeepLabCutReader(root, bodyparts=["noze"])
    assert caught.value.hint == "did you mean `nose`?"


def test_videos_can_be_held_out(single):
    assert split_by_group(DeepLabCutReader(single).groups, ["v2"]) == ([0, 1], [2, 3, 4])


# --- what is wrong is refused by file and row ---


def refused(root: Path, match: str) -> DataError:
    with pytest.raises(DataError, match=match) as caught:
        DeepLabCutReader(root)
    return caught.value


def test_missing_images_are_named_or_dropped(single):
    (single / "labeled-data/v1/img01.png").unlink()
    error = refused(single, r"1 of 5 images that .* names are missing: labeled-data/v1/img01\.png")
    assert "missing='drop'" in error.hint
    reader = DeepLabCutReader(single, missing="drop")
    assert len(reader) == 4
    assert reader[1].key == "labeled-data/v2/img00.png"
    assert reader.check().dropped == {"images missing": 1}


def test_a_row_of_the_wrong_length_is_named(single):
    rewrite(table_of(single), "3.5,4.25,,\n", "3.5,4.25,\n")
    assert refused(single, "5 values, but the header names 6").where == f"{table_of(single)}, row 4"


@pytest.mark.parametrize(
    ("cell", "what"),
    [("two", "not a number: 'two'"), ("inf", "an infinite coordinate"), ("", "`left_ear` has one coordinate instead")],
)
def test_a_wrong_cell_is_named(single, cell, what):
    rewrite(table_of(single), "3.5,4.25", f"3.5,{cell}")
    assert refused(single, what).where == f"{table_of(single)}, row 4"


def test_nan_is_unlabelled(single):
    rewrite(table_of(single), "3.5,4.25", "NaN,nan")
    assert DeepLabCutReader(single)[0].instances[0].keypoints.visibility.tolist() == [3, 0, 0]


def test_an_image_that_is_named_twice_is_refused(single):
    rewrite(table_of(single), "img01.png", "img00.png")
    error = refused(single, r"image `labeled-data/v1/img00\.png` has two rows, the other is row 4")
    assert error.where == f"{table_of(single)}, row 5"


def test_points_outside_the_image_are_kept_and_reported(single):
    rewrite(table_of(single), "3.5,4.25", "3.5,400")
    reader = DeepLabCutReader(single)
    assert reader[0].instances[0].keypoints.points[1, 1] == 400.5
    (finding,) = [finding for finding in reader.check().findings if "outside" in finding.what]
    assert finding.where == "labeled-data/v1/img00.png: left_ear"


def test_a_wrong_keypoint_count_is_refused(single):
    rewrite(single / "config.yaml", "- nose", "- noze")
    error = refused(single, "wrong keypoint count: the table lacks noze and has nose besides")
    assert error.where == str(table_of(single))
    rewrite(single / "config.yaml", "- noze\n", "")
    refused(single, "wrong keypoint count: the table has nose besides")


def test_a_keypoint_and_an_animal_that_nobody_labelled(single, multi):
    rewrite(single / "config.yaml", "- nose", "- nose\n- tail")
    reader = DeepLabCutReader(single)
    assert reader.skeleton.keypoints == ("nose", "tail", "left_ear", "right_ear")
    assert reader[0].instances[0].keypoints.visibility.tolist() == [3, 0, 3, 0]
    assert [finding.what for finding in reader.findings()] == ["table without tail"] * 2
    rewrite(multi / "config.yaml", "- bert", "- bert\n- carl")
    assert [len(sample.instances) for sample in DeepLabCutReader(multi)] == [2, 1]


def test_a_wrong_path_is_refused(single):
    rewrite(table_of(single), "labeled-data/v1/img01.png", "labeled-data/../img01.png")
    assert refused(single, r"`labeled-data/\.\./img01\.png` is not the path").where.endswith("row 5")
    rewrite(table_of(single), "labeled-data/../img01.png", "img01.png")
    assert DeepLabCutReader(single)[1].key == "labeled-data/v1/img01.png"


def test_other_tables_and_projects_are_refused(single, tmp_path):
    refused(tmp_path, "it has no config.yaml")
    (single / "config.yaml").write_text("bodyparts: [")
    refused(single, "not valid YAML")
    (single / "config.yaml").write_text("bodyparts: nose\n")
    refused(single, "`bodyparts` must be a list of names, got 'nose'")
    table_of(single).write_text("a,b\n1,2\n")
    refused(single, "not a table of DeepLabCut labels")


def test_a_project_without_labels_is_refused(tmp_path):
    root = make_project(tmp_path, {})
    refused(root, "the project has no folder `labeled-data`")
    (root / "labeled-data" / "v1").mkdir(parents=True)
    refused(root, "no labelled frames")


def test_a_table_without_rows_and_a_folder_without_table(single):
    text = table_of(single).read_text().splitlines()[:3]
    table_of(single).write_text("\n".join(text) + "\n")
    (single / "labeled-data" / "v3").mkdir()
    reader = DeepLabCutReader(single)
    assert len(reader) == 3
    assert [finding.what for finding in reader.check().findings][:1] == ["folder without labels"]


def test_several_scorers_need_the_projects_own(single):
    table_of(single).rename(table_of(single).with_name("CollectedData_you.csv"))
    assert len(DeepLabCutReader(single)) == 5
    (table_of(single).parent / "CollectedData_they.csv").write_text("")
    assert refused(single, "several label tables").choices == ["CollectedData_they.csv", "CollectedData_you.csv"]


def test_a_broken_image_is_found_by_check(single):
    (single / "labeled-data/v1/img00.png").write_bytes(b"")
    errors = [finding for finding in DeepLabCutReader(single).check().findings if finding.level == "error"]
    assert [finding.what for finding in errors] == ["the image file is empty"]


# --- projects as they come ---


def test_a_config_that_is_no_yaml_is_read_by_its_keys(single):
    path = single / "config.yaml"
    project = 'project_path: "C:\\Users\\me\\a very long path to\n the project"\n'
    path.write_text(project + path.read_text() + 'video_sets:\n  "D:\\videos\\v1.avi":\n    crop: 0, 640\n')
    reader = DeepLabCutReader(single)
    assert reader.skeleton == Skeleton("mice", tuple(PARTS))
    assert len(reader) == 5
    (finding,) = reader.findings()
    assert finding.what == "not valid YAML; bodyparts and scorer are read all the same"
    assert finding.where.endswith("config.yaml, line 1")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("unused: " + "[" * 3000 + "]" * 3000 + "\n", "nested too deeply"),
        ("a: &a [x, x, x, x, x, x, x, x, x, x]\n"
         + "".join(f"{key}: &{key} [{', '.join([f'*{last}'] * 10)}]\n" for last, key in pairwise("abcdefghij")),
         "its aliases stand for too many values"),
    ],
)  # fmt: skip
def test_a_config_that_would_become_huge_is_refused_as_a_whole(single, more, message):
    path = single / "config.yaml"
    path.write_text(more + path.read_text())
    assert "\n" not in str(refused(single, f"not valid YAML: {message}.* line").what)


def test_without_a_config_the_tables_say_what_there_is(single, multi):
    (single / "config.yaml").unlink()
    (multi / "config.yaml").unlink()
    assert DeepLabCutReader(single).skeleton.keypoints == tuple(PARTS)
    reader = DeepLabCutReader(multi)
    assert (len(reader), reader.skeleton.keypoints, len(reader[0].instances)) == (2, tuple(PARTS), 2)


def test_projects_of_lightning_pose_have_one_table(single):
    (single / "config.yaml").unlink()
    tables = [table_of(single, video) for video in ("v1", "v2")]
    rows = [table.read_text().splitlines() for table in tables]
    (single / "CollectedData.csv").write_text("\n".join(rows[0] + rows[1][3:]) + "\n")
    (single / "predictions.csv").write_text("\n".join([*rows[0][:3], "0,1,2,3,4,5,6"]) + "\n")
    for table in tables:
        table.unlink()
    reader = DeepLabCutReader(single)
    assert reader.groups == ["v1", "v1", "v2", "v2", "v2"]
    assert is_project(single)


def test_a_videos_folder_alone(single):
    (single / "labeled-data" / "v2").rename(single.parent / "v2")
    reader = DeepLabCutReader(single.parent / "v2")
    assert [sample.key for sample in reader] == ["img00.png", "img01.png", "img02.png"]
    assert reader.groups == ["v2"] * 3
    assert reader[0].image().shape == (30, 40, 3)


def test_names_that_differ_in_case_and_accents(single):
    rewrite(single / "config.yaml", "- nose", "- Nose")
    (single / "labeled-data" / "v1").rename(single / "labeled-data" / unicodedata.normalize("NFD", "Mäuse"))
    place = next((single / "labeled-data").glob("M*")) / "CollectedData_me.csv"
    place.write_text(place.read_text().replace("/v1/", "/Mäuse/").replace(".png", ".PNG"))
    reader = DeepLabCutReader(single)
    assert reader.skeleton.keypoints[0] == "Nose"
    assert [sample.image().shape for sample in reader] == [(30, 40, 3)] * 5
    np.testing.assert_allclose(reader[0].instances[0].keypoints.points[0], [1.5, 2.5])


def test_images_of_another_video_are_never_taken(single):
    for path in (single / "labeled-data" / "v1").glob("*.png"):
        path.unlink()
    refused(single, "2 of 5 images")


def test_a_row_of_animals_where_the_config_knows_one(multi):
    (multi / "config.yaml").write_text(yaml.safe_dump({"bodyparts": PARTS, "multianimalproject": False}))
    assert len(DeepLabCutReader(multi)[0].instances) == 2


# --- writing ---


def puppet(key: str, group: str, identities: list[str | None]) -> Sample:
    skeleton = Skeleton("mice", tuple(PARTS), ((0, 1),))
    pixels = np.full((30, 40, 3), 50, np.uint8)
    instances = tuple(
        Instance(
            "animal",
            keypoints=Keypoints(
                skeleton,
                np.array([[1.25, 2.5], [NAN, NAN], [3 + number, 4]]),
                np.array([3, 1, 2], np.int8),
                np.ones(3, np.float32),
            ),
            identity=identity,
        )
        for number, identity in enumerate(identities)
    )
    return Sample(key, (30, 40), lambda: pixels, instances, group=group)


def test_written_project_keeps_what_the_format_knows(tmp_path):
    write_deeplabcut([puppet("a/0", "scene 1", [None, None]), puppet("a/1", "a/1", [None])], tmp_path / "p")
    reader = DeepLabCutReader(tmp_path / "p")
    assert [sample.key for sample in reader] == ["labeled-data/frames/a_1.png", "labeled-data/scene_1/a_0.png"]
    assert [len(sample.instances) for sample in reader] == [1, 2]
    assert reader.skeleton == Skeleton("mice", tuple(PARTS), ((0, 1),))
    points = reader[1].instances[1].keypoints.points
    np.testing.assert_allclose(points, [[1.25, 2.5], [NAN, NAN], [4, 4]])


def test_identities_are_written(tmp_path):
    samples = [puppet("0", "s", ["bert"]), puppet("1", "s", ["anna", "bert"])]
    write_deeplabcut(samples, tmp_path / "p")
    reader = DeepLabCutReader(tmp_path / "p")
    assert [sorted(i.identity for i in sample.instances) for sample in reader] == [["bert"], ["anna", "bert"]]


def test_nothing_to_write_is_refused(tmp_path):
    with pytest.raises(DataError, match="no keypoints to write"):
        write_deeplabcut([], tmp_path / "p")


# --- real data ---


def test_the_real_project(shared_data):
    reader = DeepLabCutReader(shared_data / "openfield_mouse")
    assert len(reader) == 116
    assert reader.skeleton.keypoints == ("snout", "leftear", "rightear", "tailbase")
    assert reader.skeleton.mirror == (0, 2, 1, 3)
    assert reader[0].size == (480, 640)
    np.testing.assert_allclose(reader[0].instances[0].keypoints.points[0], [22.021, 265.928])
    assert [sample.key[-8:-4] for sample in reader[:3]] == ["0000", "0001", "0002"]
    assert set(reader.groups) == {"m4s1"}
