"""Pairs of a colour and a depth image, named by rows of a list; depth as PNG of 16 bits."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import DataError
from gensight.files.images import image_size
from gensight.readers.rgbd.frames import MILLIMETRES, read_depth_image, to_metres
from gensight.readers.shared.listings import MISSING_HINT, Missing, image_sample, read_list
from gensight.samples import Depth, Sample, Size


def read_depth_png(path: Path, size: Size, rotated: bool = False, farthest: float | None = None) -> Depth:
    """Metric depth, NaN where nothing was measured, of a PNG in millimetres with the same view as its colour image.

    Args:
        path: The PNG.
        size: (height, width) of the colour image. DataError if the PNG has another, or is broken.
        rotated: Whether the number's lowest three bits were moved to the top, as SUN RGB-D stores them.
        farthest: Depths beyond it, in metres, become it; None leaves them.
    """
    steps = read_depth_image(path)
    if steps.shape != size:
        what = f"the depth image is {steps.shape[0]} x {steps.shape[1]} (height x width)"
        raise DataError(f"{what}, but its colour image is {size[0]} x {size[1]}", where=path)
    if rotated:
        steps = (steps >> np.uint16(3)) | (steps << np.uint16(13))
    metres = to_metres(steps, MILLIMETRES)
    return Depth(metres if farthest is None else np.minimum(metres, np.float32(farthest)), "metric")


@dataclass(frozen=True)
class DepthPair:
    """A colour image and its depth image, as paths below a root."""

    colour: str
    depth: str


def read_pairs(path: Path, root: Path, missing: Missing) -> tuple[list[DepthPair], dict[str, int]]:
    """The rows of a list: a colour image, a depth image, and what else there may be (a focal length).

    Rows whose depth is `None` have none and are dropped. Leading slashes refer to `root`.

    Raises:
        DataError: A row names fewer than two files, or files are missing and that is an error.
    """
    pairs: list[DepthPair] = []
    dropped: dict[str, int] = {}
    for number, line in enumerate(read_list(path), start=1):
        words = [word.lstrip("/\\") for word in line.split()]
        if len(words) < 2:
            hint = "rows are a colour image, a depth image and perhaps a focal length"
            raise DataError(f"no pair of files: {line}", where=f"{path}, row {number}", hint=hint)
        if words[1] == "None":
            dropped["no depth image"] = dropped.get("no depth image", 0) + 1
            continue
        pair = DepthPair(words[0], words[1])
        absent = next((name for name in (pair.colour, pair.depth) if not (root / name).is_file()), None)
        if absent is None:
            pairs.append(pair)
        elif missing == "error":
            raise DataError(f"file not found: {absent}", where=f"{path}, row {number}", hint=MISSING_HINT)
        else:
            dropped["files missing"] = dropped.get("files missing", 0) + 1
    if not pairs:
        raise DataError("the list has no pair whose files are there", where=path, hint="check the folder")
    return pairs, dropped


def pair_sample(root: Path, pair: DepthPair, group: str, label: str | None = None, **packing: Any) -> Sample:
    """The sample of a pair; its key is the colour image's path without suffix. `packing`: as for `read_depth_png`."""
    path = root / pair.colour
    size = image_size(path)
    depth = partial(read_depth_png, root / pair.depth, size, **packing)
    return image_sample(pair.colour.rpartition(".")[0], path, size, depth=depth, group=group, label=label)
