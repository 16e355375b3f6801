"""Samples -> an AP-10K folder, which `Ap10kReader` and other tools read."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from gensight.errors import DataError
from gensight.readers.ap10k.reader import ANNOTATIONS, IMAGES, Part, file_name
from gensight.readers.coco.writer import write_coco
from gensight.samples import Instance, Sample
from gensight.skeletons import ANIMAL_17, Skeleton

_NAMES = tuple("root_of_tail" if name == "tail_root" else name for name in ANIMAL_17.keypoints)
_AP10K = Skeleton("ap10k-17", _NAMES, ANIMAL_17.edges, ANIMAL_17.mirror, ANIMAL_17.sigmas)


def write_ap10k(
    samples: Iterable[Sample],
    root: str | Path,
    part: Part = "train",
    split: Literal[1, 2, 3] = 1,
) -> None:
    """Writes one part of an AP-10K folder; a second call with another part adds to it. Images are PNG.

    Raises:
        DataError: As `write_coco`; also if an instance has keypoints of another skeleton than `animal-17`.
    """
    root = Path(root)
    write_coco(_renamed(samples), root, images=IMAGES, annotations=f"{ANNOTATIONS}/{file_name(part, split)}")


def _renamed(samples: Iterable[Sample]) -> Iterator[Sample]:
    """The samples, whose keypoints are called as AP-10K calls them."""
    for sample in samples:
        yield replace(sample, instances=tuple(_renamed_instance(one, sample) for one in sample.instances or ()))


def _renamed_instance(one: Instance, sample: Sample) -> Instance:
    if one.keypoints is None:
        return one
    if one.keypoints.skeleton.keypoints != ANIMAL_17.keypoints:
        what = f"AP-10K holds animals: keypoints of `{one.keypoints.skeleton.name}` don't fit"
        raise DataError(what, where=sample.key, hint="generate them with --subjects animals")
    return replace(one, keypoints=replace(one.keypoints, skeleton=_AP10K))
