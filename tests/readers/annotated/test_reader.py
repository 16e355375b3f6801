"""The project's own format: what is written is read back, merged in order, and audited."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from gensight.assembly.readers import build_readers
from gensight.config.data import AnnotatedData
from gensight.errors import DataError
from gensight.readers.annotated.labels import instance_to_json, write_labels
from gensight.readers.annotated.reader import AnnotatedReader
from gensight.readers.annotated.writer import OWN, commit, copy_image, sample_skeletons, write_annotated, write_tracks
from gensight.readers.coco.reader import CocoReader
from gensight.readers.puppets import PuppetsReader
from gensight.samples import Depth, Instance, Keypoints, Provenance, Sample, Visibility
from gensight.skeletons import COCO_17
from tests.contracts.reader import ReaderContract


def value(result):
    return result


def puppets():
    samples = []
    for sample in PuppetsReader(4, 3, (64, 64), ("keypoints", "boxes", "masks", "depth")):
        found = tuple(replace(instance, id=number) for number, instance in enumerate(sample.instances or ()))
        samples.append(replace(sample, instances=found, caption=f"scene {sample.key}"))
    return samples


class TestAnnotatedReader(ReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        write_annotated(puppets(), tmp_path / "data")
        return AnnotatedReader(tmp_path / "data")

    def write(self, samples, root):
        write_annotated(samples, root)
        return AnnotatedReader(root)


def sample(key="a", **fields):
    pixels = np.full((20, 30, 3), 50, dtype=np.uint8)
    pixels[::2] = 90
    return Sample(key, (20, 30), partial(value, pixels), **fields)


def write(root, samples, labels=(), teachers=("t@1",), videos=()):
    """A data set whose samples carry `labels` entries, one list per sample."""
    rows = [
        {
            "key": s.key,
            "image": copy_image(root, s.key, s.image()),
            "size": [20, 30],
            "group": s.group,
            "labels": entries,
        }
        for s, entries in zip(samples, labels or [[]] * len(samples), strict=True)
    ]
    skeletons = {"coco-17": sample_skeletons(sample(instances=(person(),)))["coco-17"]}
    description = {"source": {"kind": "copies", "root": "."}, "teachers": [{"source": t} for t in teachers]}
    commit(root, description, rows, videos, skeletons)
    return AnnotatedReader(root)


def person(**fields):
    confidence = np.linspace(0, 1, 17).astype(np.float32)
    points = np.arange(34, dtype=np.float64).reshape(17, 2) / 3
    keypoints = Keypoints(COCO_17, points, np.full(17, Visibility.VISIBLE, dtype=np.int8), confidence)
    return Instance("person", keypoints=keypoints, **fields)


class TestMaps:
    def test_depth_comes_back_within_half_a_step(self, tmp_path):
        values = np.linspace(0.4, 83.0, 600, dtype=np.float32).reshape(20, 30)
        values[3, 4] = np.nan
        entry = write_labels(tmp_path, "t", "a", sample(depth=partial(value, Depth(values))), 0.7)
        reader = write(tmp_path, [sample()], [[{"teacher": "t@1"} | entry]])
        again = reader[0].depth()
        assert again.kind == "metric"
        assert np.isnan(again.values[3, 4])
        assert np.nanmax(np.abs(again.values - values)) <= entry["depth"]["scale"] / 2 + 1e-5  # float32
        assert reader[0].extras["provenance"]["depth"] == Provenance("t@1", 0.7)

    @pytest.mark.parametrize("filled", [np.nan, 2.5])
    def test_flat_and_unknown_depth(self, tmp_path, filled):
        depth = Depth(np.full((20, 30), filled, dtype=np.float32), "affine")
        entry = write_labels(tmp_path, "t", "a", sample(depth=partial(value, depth)), 1.0)
        again = write(tmp_path, [sample()], [[{"teacher": "t@1"} | entry]])[0].depth()
        assert again.kind == "affine"
        np.testing.assert_array_equal(again.values, depth.values)

    def test_edges_and_variants(self, tmp_path):
        edges = np.random.default_rng(0).random((20, 30), dtype=np.float32)
        variants = (partial(value, np.full((20, 30, 3), 7, dtype=np.uint8)),)
        entry = write_labels(
            tmp_path, "t", "a", sample(edges=partial(value, edges), extras={"variants": variants}), 1.0
        )
        again = write(tmp_path, [sample()], [[{"teacher": "t@1"} | entry]])[0]
        assert np.abs(again.edges() - edges).max() <= 0.5 / 255 + 1e-6
        assert [variant().max() for variant in again.extras["variants"]] == [7]
        longer = AnnotatedReader(tmp_path, variants=True)
        assert (len(longer), longer.groups) == (2, ["a", "a"])
        assert longer[1].extras == {"variant_of": "a"}
        assert longer[1].image().max() == 7

    @pytest.mark.parametrize("split", ["seed", "order", "blocks"])
    def test_variants_stay_in_the_part_of_their_image(self, tmp_path, split):
        variants = (partial(value, np.full((20, 30, 3), 7, dtype=np.uint8)),)
        samples = [sample(str(number), extras={"variants": variants}) for number in range(10)]
        labels = [[{"teacher": "t@1"} | write_labels(tmp_path, "t", one.key, one, 1.0)] for one in samples]
        write(tmp_path, samples, labels)
        shares = {"test_block": 1} if split == "blocks" else {"train": 0.6, "validation": 0.2, "test": 0.2}
        data = AnnotatedData.model_validate(
            {"root": tmp_path, "variants": True, "split": {"kind": split, "validation": 0.2, **shares}}
        )
        parts = build_readers(data)
        held = []
        for part in (parts.train, parts.validation, parts.test):
            assert part is not None
            keys = [one.key for one in part if "variant_of" not in one.extras]
            assert sorted(one.extras["variant_of"] for one in part if "variant_of" in one.extras) == sorted(keys)
            held += keys
        assert sorted(held) == [str(number) for number in range(10)]

    def test_a_map_of_another_size_is_refused(self, tmp_path):
        entry = write_labels(tmp_path, "t", "a", sample(edges=partial(value, np.zeros((5, 5), dtype=np.float32))), 1.0)
        with pytest.raises(DataError, match="a map of \\(5, 5\\) belongs to an image of \\(20, 30\\)"):
            write(tmp_path, [sample()], [[{"teacher": "t@1"} | entry]])[0].edges()


class TestMerging:
    def test_a_pose_completes_its_box(self, tmp_path):
        boxes = [Instance("person", box=np.array([1.0, 2, 3, 4]), confidence=0.9, provenance=Provenance("t@1", 0.9)),
                 Instance("dog", box=np.array([5.0, 6, 7, 8]))]  # fmt: skip
        pose = instance_to_json(person(provenance=Provenance("p@2", 0.8), confidence=0.8)) | {"completes": 0}
        labels = [{"teacher": "t@1", "instances": [instance_to_json(box) for box in boxes]},
                  {"teacher": "p@2", "instances": [pose, instance_to_json(person())]}]  # fmt: skip
        reader = write(tmp_path, [sample()], [labels], ("t@1", "p@2"))
        first, dog, other = reader[0].instances
        np.testing.assert_array_equal(first.box, [1, 2, 3, 4])
        assert first.keypoints is not None
        assert first.provenance == Provenance("p@2", 0.8)
        assert (dog.category, dog.keypoints) == ("dog", None)
        assert [instance.id for instance in (first, dog, other)] == [0, 1, 2]
        assert reader.description["teachers"] == [
            {"source": "t@1", "num_images": 1, "num_instances": 2},
            {"source": "p@2", "num_images": 1, "num_instances": 2},
        ]

    def test_min_confidence_hides_instances_keypoints_and_captions(self, tmp_path):
        instances = [instance_to_json(person(confidence=c)) for c in (0.2, 0.7)]
        labels = [{"teacher": "t@1", "instances": instances, "confidence": 0.3, "caption": "a person"}]
        write(tmp_path, [sample()], [labels])
        (only,) = AnnotatedReader(tmp_path, min_confidence=0.5)[0].instances
        assert only.confidence == 0.7
        hidden = only.keypoints.confidence < 0.5
        assert (only.keypoints.visibility[hidden] == Visibility.UNLABELLED).all()
        assert np.isnan(only.keypoints.points[hidden]).all()
        assert only.keypoints.located.sum() == 17 - hidden.sum()
        assert AnnotatedReader(tmp_path, min_confidence=0.5)[0].caption is None
        assert AnnotatedReader(tmp_path, min_confidence=0.3)[0].caption == "a person"

    def test_nobody_looked_and_nobody_there_differ(self, tmp_path):
        reader = write(tmp_path, [sample("a"), sample("b")], [[], [{"teacher": "t@1", "instances": []}]])
        assert reader[0].instances is None
        assert reader[1].instances == ()


class TestTracks:
    @pytest.fixture
    def reader(self, tmp_path):
        points = np.arange(24, dtype=np.float32).reshape(3, 4, 2)
        visible = np.ones((3, 4), dtype=bool)
        visible[2, 1] = False
        confidence = np.full((3, 4), 0.9, dtype=np.float32)
        confidence[1, 2] = 0.4
        entry = write_tracks(tmp_path, "t", "v", 0, points, visible, confidence, np.zeros(4, dtype=np.int32))
        label = {"teacher": "t@1", "tracks": [entry | {"start": 1, "num_frames": 3, "num_points": 4}]}
        video = {"group": "v", "frames": ["f0", "f1", "f2", "f3"], "labels": [label]}
        samples = [sample(f"f{number}", group="v") for number in range(4)] + [sample("z")]
        return write(tmp_path, samples, videos=[video])

    def test_points_seen_in_both_frames(self, reader):
        relation = reader.relation(1, 3)
        assert relation.kind == "tracks"
        np.testing.assert_array_equal(relation.tracks[0], [[0, 1], [4, 5], [6, 7]])
        np.testing.assert_array_equal(relation.tracks[1], [[16, 17], [20, 21], [22, 23]])
        assert relation.provenance.source == "t@1"
        assert relation.provenance.confidence == pytest.approx(0.9)
        assert reader.relation(3, 1).tracks[0][0, 0] == 16

    def test_outside_the_stretch_no_point_is_seen(self, reader):
        assert reader.relation(0, 1).tracks.shape == (2, 0, 2)

    def test_trails_follow_what_the_first_frame_shows(self, reader):
        trails = reader.trails([3, 2, 0])
        np.testing.assert_array_equal(trails[0], [[16, 17], [20, 21], [22, 23]])
        np.testing.assert_array_equal(trails[1], [[8, 9], [12, 13], [14, 15]])
        assert np.isnan(trails[2]).all()

    def test_other_images_have_no_relation(self, reader):
        assert reader.relation(0, 4) is None

    def test_doubtful_points_are_left_out(self, reader):
        confident = AnnotatedReader(reader.root, min_confidence=0.5)
        assert confident.relation(1, 2).tracks.shape == (2, 3, 2)
        assert reader.relation(1, 2).tracks.shape == (2, 4, 2)


class TestCheck:
    def test_strangers_lost_files_and_twins_are_found(self, tmp_path):
        edges = {"teacher": "x@9", "edges": {"file": "maps/x/a.edges.png"}}
        reader = write(tmp_path, [sample("a"), sample("b")], [[edges], []])
        found = {(f.level, f.what, f.where) for f in reader.check().findings}
        assert ("error", "label of `x@9`, which `dataset.json` does not list", "a") in found
        assert ("error", "map or track file that is missing", "maps/x/a.edges.png") in found
        assert ("warning", "images of the same content", "a; b") in found

    def test_a_missing_image_is_an_error(self, tmp_path):
        reader = write(tmp_path, [sample("a"), sample("b")])
        (tmp_path / "images" / "a.png").unlink()
        assert [f.what for f in reader.check().findings if f.level == "error"] == ["image not found"]

    def test_a_broken_line_is_named(self, tmp_path):
        reader = write(tmp_path, [sample("a"), sample("b")])
        rows = tmp_path / reader.description["samples"]
        rows.write_bytes(rows.read_bytes()[:-20])
        with pytest.raises(DataError, match=r"\.jsonl, line 2"):
            AnnotatedReader(tmp_path)

    def test_another_json_is_refused(self, tmp_path):
        (tmp_path / "dataset.json").write_text(json.dumps({"format": "other"}))
        with pytest.raises(DataError, match="not a data set of this project's format"):
            AnnotatedReader(tmp_path)


class TestWriter:
    def test_coco_reads_what_it_can_hold(self, tmp_path):
        reader = TestAnnotatedReader().write(puppets(), tmp_path)
        for category in reader.categories:
            coco = CocoReader(tmp_path / "images", tmp_path / "coco.json", (category,))
            for ours, theirs in zip(reader, coco, strict=True):
                mine = [instance for instance in ours.instances if instance.category == category]
                for a, b in zip(mine, theirs.instances, strict=True):
                    np.testing.assert_allclose(a.box, b.box)
                    np.testing.assert_array_equal(a.mask(), b.mask())
        captions = json.loads((tmp_path / "coco-captions.json").read_text())
        assert len(captions["annotations"]) == len(reader)

    def test_what_is_no_longer_named_is_removed(self, tmp_path):
        edges = partial(value, np.zeros((20, 30), dtype=np.float32))
        entry = write_labels(tmp_path, "t", "a", sample(edges=edges), 1.0)
        write(tmp_path, [sample()], [[{"teacher": "t@1"} | entry]])
        (tmp_path / ".dataset.0123abcd.json").write_text("left by a killed writer")
        write(tmp_path, [sample()], [[]])
        kept = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
        assert kept == {"dataset.json", "images/a.png", AnnotatedReader(tmp_path).description["samples"]}

    def test_keys_that_come_twice_leave_the_old_data_set(self, tmp_path):
        write(tmp_path, [sample("a")])
        with pytest.raises(DataError, match="two images have the key `a`"):
            write(tmp_path, [sample("a"), sample("a")])
        assert len(AnnotatedReader(tmp_path)) == 1

    def test_a_key_that_leads_out_is_refused(self, tmp_path):
        with pytest.raises(DataError, match="no file name below a folder"):
            write_annotated([sample("../a")], tmp_path)

    def test_labels_of_the_source_are_its_own(self, tmp_path):
        write_annotated([sample(instances=(person(),))], tmp_path)
        reader = AnnotatedReader(tmp_path)
        assert reader.row(0)["labels"][0]["teacher"] == OWN
        assert reader[0].instances[0].provenance == Provenance("human")
