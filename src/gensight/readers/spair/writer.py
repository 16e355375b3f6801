"""Samples -> an SPair-71k folder, which `SpairReader` and other tools read."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import write_json, write_text
from gensight.files.images import write_image
from gensight.geometry import box_size, points_box
from gensight.readers.shared.listings import plain_names
from gensight.readers.spair.reader import NUM_PARTS, OFFSET, Part
from gensight.samples import Instance, Sample, Visibility


def write_spair(
    samples: Iterable[Sample], root: str | Path, part: Part = "trn", image_suffix: str = ".jpg"
) -> list[tuple[str, str]]:
    """Writes one part of an SPair folder: images, and pairs of neighbours among the images of a class.

    A sample stands for its largest instance that has keypoints; samples without one are left out. Its visible keypoints
    are the parts. Each image is paired with the next one of its class, if both show a common part.

    Args:
        samples: With keypoints of at most 30 names.
        root: The folder; a second call with another part adds to it.
        part: `trn`, `val` or `test`.
        image_suffix: `.jpg`, as SPair has it, or `.png`, which keeps pixels exactly.

    Returns:
        The keys of the pairs, `CLASS/NAME`.

    Raises:
        DataError: No two samples make a pair, or a subject has more than 30 keypoints.
    """
    root = Path(root)
    subjects = [(sample, one) for sample in samples if (one := _subject(sample)) is not None]
    kinds: dict[str, list[tuple[Sample, Instance]]] = {}
    for sample, one in subjects:
        kinds.setdefault(one.category, []).append((sample, one))
    pairs: list[str] = []
    keys: list[tuple[str, str]] = []
    for kind, members in kinds.items():
        # A hyphen parts the names of a pair.
        keyed = [replace(sample, key=sample.key.removeprefix(f"{kind}/").replace("-", "_")) for sample, _ in members]
        named = [(name, *member) for name, member in zip(plain_names(keyed), members, strict=True)]
        for name, sample, one in named:
            write_image(root / "JPEGImages" / kind / f"{name}{image_suffix}", sample.image())
            write_json(root / "ImageAnnotation" / kind / f"{name}.json", _image(f"{name}{image_suffix}", sample, one))
        for first, second in pairwise(named):
            value = _pair(first, second, image_suffix) | {"category": kind, "pair_id": len(pairs) + 1}
            if value["kps_ids"]:
                pairs.append(f"{len(pairs) + 1:06d}-{first[0]}-{second[0]}:{kind}")
                keys.append((f"{kind}/{first[0]}", f"{kind}/{second[0]}"))
                write_json(root / "PairAnnotation" / part / f"{pairs[-1]}.json", value | {"filename": pairs[-1]})
    if not pairs:
        raise DataError("no two samples show the same keypoint of one class", where=root)
    write_text(root / "Layout" / "large" / f"{part}.txt", "".join(f"{row}\n" for row in pairs))
    return keys


def _subject(sample: Sample) -> Instance | None:
    """The largest instance with keypoints."""
    found = [one for one in sample.instances or () if one.keypoints is not None and one.keypoints.located.any()]
    if any(one.keypoints is not None and len(one.keypoints.skeleton) > NUM_PARTS for one in found):
        raise DataError(f"a subject with more than {NUM_PARTS} keypoints", where=sample.key)
    return max(found, key=lambda one: np.prod(box_size(_box(one))), default=None)


def _box(one: Instance) -> Any:
    assert one.keypoints is not None
    return points_box(one.keypoints.points) if one.box is None else one.box


def _parts(one: Instance) -> dict[int, list[float]]:
    """Number -> [x, y] of the parts that are seen."""
    assert one.keypoints is not None
    seen = np.flatnonzero(one.keypoints.visibility == Visibility.VISIBLE)
    return {int(number): (one.keypoints.points[number] - OFFSET).tolist() for number in seen}


def _image(file_name: str, sample: Sample, one: Instance) -> dict[str, Any]:
    parts = _parts(one)
    return {
        "filename": file_name,
        "image_width": sample.size[1],
        "image_height": sample.size[0],
        "image_depth": 3,
        "category": one.category,
        "bndbox": list(_box(one)),
        "kps": {str(number): parts.get(number) for number in range(NUM_PARTS)},
    }


def _pair(
    first: tuple[str, Sample, Instance], second: tuple[str, Sample, Instance], image_suffix: str
) -> dict[str, Any]:
    a, b = _parts(first[2]), _parts(second[2])
    common = sorted(set(a) & set(b))
    value: dict[str, Any] = {"kps_ids": [str(number) for number in common], "mirror": 0}
    for side, (name, sample, one), parts in (("src", first, a), ("trg", second, b)):
        value |= {
            f"{side}_imname": f"{name}{image_suffix}",
            f"{side}_imsize": [sample.size[1], sample.size[0], 3],
            f"{side}_bndbox": list(_box(one)),
            f"{side}_kps": [parts[number] for number in common],
        }
    return value
