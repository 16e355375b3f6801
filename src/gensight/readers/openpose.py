"""Keypoint files of OpenPose: people of one image, without the image (Cao et al., "OpenPose", TPAMI 2021).

A file is `{"people": [{"pose_keypoints_2d": [x, y, confidence, ...]}, ...]}`, in pixels whose top-left centre is
(0, 0); a keypoint that was not found is 0, 0, 0. `canvas_width` and `canvas_height` may give the size of the image.
"""

from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import read_json
from gensight.samples import Array, Instance, Keypoints, Size, Visibility
from gensight.skeletons import OPENPOSE_18

PIXEL_CENTRE = 0.5
# The 25-keypoint model's places of the 18: it has the mid hip after the arms, and feet at the end.
_OF_BODY_25 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)


def read_openpose(path: Path) -> tuple[Instance, ...]:
    """The people of a file, with 18 keypoints each (of the 25-keypoint model: those that both have).

    A keypoint of confidence 0 was not found: absent. The person's confidence is the mean of the others.

    Raises:
        DataError: The file is no such json, or a person has another number of keypoints.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("people"), list):
        raise DataError("not a keypoint file of OpenPose: it has no list `people`", where=path)
    return tuple(_person(person, f"{path}, person {number}") for number, person in enumerate(content["people"]))


def _person(person: Any, where: str) -> Instance:
    try:
        triples: Array = np.asarray(person["pose_keypoints_2d"], dtype=np.float64).reshape(-1, 3)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("a person needs `pose_keypoints_2d`: x, y, confidence of each", where=where) from error
    if len(triples) == 25:
        triples = triples[list(_OF_BODY_25)]
    if len(triples) != len(OPENPOSE_18):
        raise DataError(f"a person has {len(triples)} keypoints", where=where, choices=[18, 25])
    found = triples[:, 2] > 0
    keypoints = Keypoints(
        skeleton=OPENPOSE_18,
        points=np.where(found[:, None], triples[:, :2] + PIXEL_CENTRE, np.nan),
        visibility=np.where(found, Visibility.VISIBLE, Visibility.ABSENT).astype(np.int8),
        confidence=np.clip(triples[:, 2], 0, 1).astype(np.float32),
    )
    confidence = float(keypoints.confidence[found].mean()) if found.any() else 0.0
    return Instance(category="person", keypoints=keypoints, confidence=confidence)


def canvas_size(path: Path) -> Size | None:
    """(height, width) of the image as a file states it; None where it does not."""
    content = read_json(path)
    if not isinstance(content, dict):
        return None
    height, width = content.get("canvas_height"), content.get("canvas_width")
    if not (isinstance(height, int | float) and isinstance(width, int | float) and min(height, width) > 0):
        return None
    return int(height), int(width)
