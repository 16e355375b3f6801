"""Keypoints in one COCO json: images, annotations, categories; frames of videos have `frame` and `time` besides."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import read_json, write_json
from gensight.geometry import box_size, points_box
from gensight.readers.coco.reader import OFFSET
from gensight.readers.coco.writer import flat_keypoints
from gensight.readers.poses.table import PoseFrame, PoseTable, Subject
from gensight.samples import Keypoints, Visibility
from gensight.skeletons import Skeleton

CATEGORY_ID = 1


def image_entry(number: int, frame: PoseFrame) -> dict[str, Any]:
    """A frame as an entry of `images`."""
    height, width = frame.size
    entry: dict[str, Any] = {"id": number, "file_name": frame.key, "height": height, "width": width}
    return entry if frame.frame is None else entry | {"frame": frame.frame, "time": frame.time}


def category_entry(skeleton: Skeleton, name: str = "subject") -> dict[str, Any]:
    """The keypoints as an entry of `categories`."""
    limbs = [[a + 1, b + 1] for a, b in skeleton.edges]
    return {"id": CATEGORY_ID, "name": name, "keypoints": list(skeleton.keypoints), "skeleton": limbs}


def write(table: PoseTable, path: Path) -> None:
    """All at once; an individual's name stands as `track` of its annotations."""
    images, annotations = list[dict[str, Any]](), list[dict[str, Any]]()
    for number, frame in enumerate(table.frames(), start=1):
        images.append(image_entry(number, frame))
        for one in frame.subjects:
            entry = _annotation(one.keypoints) | {"id": len(annotations) + 1, "image_id": number, "score": one.score}
            if table.individuals:
                entry["track"] = table.individuals[one.place]
            annotations.append(entry)
    info = {"description": f"keypoints by {table.scorer}", "video": table.video, "rate": table.rate,
            "individuals": list(table.individuals)}  # fmt: skip
    write_json(path, {"info": info, "images": images, "annotations": annotations,
                      "categories": [category_entry(table.skeleton, table.skeleton.name)]})  # fmt: skip


def _annotation(keypoints: Keypoints) -> dict[str, Any]:
    num_located = int(keypoints.located.sum())
    box = points_box(keypoints.points) if num_located else np.zeros(4)
    width, height = box_size(box)
    return {
        "category_id": CATEGORY_ID, "keypoints": flat_keypoints(keypoints), "num_keypoints": num_located,
        "bbox": [float(box[0]), float(box[1]), width, height], "area": width * height, "iscrowd": 0,
        "confidences": [float(value) for value in keypoints.confidence],
    }  # fmt: skip


def read(path: Path) -> PoseTable:
    """What `write` has written, and other files of one category with keypoints, whose annotations have no names.

    Raises:
        DataError: It is no such json.
    """
    value = read_json(path)
    try:
        categories = [one for one in value["categories"] if one.get("keypoints")]
        if len(categories) != 1:
            raise ValueError(f"{len(categories)} categories with keypoints instead of one")
        (category,) = categories
        limbs = tuple((a - 1, b - 1) for a, b in category.get("skeleton") or ())
        skeleton = Skeleton(str(category["name"]), tuple(category["keypoints"]), limbs)
        mine = [one for one in value["annotations"] if one["category_id"] == category["id"] and one.get("keypoints")]
        own = {number: list(some) for number, some in groupby(sorted(mine, key=lambda one: one["image_id"]),
                                                              key=lambda one: one["image_id"])}  # fmt: skip
        info, images = value.get("info") or {}, value["images"]
        individuals = tuple(info.get("individuals") or dict.fromkeys(one["track"] for one in mine if "track" in one))
        most = max((len(some) for some in own.values()), default=1)
        if not individuals and most > 1:
            individuals = tuple(f"individual{number}" for number in range(1, most + 1))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"not a COCO json of keypoints: {error!r}", where=path) from error

    def frames() -> Iterator[PoseFrame]:
        for image in images:
            subjects = []
            for number, one in enumerate(own.get(image["id"], ())):
                place = individuals.index(one["track"]) if "track" in one else number
                subjects.append(Subject(place, _keypoints(one, skeleton), float(one.get("score", 1.0))))
            size = (int(image.get("height") or 0), int(image.get("width") or 0))
            yield PoseFrame(str(image["file_name"]), tuple(subjects), image.get("frame"), image.get("time"), size)

    return PoseTable(skeleton, frames, len(images), individuals, "coco", info.get("video") or "", info.get("rate"))


def _keypoints(entry: dict[str, Any], skeleton: Skeleton) -> Keypoints:
    triples = np.array(entry["keypoints"], np.float64).reshape(len(skeleton), 3)
    known = triples[:, 2] > 0
    points = np.where(known[:, None], triples[:, :2] + OFFSET, np.nan)
    visibility = np.select([triples[:, 2] == 2, known], [Visibility.VISIBLE, Visibility.OCCLUDED]).astype(np.int8)
    sure = np.array(entry.get("confidences", np.ones(len(known))), np.float32)
    return Keypoints(skeleton, points, visibility, sure)
