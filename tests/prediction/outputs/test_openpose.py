import json
from pathlib import Path

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.prediction.outputs.openpose import OpenPoseFiles, openpose_people
from gensight.readers.openpose import read_openpose
from gensight.samples import Instance, Keypoints, Prediction, Visibility
from gensight.skeletons import ANIMAL_17, COCO_17, OPENPOSE_18


def _person(seed: int, skeleton=OPENPOSE_18) -> Instance:
    rng = np.random.default_rng(seed)
    visibility = np.full(len(skeleton), Visibility.VISIBLE, np.int8)
    visibility[3] = Visibility.ABSENT
    confidence = rng.uniform(0.3, 1, len(skeleton)).astype(np.float32)
    return Instance("person", None, Keypoints(skeleton, rng.uniform(0, 99, (len(skeleton), 2)), visibility, confidence))


def _written(folder: Path, predictions: dict[str, Prediction]) -> list[str]:
    files = OpenPoseFiles()
    for stem, prediction in predictions.items():
        files.add(prediction, stem, folder)
    return sorted(str(path.relative_to(folder / "openpose")) for path in (folder / "openpose").rglob("*.json"))


def test_people_round_trip(tmp_path):
    people = _person(0), _person(1)
    names = _written(
        tmp_path, {"cam/a": Prediction("cam/a.jpg", (100, 100), people), "b": Prediction("b.png", (100, 100))}
    )
    assert names == ["b_keypoints.json", "cam/a_keypoints.json"]
    again = read_openpose(tmp_path / "openpose" / "cam" / "a_keypoints.json")
    assert read_openpose(tmp_path / "openpose" / "b_keypoints.json") == ()
    for before, after in zip(people, again, strict=True):
        found = before.keypoints.located
        assert after.keypoints.skeleton == OPENPOSE_18
        np.testing.assert_allclose(after.keypoints.points[found], before.keypoints.points[found], atol=1e-4)
        np.testing.assert_allclose(after.keypoints.confidence[found], before.keypoints.confidence[found], atol=1e-4)
        assert after.keypoints.visibility[3] == Visibility.ABSENT
        assert np.isnan(after.keypoints.points[3]).all()


def test_the_files_have_openposes_own_keys_order_and_origin():
    content = openpose_people((_person(0, COCO_17), Instance("person")))
    (person,) = content["people"]
    assert content["version"] == 1.3
    assert person["person_id"] == [-1]
    assert person["face_keypoints_2d"] == person["hand_left_keypoints_2d"] == []
    values = np.array(person["pose_keypoints_2d"]).reshape(18, 3)
    points, confidence = _person(0, COCO_17).keypoints.points, _person(0, COCO_17).keypoints.confidence
    np.testing.assert_allclose(values[0], [*(points[0] - 0.5), confidence[0]], atol=1e-4)
    np.testing.assert_allclose(values[1, :2], (points[5] + points[6]) / 2 - 0.5, atol=1e-4)  # the neck
    np.testing.assert_allclose(values[17], 0)  # the left ear was not found


def test_frames_are_named_as_openpose_names_them(tmp_path):
    names = _written(tmp_path, {f"{n:06d}": Prediction(f"walk.mp4#{n:06d}", (9, 9)) for n in (0, 12)})
    assert names == ["walk_000000000000_keypoints.json", "walk_000000000012_keypoints.json"]


def test_the_25_keypoint_model_is_read_too(tmp_path):
    values = np.column_stack([np.arange(25), np.arange(25), np.full(25, 0.5)])
    values[8] = 0
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"people": [{"pose_keypoints_2d": values.ravel().tolist()}]}))
    (person,) = read_openpose(path)
    expected = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]
    np.testing.assert_array_equal(person.keypoints.points[:, 0], np.array(expected) + 0.5)
    assert person.confidence == 0.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "it has no list `people`"),
        ({"people": [{}]}, "needs `pose_keypoints_2d`"),
        ({"people": [{"pose_keypoints_2d": [1, 2]}]}, "needs `pose_keypoints_2d`"),
        ({"people": [{"pose_keypoints_2d": [1, 2, 3]}]}, "a person has 1 keypoints"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "p.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        read_openpose(tmp_path / "p.json")


def test_only_people_fit():
    assert OpenPoseFiles.fits(COCO_17)
    assert OpenPoseFiles.fits(OPENPOSE_18)
    assert not OpenPoseFiles.fits(ANIMAL_17)
