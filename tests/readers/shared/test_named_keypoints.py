"""Keypoints that a recipe names: names for those that the labels leave without, and a choice of the others."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from gensight.assembly.readers import build_readers, undivided
from gensight.config.loading.loader import load_data
from gensight.errors import DataError
from gensight.prediction.scoring.coco import CocoScoring
from gensight.readers.base import Reader
from tests.cli.projects import PARTS, make, points


def train(root: Path, kind: str, *overrides: str) -> Reader:
    return build_readers(undivided(load_data(kind, [f'root="{root}"', *overrides]))).train


COCO = ("train.images=images", "train.annotations=annotations.json", "test=null", "categories=[mouse]")


def test_names_for_keypoints_that_have_none(tmp_path: Path) -> None:
    make("coco_nameless", tmp_path)
    reader = pickle.loads(pickle.dumps(train(tmp_path, "coco", *COCO, f"keypoints=[{','.join(PARTS)}]")))
    assert reader.skeleton is not None
    assert (reader.skeleton.keypoints, reader.skeleton.mirror) == (PARTS, (0, 2, 1, 3))
    for number, sample in enumerate(reader):
        (mouse,) = sample.instances
        assert mouse.keypoints.skeleton == reader.skeleton
        np.testing.assert_allclose(mouse.keypoints.points, list(points(number).values()), atol=0.01)
    scoring = CocoScoring.of(reader)
    assert scoring is not None
    assert scoring.skeleton.keypoints == PARTS
    assert [finding.level for finding in reader.check().findings] == []


def test_some_of_the_labels_keypoints_in_another_order(tmp_path: Path) -> None:
    make("photographs", tmp_path)
    reader = train(tmp_path, "coco", *COCO, "keypoints=[tail,nose,left_ear]")
    assert reader.skeleton is not None
    assert (reader.skeleton.mirror, reader.skeleton.edges) == ((0, 1, 2), ((1, 0),))
    sample = reader[4]
    assert sample.instances is not None
    keypoints = sample.instances[0].keypoints
    assert keypoints is not None
    truth = points(4)
    np.testing.assert_allclose(keypoints.points, [truth["tail"], truth["nose"], truth["left_ear"]], atol=0.01)
    assert CocoScoring.of(reader) is None


def test_pairs_that_the_labels_state_are_kept(tmp_path: Path) -> None:
    make("yolo_pose", tmp_path)
    reader = train(tmp_path, "yolo", "keypoints=[a,b,c,d]")
    assert reader.skeleton is not None
    assert reader.skeleton.mirror == (0, 2, 1, 3)


@pytest.mark.parametrize(
    ("names", "what", "hint"),
    [
        ("a,b", "2 names for 4 keypoints, which have none in the labels", "in the labels' order"),
        ("a,b,c,a", "`a` stands there twice", "once"),
    ],
)
def test_wrong_names_of_nameless_keypoints(tmp_path: Path, names: str, what: str, hint: str) -> None:
    make("coco_nameless", tmp_path)
    with pytest.raises(DataError, match=what) as caught:
        train(tmp_path, "coco", *COCO, f"keypoints=[{names}]")
    assert hint in (caught.value.hint or "")
    assert caught.value.where == "data.keypoints"


def test_unknown_names_are_refused_with_the_nearest(tmp_path: Path) -> None:
    make("points_csv", tmp_path)
    with pytest.raises(DataError, match="no keypoint `Nose`") as caught:
        train(tmp_path, "points-csv", "keypoints=[Nose]")
    assert "`Nase`" in (caught.value.hint or "")


def test_labels_without_keypoints(tmp_path: Path) -> None:
    make("coco_boxes", tmp_path)
    with pytest.raises(DataError, match="no keypoints"):
        train(tmp_path, "coco", *COCO, "keypoints=[a]")


def test_deeplabcuts_own_word_is_understood(tmp_path: Path) -> None:
    make("dlc_multi", tmp_path)
    data = load_data("deeplabcut", [f'root="{tmp_path}"', "bodyparts=[corner]"])
    assert json.loads(data.model_dump_json())["keypoints"] == ["corner"]
    reader = train(tmp_path, "deeplabcut", "bodyparts=[corner]")
    sample = reader[0]
    assert sample.instances is not None
    assert sample.instances[0].keypoints is not None
    np.testing.assert_allclose(sample.instances[0].keypoints.points, [[4.0, 4.0]])
