"""Readers of gaze data sets: miniatures in the exact layouts, the oddities of the real files, and the real files."""

import json
import pickle

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.readers.gazefollow.reader import TEST, TRAIN, GazeFollowReader, write_gazefollow
from gensight.readers.gazefollow.tables import read_annotations
from gensight.readers.goo.annotations import pickle_to_json, read_records
from gensight.readers.goo.reader import GAZED, GooReader, write_goo
from gensight.readers.puppets import PuppetsReader
from gensight.readers.shared.gaze_annotations import Tally
from gensight.readers.video_attention_target import (
    VideoAttentionTargetReader,
    smooth,
    write_video_attention_target,
)
from gensight.samples import Gaze, Instance, Sample
from tests.contracts.reader import ReaderContract

PUPPETS = PuppetsReader(6, seed=3, size=(48, 64), truths=("gaze", "boxes"), num_subjects=(1, 2))
ROW = "train/00000000/{name}.jpg,7,0.1,0.1,0.5,0.5,0.5,0.25,{gaze},{head},{inout},coco,False"


def picture(path, size=(40, 80)):
    write_image(path, np.random.default_rng(0).integers(0, 255, (*size, 3)).astype(np.uint8))


def train_file(root, rows, bom=False):
    for name in ("a", "b"):
        picture(root / f"train/00000000/{name}.jpg")
    text = "".join(f"{row}\n" for row in rows)
    (root / TRAIN).write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.encode())
    return root


def row(name="a", gaze="0.75,0.5", head="30,5,50,20", inout="1"):
    return ROW.format(name=name, gaze=gaze, head=head, inout=inout)


