"""Keypoints in the json format of OpenPose: one file per image or frame (Cao et al., "OpenPose", TPAMI 2021).

A file is `{"version": 1.3, "people": [{"pose_keypoints_2d": [x, y, confidence, ...], ...}]}` with the 18 keypoints of
its COCO model, in pixels whose top-left centre is (0, 0); a keypoint that was not found is 0, 0, 0.
"""

from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from gensight.files.atomic import write_json
from gensight.prediction.outputs.writer import Files
from gensight.readers.openpose import PIXEL_CENTRE
from gensight.samples import Instance, Prediction
from gensight.skeletons import OPENPOSE_18, Skeleton
from gensight.transforms.keypoints import can_convert, convert_keypoints

VERSION = 1.3
_EMPTY = (
    "face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d", "pose_keypoints_3d",
    "face_keypoints_3d", "hand_left_keypoints_3d", "hand_right_keypoints_3d",
)  # fmt: skip


class OpenPoseFiles(Files):
    """Writes `openpose/NAME_keypoints.json` for images and `openpose/VIDEO_000000000012_keypoints.json` for frames."""

    name: ClassVar[str] = "openpose"

    @staticmethod
    def fits(skeleton: Skeleton) -> bool:
        """Whether these keypoints can be written: people's."""
        return can_convert(skeleton, OPENPOSE_18)

    def add(self, prediction: Prediction, stem: str, folder: Path) -> None:
        """Writes one image's merged prediction; one without people where it has none."""
        video, _, number = prediction.sample_key.rpartition("#")
        if video and number == stem:
            stem = f"{PurePosixPath(video).stem}_{int(number):012d}"
        write_json(folder / "openpose" / f"{stem}_keypoints.json", openpose_people(prediction.instances))


def openpose_people(instances: tuple[Instance, ...]) -> dict[str, Any]:
    """A file's content. Raises ConfigError for keypoints that no person has."""
    people = []
    for instance in instances:
        if instance.keypoints is None:
            continue
        keypoints = convert_keypoints(instance.keypoints, OPENPOSE_18)
        found = keypoints.located & np.isfinite(keypoints.points).all(1)
        triples = np.column_stack([keypoints.points - PIXEL_CENTRE, keypoints.confidence])
        values = np.where(found[:, None], triples, 0.0).ravel()
        person = {"person_id": [-1], "pose_keypoints_2d": [round(float(value), 4) for value in values]}
        people.append({**person, **{name: [] for name in _EMPTY}})
    return {"version": VERSION, "people": people}
