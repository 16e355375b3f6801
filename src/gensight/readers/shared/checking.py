"""Checks of `datasets check` for any reader: files exist and decode, labels are plausible."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from gensight.errors import DataError
from gensight.geometry import inside
from gensight.readers.base import Finding, Summary
from gensight.readers.shared.label_maps import LabelMask, box_overlap, mask_box
from gensight.samples import Instance, Sample

SHOWN = 3  # examples named for each kind of finding
LEAST_OVERLAP = 0.5  # intersection over union of an object's box and that of its mask


def check_samples(
    build: Callable[[int], Sample],
    num_samples: int,
    findings: Iterable[Finding] = (),
    dropped: Mapping[str, int] | None = None,
    stream: Iterable[Sample] | None = None,
) -> Summary:
    """Reads every sample with its pixels and reports; never raises for what is wrong with them.

    Depth maps and masks that are files of their own are read too. (Masks within a label file are not: decoding those of
    a large one takes longer than all its images.)

    Args:
        build: `Reader.sample`.
        num_samples: `len` of the reader.
        findings: What the reader already knows.
        dropped: Rows that opening left out, by reason.
        stream: The reader's samples, where it has a faster way than one by one.
    """
    tally: dict[tuple[str, str], list[str]] = {}
    truths: dict[str, None] = {}
    num_instances = 0
    seen: set[str] = set()
    for key, sample in _each(build, num_samples, stream, tally):
        _note(tally, "error", "key that another sample has too", key, key in seen)
        seen.add(key)
        _check_image(sample, tally)
        _check_depth(sample, tally)
        truths.update(dict.fromkeys(_truths(sample)))
        for instance in sample.instances or ():
            num_instances += 1
            _check_instance(instance, sample, tally)
    found = [
        Finding(level, what, "; ".join(places[:SHOWN]) + (" ..." if len(places) > SHOWN else ""), len(places))
        for (level, what), places in tally.items()
    ]
    return Summary(num_samples, num_instances, tuple(truths), (*findings, *found), dict(dropped or {}))


def _each(
    build: Callable[[int], Sample],
    num_samples: int,
    stream: Iterable[Sample] | None,
    tally: dict[tuple[str, str], list[str]],
) -> Iterator[tuple[str, Sample]]:
    """The samples that can be built; the others are noted."""
    if stream is not None:
        try:
            for sample in stream:
                yield sample.key, sample
        except DataError as error:
            _note(tally, "error", error.what, error.where or "")
        return
    for index in range(num_samples):
        try:
            sample = build(index)
        except DataError as error:
            _note(tally, "error", error.what, error.where or f"sample {index}")
            continue
        yield sample.key, sample


def _note(
    tally: dict[tuple[str, str], list[str]], level: str, what: str, where: str, condition: bool | np.bool_ = True
) -> None:
    if condition:
        tally.setdefault((level, what), []).append(where)


def _check_image(sample: Sample, tally: dict[tuple[str, str], list[str]]) -> None:
    try:
        image = sample.image()
    except DataError as error:
        _note(tally, "error", error.what, error.where or sample.key)
        return
    _note(tally, "error", "image whose size is not the stated one", sample.key, image.shape[:2] != sample.size)
    _note(tally, "warning", "image of a single colour", sample.key, image.size > 3 and image.max() == image.min())


def _check_depth(sample: Sample, tally: dict[tuple[str, str], list[str]]) -> None:
    if sample.depth is None:
        return
    try:
        known = np.isfinite(sample.depth().values)
    except DataError as error:
        _note(tally, "error", error.what, error.where or sample.key)
        return
    _note(tally, "warning", "depth map without a known pixel", sample.key, not known.any())


def _check_mask(instance: Instance, where: str, tally: dict[tuple[str, str], list[str]]) -> None:
    if not isinstance(instance.mask, LabelMask):
        return
    try:
        seen = mask_box(instance.mask())
    except DataError as error:
        _note(tally, "error", error.what, error.where or where)
        return
    _note(tally, "note", "mask without a pixel", where, seen is None)
    if seen is not None and instance.box is not None:
        apart = box_overlap(seen, instance.box) < LEAST_OVERLAP
        _note(tally, "warning", "mask that lies elsewhere than its box", where, apart)


def _check_instance(instance: Instance, sample: Sample, tally: dict[tuple[str, str], list[str]]) -> None:
    where = sample.key if instance.id is None else f"{sample.key}, annotation {instance.id}"
    if instance.identity is not None:
        where += f", {instance.identity}"
    if instance.box is not None:
        x0, y0, x1, y1 = instance.box
        _note(tally, "warning", "box without an area", where, x1 <= x0 or y1 <= y0)
        corners = instance.box.reshape(2, 2)
        _note(tally, "warning", "box that leaves the image by more than a pixel", where,
              not _near(corners, sample))  # fmt: skip
    _check_mask(instance, where, tally)
    keypoints = instance.keypoints
    if keypoints is None:
        return
    outside = keypoints.located & ~inside(keypoints.points, sample.size)
    names = [keypoints.skeleton.keypoints[index] for index in np.flatnonzero(outside)]
    _note(tally, "warning", "keypoint outside its image", f"{where}: {', '.join(names)}", bool(names))
    located = keypoints.points[keypoints.located]
    piled = len(located) > 1 and len(np.unique(located, axis=0)) == 1
    _note(tally, "warning", "subject whose keypoints all lie on one point", where, piled)


def _near(points: np.ndarray, sample: Sample) -> bool:
    height, width = sample.size
    return bool(inside(points + 1, (height + 2, width + 2)).all())


def _truths(sample: Sample) -> Iterator[str]:
    """Names of what is known of a sample, as `Summary.truths` lists them."""
    for instance in sample.instances or ():
        if instance.keypoints is not None:
            yield "keypoints"
        if instance.box is not None:
            yield "boxes"
        if instance.mask is not None:
            yield "masks"
        if instance.head_box is not None:
            yield "head boxes"
        if instance.gaze is not None:
            yield "gaze"
        if instance.identity is not None:
            yield "identities"
    if sample.depth is not None:
        yield "depth"
    if sample.caption is not None:
        yield "captions"
    if sample.label is not None:
        yield "labels"
