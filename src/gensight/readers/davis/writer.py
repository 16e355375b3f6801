"""Samples -> a DAVIS folder, which `DavisReader` and other tools read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import write_text
from gensight.files.images import write_image
from gensight.readers.shared.label_maps import write_label_map
from gensight.readers.shared.listings import plain_name
from gensight.samples import Array, Sample


def write_davis(
    samples: Iterable[Sample],
    root: str | Path,
    part: str = "train",
    year: Literal[2016, 2017] = 2017,
    image_suffix: str = ".jpg",
) -> None:
    """Writes one part of a DAVIS folder: a sequence per group, its frames numbered in the order they come in.

    A second call with another part adds to the folder. Kept are masks and identities: an object's number is the order
    in which its identity first shows (instances without one are numbered within their frame). Objects without a mask
    are left out; where masks overlap, the later object's is kept. In the 2016 edition all objects of a frame are one.

    Args:
        samples: At least one.
        root: The folder.
        part: Name of the list.
        year: Edition.
        image_suffix: `.jpg`, as DAVIS has it, or `.png`, which keeps pixels exactly.

    Raises:
        DataError: There is no sample, a sequence is there already, or has more than 254 objects.
    """
    root = Path(root)
    sequences: dict[str, int] = {}  # sequence -> number of its frames so far
    numbers: dict[str, dict[str, int]] = {}
    for sample in samples:
        sequence = plain_name(sample.group)
        images, labels = (root / kind / "480p" / sequence for kind in ("JPEGImages", "Annotations"))
        if sequence not in sequences and images.exists():
            raise DataError(f"the sequence `{sequence}` is there already", where=images, hint="groups must differ")
        frame = sequences.get(sequence, 0)
        sequences[sequence] = frame + 1
        write_image(images / f"{frame:05d}{image_suffix}", sample.image())
        if sample.instances is not None:
            values = _labels(sample, numbers.setdefault(sequence, {}))
            if year == 2016:
                write_image(labels / f"{frame:05d}.png", np.where(values, 255, 0).astype(np.uint8))
            else:
                write_label_map(labels / f"{frame:05d}.png", values)
    if not sequences:
        raise DataError("there are no samples to write", where=root)
    write_text(root / "ImageSets" / str(year) / f"{part}.txt", "".join(f"{name}\n" for name in sequences))


def _labels(sample: Sample, known: dict[str, int]) -> Array:
    """uint8 (height, width): each pixel's object; `known`, identity -> number, grows."""
    labels = np.zeros(sample.size, dtype=np.uint8)
    for place, one in enumerate(sample.instances or ()):
        if one.mask is None:
            continue
        number = known.setdefault(one.identity or f"#{place}", len(known) + 1)
        if number > 254:
            raise DataError("a sequence of more than 254 objects", where=sample.group)
        labels[one.mask()] = number
    return labels