class TestGazeFollow(ReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        write_gazefollow(PUPPETS, tmp_path, "train")
        return GazeFollowReader(tmp_path)

    def test_units(self, tmp_path):
        person = GazeFollowReader(train_file(tmp_path, [row(), row("b")], bom=True))[0].instances[0]
        np.testing.assert_allclose(person.gaze.points, [[60, 20]])
        np.testing.assert_allclose(person.gaze.eye, [40, 10])
        np.testing.assert_allclose(person.head_box, [30, 5, 50, 20])
        np.testing.assert_allclose(person.box, [8, 4, 48, 24])
        assert person.gaze.in_frame

    def test_people_of_one_image_are_one_sample(self, tmp_path):
        reader = GazeFollowReader(train_file(tmp_path, [row(), row(inout="0"), row("b")]))
        assert [len(sample.instances) for sample in reader] == [2, 1]
        assert not reader[0].instances[1].gaze.in_frame
        assert reader[0].instances[1].gaze.points.shape == (0, 2)

    def test_oddities_are_mended_or_counted(self, tmp_path):
        rows = [
            row(head="50,20,30,5"),  # swapped
            row(head="-4,-2,50,20"),  # negative
            row(head="200,5,260,20"),  # outside the image
            row(head="30,5,30,20"),  # no area
            row(inout="-1"),
            row(gaze="-1,0.5"),
            row(gaze="-1,-1"),
            row(gaze="0.5,1.2"),
        ]
        reader = GazeFollowReader(train_file(tmp_path, rows))
        heads = [person.head_box for person in reader[0].instances]
        np.testing.assert_allclose(heads[0], [30, 5, 50, 20])
        np.testing.assert_allclose(heads[1], [0, 0, 50, 20])
        assert heads[2] is None
        assert reader.dropped == {
            "head box without an area": 1,
            "marked invalid (inout is -1)": 1,
            "one of the target's two coordinates is -1": 1,
            "no gaze target": 1,
            "gaze target outside the image": 1,
        }
        problems = [finding.what for finding in reader.check().findings]
        assert "head box with its corners swapped" in problems
        assert "person without a head box in the image, whose gaze cannot be predicted" in problems

    def test_annotators_are_grouped_by_image_and_eye(self, tmp_path):
        picture(tmp_path / "test2/00000000/a.jpg")
        start = "test2\\00000000\\a.jpg,1,0.1,0.1,0.5,0.5,{eye},0.25,{gaze},0.5,30,5,50,20,coco,x"
        rows = [start.format(eye=eye, gaze=0.1 + 0.03 * n) for n in range(22) for eye in (0.5, 0.6)]
        (tmp_path / TEST).write_text("\n".join(rows))
        reader = GazeFollowReader(tmp_path, TEST)
        assert [one.gaze.points.shape for one in reader[0].instances] == [(22, 2)] * 2
        assert any("more than 20 annotators" in finding.what for finding in reader.check().findings)

    def test_missing_images(self, tmp_path):
        root = train_file(tmp_path, [row(), row("b"), row("gone")])
        with pytest.raises(DataError, match=r"1 of 3 images that train_annotations_release.txt names are missing"):
            GazeFollowReader(root)
        reader = GazeFollowReader(root, missing="drop")
        assert (len(reader), reader.dropped) == (2, {"images missing": 1})

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "holds no rows"),
            ("a,b,c", "these have 3"),
            (row(inout="2"), "inout is 1, 0 or -1"),
            (row(gaze="x,0.5"), "a column is no number"),
            (f"{row()}\n{row()},1", "18 columns instead of 17"),
        ],
    )
    def test_a_bad_file_is_named_with_its_row(self, tmp_path, text, message):
        with pytest.raises(DataError, match=message):
            GazeFollowReader(train_file(tmp_path, [text] if text else []))

    def test_the_real_files(self, shared_data):
        tally = Tally()
        persons = read_annotations(shared_data / "gazefollow/test2_annotations.mat", tally)
        assert (len(persons), sum(len(one.gaze) for one in persons)) == (4782, 44191)
        assert not tally.dropped
        assert len(read_annotations(shared_data / "gazefollow/val_annotations_new.txt", tally)) == 4499

    def test_the_real_images(self, shared_data):
        root = shared_data / "gazefollow"
        reader = GazeFollowReader(root, "test2_annotations.mat", missing="drop")
        assert len(reader) == 7
        assert reader.dropped == {"images missing": 4775}
        assert all(one.head_box is not None for sample in reader for one in sample.instances)

    def test_a_file_that_is_no_matlab_file(self, tmp_path):
        (tmp_path / "x.mat").write_bytes(b"no matlab file" * 20)
        with pytest.raises(DataError, match="MATLAB"):
            read_annotations(tmp_path / "x.mat", Tally())


