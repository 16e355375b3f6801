"""Samples -> a data set in COCO's format, which `CocoReader` and other tools read."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import write_json
from gensight.files.images import write_image
from gensight.geometry import box_size, points_box
from gensight.readers.coco.reader import OFFSET
from gensight.readers.coco.rle import encode_mask
from gensight.samples import Instance, Keypoints, Sample, Visibility

IMAGES, ANNOTATIONS = "images", "annotations.json"


def write_coco(
    samples: Iterable[Sample], root: str | Path, images: str = IMAGES, annotations: str = ANNOTATIONS
) -> None:
    """Writes `root/images/KEY.png` and `root/annotations.json`, one sample in memory at a time.

    `images` and `annotations` give the folder and the file other names.

    What COCO's format knows is kept: boxes, keypoints, masks, areas, crowds, categories, ids (new ones where some
    are missing or not unique). Absent keypoints become unlabelled, a missing box the extent of the keypoints, a
    missing area that of the mask or box. Images are PNG, whatever they were.

    Raises:
        DataError: There is no sample; a key leads out of the folder or comes twice; instances of one category have
            different keypoints.
    """
    root = Path(root)
    listed: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    categories: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    folder = root / images
    for number, sample in enumerate(samples, start=1):
        name = image_name(sample)
        if name in names:
            raise DataError(f"two samples would be written to {name}", where=root, hint="keys must differ")
        names.add(name)
        write_image(folder / name, sample.image())
        listed.append({"id": number, "file_name": name, "height": sample.size[0], "width": sample.size[1]})
        for instance in sample.instances or ():
            category = category_of(instance, categories)
            if category["name"] != instance.category:
                raise DataError(f"instances of the category `{instance.category}` have different keypoints")
            entries.append(annotation(instance) | {"image_id": number, "category_id": category["id"]})
    if not listed:
        raise DataError("there are no samples to write", where=root)
    if len({entry["id"] for entry in entries} - {None}) < len(entries):
        entries = [entry | {"id": number} for number, entry in enumerate(entries, start=1)]
    value = {"images": listed, "annotations": entries, "categories": list(categories.values())}
    write_json(root / annotations, value)


def image_name(sample: Sample) -> str:
    """The key as the name of a PNG file below some folder. Raises DataError if it leads out of it."""
    path = PurePosixPath(sample.key)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise DataError(f"the key `{sample.key}` is no file name below a folder")
    return str(path) if path.suffix.lower() == ".png" else f"{path}.png"


def category_of(instance: Instance, categories: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The entry of an instance's category, added to those by name where it is new.

    Subjects of one name with other keypoints are a category of their own, `NAME (SKELETON)`, as COCO needs it.
    """
    skeleton = None if instance.keypoints is None else instance.keypoints.skeleton
    for name in (instance.category, f"{instance.category} ({skeleton.name if skeleton else ''})"):
        category = categories.setdefault(name, {"id": len(categories) + 1, "name": name})
        if skeleton is None:
            break
        names = category.setdefault("keypoints", list(skeleton.keypoints))
        category.setdefault("skeleton", [[a + 1, b + 1] for a, b in skeleton.edges])
        if names == list(skeleton.keypoints):
            break
    return category


def annotation(instance: Instance) -> dict[str, Any]:
    """An instance as an entry of `annotations`, without its image and category; a mask without a pixel is left out."""
    entry: dict[str, Any] = {"id": instance.id, "iscrowd": int(instance.is_crowd)}
    box, area = instance.box, instance.area
    if instance.keypoints is not None:
        entry["keypoints"] = flat_keypoints(instance.keypoints)
        entry["num_keypoints"] = int(instance.keypoints.located.sum())
        if box is None and entry["num_keypoints"]:
            box = points_box(instance.keypoints.points)
    if box is not None:
        entry["bbox"] = [float(box[0]), float(box[1]), *box_size(box)]
    if instance.mask is not None and (mask := instance.mask()).any():
        entry["segmentation"] = encode_mask(mask)
        area = float(mask.sum()) if area is None else area
    if area is None and box is not None:
        area = entry["bbox"][2] * entry["bbox"][3]
    if area is not None:
        entry["area"] = float(area)
    return entry


def flat_keypoints(keypoints: Keypoints) -> list[float]:
    """x, y and flag of each keypoint in turn, as `keypoints` of an annotation; zeros where it is not located."""
    flags = np.select([keypoints.visibility == Visibility.VISIBLE, keypoints.visibility == Visibility.OCCLUDED], [2, 1])
    points = np.where(flags[:, None] > 0, keypoints.points - OFFSET, 0.0)
    return [value for (x, y), flag in zip(points.tolist(), flags.tolist(), strict=True) for value in (x, y, int(flag))]
