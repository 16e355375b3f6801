"""Checks of `datasets check` for any reader: files exist and decode, labels are plausible."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np

from gensight.errors import DataError, FileWarning
from gensight.files.images import VARIABLE, is_turned
from gensight.readers.shared.label_counts import LabelCounts, instance_place, label_problems, named_places
from gensight.readers.shared.label_maps import LabelMask, box_overlap, mask_box
from gensight.samples import Array, Instance, Sample

LEAST_OVERLAP = 0.5  # intersection over union of an object's box and that of its mask
Value = TypeVar("Value")
TURNED = (
    "with an EXIF rotation: labels are read as those of the upright image; if they are of the image as stored, "
    f"set {VARIABLE}=exif=ignore for every command on these images"
)
# Field -> how `Summary.truths` calls it.
_OF_INSTANCES = {"keypoints": "keypoints", "box": "boxes", "mask": "masks", "head_box": "head boxes", "gaze": "gaze",
                 "identity": "identities"}  # fmt: skip
_OF_SAMPLES = {"depth": "depth", "caption": "captions", "label": "labels"}


@dataclass(frozen=True)
class Finding:
    """One finding of `gensight datasets check`: `level` is `error`, `warning` or `note`."""

    level: str
    what: str
    where: str = ""
    count: int = 1

    @classmethod
    def at(cls, level: str, what: str, places: Sequence[str]) -> "Finding":
        """One of several places, of which the first are named."""
        return cls(level, what, named_places(places), len(places))


@dataclass(frozen=True)
class Summary:
    """The contents of a data set: shown by `datasets check` and by `--dry-run`; dropped rows are counted by reason."""

    num_samples: int
    num_instances: int
    truths: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)
    labels: LabelCounts = field(default_factory=LabelCounts)


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
        stream: The reader's samples, where it has a faster way than one by one; the first that fails is the last.
    """
    checks = _Checks()
    for sample in checks.each(build, num_samples) if stream is None else checks.stream(stream):
        checks.sample(sample)
    found = [Finding.at(level, what, places) for (level, what), places in checks.places.items()]
    seen = (num_samples, checks.num_instances, tuple(checks.truths))
    return Summary(*seen, (*findings, *found), dict(dropped or {}), checks.labels)


class _Checks:
    """Places by (level, finding), and what else `Summary` says of the samples."""

    def __init__(self) -> None:
        self.places: dict[tuple[str, str], list[str]] = {}
        self.truths: dict[str, None] = {}
        self.keys: set[str] = set()
        self.num_instances = 0
        self.labels = LabelCounts()

    def each(self, build: Callable[[int], Sample], num_samples: int) -> Iterator[Sample]:
        for index in range(num_samples):
            sample = self.read(partial(build, index), f"sample {index}")
            if sample is not None:
                yield sample

    def stream(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        ahead = iter(samples)
        while (sample := self.read(lambda: next(ahead, None), "")) is not None:
            yield sample

    def note(self, level: str, what: str, where: str, condition: bool | np.bool_ = True) -> None:
        if condition:
            self.places.setdefault((level, what), []).append(where)

    def read(self, read: Callable[[], Value], where: str) -> Value | None:
        """What `read` returns; None where it fails, which is noted, as are warnings on its file."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", FileWarning)
            try:
                return read()
            except DataError as error:
                self.note("error", error.what, error.where or where)
                return None
            finally:
                for message in (one.message for one in caught):
                    if isinstance(message, FileWarning):
                        self.note("warning", message.what, message.where or where)

    def sample(self, sample: Sample) -> None:
        instances, where = sample.instances or (), sample.key
        self.note("error", "key that another sample has too", where, where in self.keys)
        self.keys.add(where)
        image = self.read(sample.image, where)
        if image is not None:
            self.note("error", "image whose size is not the stated one", where, image.shape[:2] != sample.size)
            self.note("warning", "image of a single colour", where, image.size > 3 and image.max() == image.min())
        if image is not None and instances and sample.path is not None:
            self.note("note", f"image {TURNED}", where, is_turned(sample.path))
        depth = None if sample.depth is None else self.read(sample.depth, where)
        if depth is not None:
            self.note("warning", "depth map without a known pixel", where, not np.isfinite(depth.values).any())
        for of, names in ((instances, _OF_INSTANCES), ((sample,), _OF_SAMPLES)):
            known = (name for one in of for key, name in names.items() if getattr(one, key) is not None)
            self.truths |= dict.fromkeys(known)
        self.num_instances += len(instances)
        for instance in instances:
            self.instance(instance, sample)

    def instance(self, instance: Instance, sample: Sample) -> None:
        for what, where in label_problems(instance, sample):
            self.note("warning", what, where)
        if isinstance(instance.mask, LabelMask):
            self.mask(instance.mask, instance.box, instance_place(sample, instance))
        self.labels.add(instance)

    def mask(self, read: LabelMask, box: Array | None, where: str) -> None:
        mask = self.read(read, where)
        seen = None if mask is None else mask_box(mask)
        self.note("note", "mask without a pixel", where, mask is not None and seen is None)
        if seen is not None and box is not None:
            apart = box_overlap(seen, box) < LEAST_OVERLAP
            self.note("warning", "mask that lies elsewhere than its box", where, apart)