class TestVideoAttentionTarget(ReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        write_video_attention_target(PUPPETS, tmp_path)
        return VideoAttentionTargetReader(tmp_path)

    def make(self, root, rows):
        names = {line.split(",")[0] for line in rows}
        for name in names:
            picture(root / "images/Show A/10_20" / name)
        track = root / "annotations/test/Show A/10_20/s00.txt"
        track.parent.mkdir(parents=True)
        track.write_text("\n".join(rows))
        return root

    def test_rows(self, tmp_path):
        rows = [f"{n:08d}.jpg,{10 + n},5,30,20,{gaze}" for n, gaze in enumerate(["40,20", "-1,-1", "-3,20", "95,20"])]
        reader = VideoAttentionTargetReader(self.make(tmp_path, rows), "test")
        people = [sample.instances[0] for sample in reader]
        assert [one.gaze.in_frame for one in people] == [True, False, True, True]
        np.testing.assert_allclose(people[2].gaze.points, [[0, 20]])
        np.testing.assert_allclose(people[3].gaze.points, [[80, 20]])
        assert (reader[0].key, reader[0].group, people[0].identity) == (
            "Show A/10_20/00000000",
            "Show A/10_20",
            "Show A/10_20/s00",
        )
        assert len(VideoAttentionTargetReader(tmp_path, "test", step=3)) == 2

    def test_smoothing_is_the_mean_of_eleven_rows(self):
        values = np.random.default_rng(0).normal(size=(30, 4))
        plain = np.stack([values[np.clip(np.arange(i - 5, i + 6), 0, 29)].mean(0) for i in range(30)])
        np.testing.assert_allclose(smooth(values), plain, atol=1e-12)

    def test_bad_input(self, tmp_path):
        root = self.make(tmp_path, ["00000000.jpg,1,2,30,40,5"])
        with pytest.raises(DataError, match="6 columns instead of 7"):
            VideoAttentionTargetReader(root, "test")
        with pytest.raises(DataError, match="no show `Show B`"):
            VideoAttentionTargetReader(root, "test", shows=["Show B"])


class _Harm:
    def __reduce__(self):
        return (print, ("harm done",))


class TestGoo(ReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        write_goo(_shelves(), tmp_path)
        return GooReader(tmp_path, "train.json")

    def test_coordinates_are_in_another_frame(self, tmp_path):
        write_goo(_shelves(), tmp_path)
        sample = GooReader(tmp_path, "train.json")[0]
        person = sample.instances[0]
        np.testing.assert_allclose(person.gaze.points, [[60, 20]])
        np.testing.assert_allclose(person.head_box, [10, 4, 20, 16])
        assert sample.instances[sample.extras[GAZED]].category == "product-02"
        around = GooReader(tmp_path, "train.json", head="point")[0].instances[0].head_box
        np.testing.assert_allclose(around, [15 - 12, 10 - 6, 15 + 12, 10 + 6])

    def test_pickles_of_numbers_become_json(self, tmp_path, capsys):
        write_goo(_shelves(), tmp_path)
        records = json.loads((tmp_path / "train.json").read_text())
        for record in records:
            record["ann"]["bboxes"] = np.array(record["ann"]["bboxes"])
            record["gaze_cx"] = np.float64(record["gaze_cx"])
        (tmp_path / "train.pickle").write_bytes(pickle.dumps(records))
        assert pickle_to_json(tmp_path / "train.pickle", tmp_path / "again.json") == 2
        first, second = (GooReader(tmp_path, name)[0] for name in ("train.pickle", "again.json"))
        np.testing.assert_array_equal(first.instances[0].head_box, second.instances[0].head_box)

    def test_a_hostile_pickle_is_not_followed(self, tmp_path, capsys):
        (tmp_path / "bad.pickle").write_bytes(pickle.dumps([{"filename": _Harm()}]))
        with pytest.raises(DataError, match=r"references `builtins.print`"):
            read_records(tmp_path / "bad.pickle")
        assert capsys.readouterr().out == ""
        (tmp_path / "cut.pickle").write_bytes(pickle.dumps([{"filename": "a" * 100}])[:-20])
        with pytest.raises(DataError, match="damaged"):
            read_records(tmp_path / "cut.pickle")

    def test_records_outside_the_image_are_counted(self, tmp_path):
        write_goo(_shelves(), tmp_path)
        records = json.loads((tmp_path / "train.json").read_text())
        (tmp_path / "odd.json").write_text(json.dumps([{**records[0], "gaze_cx": 700}, records[1]]))
        assert GooReader(tmp_path, "odd.json").dropped == {"gaze outside the image": 1}
        (tmp_path / "odd.json").write_text(json.dumps([{"filename": "x"}]))
        with pytest.raises(DataError, match="record 0 has no `gaze_cx`"):
            GooReader(tmp_path, "odd.json")


def _shelves():
    pixels = np.random.default_rng(1).integers(0, 255, (40, 80, 3)).astype(np.uint8)
    person = Instance("person", head_box=np.array([10.0, 4, 20, 16]), gaze=Gaze(np.array([[60.0, 20]]), True))
    products = [
        Instance("product-01", box=np.array([30.0, 2, 40, 9])),
        Instance("product-02", box=np.array([56.0, 15, 66, 24])),
    ]
    return [Sample(f"shop{n}", (40, 80), lambda: pixels, (person, *products)) for n in range(2)]
