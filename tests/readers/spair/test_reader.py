"""SPair-71k: pairs from a list, their points and boxes, images with numbered parts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.readers.puppets import PuppetsReader
from gensight.readers.spair.reader import SpairReader
from gensight.readers.spair.writer import write_spair
from gensight.samples import Visibility
from tests.contracts.reader import ReaderContract

PAIRS = ("000001-c1-c2:cat", "000002-c2-c3:cat", "000003-d1-d2:dog")
SIZES = {"c1": (20, 30), "c2": (24, 30), "c3": (20, 30), "d1": (20, 30), "d2": (20, 30)}


def pair(first: str, second: str, kind: str, **changes: Any) -> dict[str, Any]:
    height, width = SIZES[first]
    return {
        "filename": f"{first}-{second}:{kind}", "src_imname": f"{first}.jpg", "trg_imname": f"{second}.jpg",
        "src_imsize": [width, height, 3], "trg_imsize": [*SIZES[second][::-1], 3], "category": kind,
        "src_bndbox": [1, 2, 20, 18], "trg_bndbox": [3, 4, 30, 20], "src_kps": [[4, 5], [10, 11]],
        "trg_kps": [[6, 7], [12, 13]], "kps_ids": ["0", "7"], "mirror": 0, "viewpoint_variation": 1,
        "scale_variation": 0, "truncation": 2, "occlusion": 0, "pair_id": 1,
    } | changes  # fmt: skip


def make(root: Path) -> Path:
    for row in PAIRS:
        names, _, kind = row.rpartition(":")
        _, first, second = names.split("-")
        write_json(root / "PairAnnotation/trn" / f"{row}.json", pair(first, second, kind))
    for name, (height, width) in SIZES.items():
        kind = "cat" if name.startswith("c") else "dog"
        write_image(root / "JPEGImages" / kind / f"{name}.jpg", np.full((height, width, 3), 9, np.uint8))
        kps = {str(i): None for i in range(30)} | {"0": [4, 5], "7": [10, 11]}
        value = {"image_width": width, "image_height": height, "bndbox": [1, 2, 20, 18], "kps": kps, "category": kind}
        write_json(
            root / "ImageAnnotation" / kind / f"{name}.json", value | {"filename": f"{name}.jpg", "azimuth_id": 7}
        )
    for size, rows in (("large", PAIRS), ("small", PAIRS[:1])):
        path = root / "Layout" / size / "trn.txt"
        path.parent.mkdir(parents=True)
        path.write_text("".join(f"{row}\n" for row in rows))
    return root


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


@pytest.fixture
def root(tmp_path):
    return make(tmp_path / "SPair-71k")


class WritesSpair(ReaderContract):
    def write(self, samples, root):
        write_spair(samples, root, image_suffix=".png")
        return SpairReader(root)

    def compare(self, sample, other):
        super().compare(sample, other)
        assert (sample.label, sample.group) == (other.label, other.group)


class TestSmall(WritesSpair):
    @pytest.fixture
    def reader(self, root):
        return SpairReader(root, category="cat")


class TestPuppets(WritesSpair):
    @pytest.fixture(scope="class")
    def reader(self, tmp_path_factory):
        root = tmp_path_factory.mktemp("spair")
        write_spair(PuppetsReader(5, seed=2, size=(48, 64)), root, "val")
        return SpairReader(root, "val")


def test_values(root):
    reader = SpairReader(root)
    assert [sample.key for sample in reader] == ["cat/c1", "cat/c2", "cat/c3", "dog/d1", "dog/d2"]
    assert reader.categories == ("cat", "dog")
    assert reader.pairs() == [(0, 1), (1, 2), (3, 4)]
    (cat,) = reader[1].instances
    assert (reader[1].size, reader[1].label, reader[1].group) == ((24, 30), "cat", "cat")
    assert cat.box.tolist() == [1, 2, 20, 18]
    assert cat.keypoints.points[7].tolist() == [10.5, 11.5]
    assert cat.keypoints.visibility.tolist().count(Visibility.VISIBLE) == 2
    assert cat.keypoints.visibility[1] == Visibility.UNLABELLED


def test_relations(root):
    reader = SpairReader(root)
    relation = reader.relation(0, 1)
    assert relation.tracks.tolist() == [[[4.5, 5.5], [10.5, 11.5]], [[6.5, 7.5], [12.5, 13.5]]]
    assert relation.boxes.tolist() == [[1, 2, 20, 18], [3, 4, 30, 20]]
    swapped = reader.relation(1, 0)
    np.testing.assert_array_equal(swapped.tracks, relation.tracks[::-1])
    np.testing.assert_array_equal(swapped.boxes, relation.boxes[::-1])
    assert reader.relation(0, 2) is None
    assert reader.relation(0, 3) is None


def test_parts_of_the_pairs(root):
    assert [s.key for s in SpairReader(root, category="dog")] == ["dog/d1", "dog/d2"]
    with pytest.raises(DataError, match="there are no pairs of `dgo`") as caught:
        SpairReader(root, category="dgo")
    assert (caught.value.choices, caught.value.hint) == (["cat", "dog"], "did you mean `dog`?")
    with pytest.raises(DataError, match="there is no list `test`"):
        SpairReader(root, "test")
    with pytest.raises(DataError, match="folder of the images not found"):
        SpairReader(root / "JPEGImages")


def test_pairs_that_name_unknown_images(root):
    rows = (root / "Layout/large/trn.txt").read_text()
    write_json(root / "PairAnnotation/trn/000004-d1-d9:dog.json", pair("d1", "d2", "dog"))
    (root / "Layout/large/trn.txt").write_text(rows + "000004-d1-d9:dog\n")
    with pytest.raises(DataError, match=r"1 of 6 images that trn\.txt names are missing: dog/d9"):
        SpairReader(root)
    reader = SpairReader(root, missing="drop")
    assert len(reader) == 5
    assert reader.pairs() == [(0, 1), (1, 2), (3, 4)]
    assert reader.check().dropped == {"images missing": 1}


def test_pairs_without_an_annotation(root):
    (root / "PairAnnotation/trn" / f"{PAIRS[1]}.json").unlink()
    with pytest.raises(DataError, match=r"1 of 3 pair annotations that trn\.txt names are missing: 000002-c2-c3:cat"):
        SpairReader(root)
    reader = SpairReader(root, missing="drop")
    assert [sample.key for sample in reader] == ["cat/c1", "cat/c2", "dog/d1", "dog/d2"]
    (root / "ImageAnnotation/cat/c1.json").unlink()
    with pytest.raises(DataError, match="annotation not found"):
        SpairReader(root, missing="drop")


@pytest.mark.parametrize("row", ["000001-c1:cat", "000001-c1-c2", "000001-c1-:cat", "000001-../c1-c2:cat"])
def test_rows_that_name_no_pair(root, row):
    (root / "Layout/large/trn.txt").write_text(f"{row}\n")
    with pytest.raises(DataError, match=r"names no pair|are missing"):
        SpairReader(root)
    write_json(root / "PairAnnotation/trn" / f"{row.replace('/', '_')}.json", {})
    with pytest.raises(DataError, match=r"names no pair|are missing"):
        SpairReader(root)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"src_kps": [[1, 2]]}, r"1 points \(x, y\) in the source and 2 in the target don't make pairs"),
        ({"trg_kps": [[1, 2], [3]]}, "don't make pairs"),
        ({"trg_bndbox": [1, 2]}, "a bndbox of other than four numbers"),
        ({"src_kps": "none"}, "not an annotation of SPair-71k: Expected `array`, got `str`"),
    ],
)
def test_broken_pairs_are_refused_and_reported(root, changes, what):
    path = root / "PairAnnotation/trn" / f"{PAIRS[1]}.json"
    write_json(path, pair("c2", "c3", "cat", **changes))
    reader = SpairReader(root)
    with pytest.raises(DataError, match=what) as caught:
        reader.relation(1, 2)
    assert caught.value.where == str(path)
    (finding,) = [finding for finding in reader.check().findings if finding.level == "error"]
    assert finding.where == str(path)


@pytest.mark.parametrize(
    "changes", [{"bndbox": [1]}, {"kps": {"31": [1, 2]}}, {"kps": {"a": None}}, {"kps": {"1": [2]}}]
)
def test_broken_images_are_refused(root, changes):
    path = root / "ImageAnnotation/cat/c2.json"
    write_json(path, json.loads(path.read_text()) | changes)
    with pytest.raises(DataError, match="no annotation of an image") as caught:
        SpairReader(root)
    assert caught.value.where == str(path)


def test_a_pair_without_points_has_empty_tracks(root):
    write_json(root / "PairAnnotation/trn" / f"{PAIRS[0]}.json", pair("c1", "c2", "cat", src_kps=[], trg_kps=[]))
    reader = SpairReader(root)
    assert reader.relation(0, 1).tracks.shape == (2, 0, 2)
    assert "pair without a common point" in [finding.what for finding in reader.check().findings]


def test_written_pairs_are_common_keypoints(tmp_path):
    rendered = PuppetsReader(6, seed=5, size=(64, 64))
    keys = write_spair(rendered, tmp_path)
    reader = SpairReader(tmp_path)
    assert [(reader[a].key, reader[b].key) for a, b in reader.pairs()] == keys
    for first, second in reader.pairs():
        tracks = reader.relation(first, second).tracks
        points = [reader[index].instances[0].keypoints for index in (first, second)]
        common = np.isfinite(points[0].points).all(1) & np.isfinite(points[1].points).all(1)
        np.testing.assert_allclose(tracks, np.stack([one.points[common] for one in points]))
        assert tracks.shape[1] > 0
    with pytest.raises(DataError, match="no two samples show the same keypoint of one class"):
        write_spair([rendered[0]], tmp_path / "one")
