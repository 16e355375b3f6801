"""COCO's masks: polygons and run-length encodings, to bool arrays and back.

Runs go down the columns, from the left, and begin with background. Compressed runs are COCO's text form: each count,
from the third on as the difference to the last but one, in groups of 5 bits from the lowest, one character each
(code 48 and up); bit 5 marks that another group follows, bit 4 of the last group is the sign.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gensight.samples import Array, Size

_FINE = 5  # polygons are traced on a grid this many times finer than the pixels, as COCO's tools do


def decode_mask(segmentation: Any, size: Size) -> Array:
    """bool (height, width) mask of a `segmentation` entry, in any form that `read_parts` reads.

    Raises:
        ValueError: It is none of these, or of another size.
    """
    mask = np.zeros(size, dtype=bool)
    for part in read_parts(segmentation, size):
        mask |= runs_to_mask(part, size) if part.ndim == 1 else polygon_to_mask(part, size)
    return mask


def read_parts(segmentation: Any, size: Size | None) -> list[Array]:
    """The polygons, float64 (num_corners, 2), and runs, int64 (num_runs,), of a `segmentation` entry, checked.

    Besides COCO's own forms - a list of polygons, plain or compressed runs - tools write one polygon without the list
    around it, a list of runs, and runs without their size: these mean the same.

    Args:
        segmentation: What the json holds.
        size: (height, width) of the image; None if unknown.

    Raises:
        ValueError: It is none of these, or runs of another size.
    """
    if isinstance(segmentation, Mapping):
        return [_runs(segmentation, size)]
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError("neither polygons nor runs")
    if not isinstance(segmentation[0], list | Mapping):
        segmentation = [segmentation]
    return [_runs(part, size) if isinstance(part, Mapping) else _polygon(part) for part in segmentation]


def _polygon(numbers: Any) -> Array:
    try:
        corners = np.array(numbers, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError("a polygon is a list of numbers x, y, x, y ...") from error
    if corners.ndim == 2 and corners.shape[1] == 2:  # a list for each corner
        corners = corners.reshape(-1)
    if corners.ndim != 1 or len(corners) % 2:
        raise ValueError(f"a polygon of {corners.size} numbers, which are not pairs x, y")
    if len(corners) < 6:
        raise ValueError(f"a polygon of {len(corners) // 2} corners, which encloses nothing")
    if not np.isfinite(corners).all():
        raise ValueError("a polygon with a corner that is not finite")
    return corners.reshape(-1, 2)


def _runs(segmentation: Mapping[str, Any], size: Size | None) -> Array:
    stated, counts = segmentation.get("size"), segmentation.get("counts")
    if stated is not None:
        try:
            height, width = (int(side) for side in stated)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the mask's size is {stated}, not height and width") from error
        if size is not None and (height, width) != size:
            raise ValueError(f"the mask's size is {stated}, its image's {list(size)}")
        size = height, width
    try:
        runs = np.array(decompress(counts) if isinstance(counts, str) else counts, dtype=np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("`counts` are neither runs nor their compressed text") from error
    if runs.ndim != 1:
        raise ValueError("`counts` are neither runs nor their compressed text")
    if size is not None and (runs.sum() != size[0] * size[1] or (runs < 0).any()):
        raise ValueError(f"runs of {runs.sum()} pixels for an image of {size[0] * size[1]}")
    return runs


def encode_mask(mask: Array) -> dict[str, Any]:
    """The compressed runs of a bool (height, width) mask, as a `segmentation` entry."""
    return {"size": list(mask.shape), "counts": compress(mask_to_runs(mask))}


def runs_to_mask(counts: Sequence[int] | Array, size: Size) -> Array:
    """bool (height, width) from alternating counts of background and foreground. Raises ValueError unless they fit."""
    runs = np.asarray(counts, dtype=np.int64)
    if runs.sum() != size[0] * size[1] or (runs < 0).any():
        raise ValueError(f"runs of {runs.sum()} pixels for an image of {size[0] * size[1]}")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(size[1], size[0]).T


def mask_to_runs(mask: Array) -> list[int]:
    """Alternating counts of background and foreground of a bool (height, width) mask."""
    flat = np.concatenate([[False], mask.T.reshape(-1), [False]])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    if len(changes) == 0 or changes[-1] < mask.size:  # the last run is background
        changes = np.append(changes, mask.size)
    return np.diff(changes, prepend=0).tolist()


def decompress(text: str) -> list[int]:
    """Counts from COCO's text form. Raises ValueError for another text."""
    if not text:
        return []
    codes = np.frombuffer(text.encode(), np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero((codes & 0x20) == 0)
    if codes.min() < 0 or codes.max() > 63 or ends[-1:].tolist() != [len(codes) - 1]:
        raise ValueError("no compressed runs")
    place = np.arange(len(codes)) - np.repeat(np.append(0, ends[:-1] + 1), np.diff(ends, prepend=-1))
    if place.max() > 9:
        raise ValueError("compressed runs longer than any image")
    counts = np.add.reduceat((codes & 0x1F) << (5 * place), np.append(0, ends[:-1] + 1))
    counts -= np.where(codes[ends] & 0x10, 1 << (5 * (place[ends] + 1)), 0)
    for first in (1, 2):  # differences to the last but one, from the third on
        counts[first::2] = np.cumsum(counts[first::2])
    return counts.tolist()


def compress(counts: Sequence[int]) -> str:
    """COCO's text form of counts."""
    characters = []
    for index, count in enumerate(counts):
        value = count - (counts[index - 2] if index > 2 else 0)
        while True:
            group = value & 0x1F
            value >>= 5
            done = value == (-1 if group & 0x10 else 0)
            characters.append(chr(48 + (group if done else group | 0x20)))
            if done:
                break
    return "".join(characters)


def polygon_to_mask(polygon: Sequence[float] | Array, size: Size) -> Array:
    """bool (height, width): the pixels of a polygon [x, y, x, y, ...], the same ones as COCO's own tools take.

    A polygon that leaves the image by more than the image's longer side is clipped first: time and memory follow the
    image, not the coordinates.

    The outline is traced on the fine grid. Wherever it crosses the middle of a pixel column, inside and outside
    swap from there downwards, so the parity of the crossings above a pixel decides which it is.
    """
    height, width = size
    corners = _clipped(np.asarray(polygon, dtype=np.float64).reshape(-1, 2), max(size))
    u, v = _trace((corners * _FINE + 0.5).astype(np.int64))
    step = np.flatnonzero(u[1:] != u[:-1])
    x = (np.minimum(u[step], u[step + 1]) + 0.5) / _FINE - 0.5
    y = np.ceil(np.clip((np.minimum(v[step], v[step + 1]) + 0.5) / _FINE - 0.5, 0, height))
    middle = (np.floor(x) == x) & (x >= 0) & (x <= width - 1)
    crossings = (x[middle] * height + y[middle]).astype(np.int64)
    flat = np.zeros(height * width + 1, dtype=bool)
    if len(crossings):
        low = crossings.min()
        parity = np.cumsum(np.bincount(crossings - low)) & 1
        flat[low : low + len(parity)] = parity  # even after the last crossing, so background
    return flat[:-1].reshape(width, height).T


def _clipped(corners: Array, margin: int) -> Array:
    """A polygon within -margin ... 2 margin, by cutting it at each side in turn; unchanged where it lies within."""
    for axis, sign, limit in ((0, 1, -margin), (0, -1, -2 * margin), (1, 1, -margin), (1, -1, -2 * margin)):
        depth = sign * corners[:, axis] - limit
        if (depth >= 0).all():
            continue
        kept = []
        for here, there, inner, outer in zip(corners, np.roll(corners, -1, 0), depth, np.roll(depth, -1), strict=True):
            if inner >= 0:
                kept.append(here)
            if (inner >= 0) != (outer >= 0):  # measured from the end that is kept, which is the exact one
                start, stop, near, far = (here, there, inner, outer) if inner >= 0 else (there, here, outer, inner)
                kept.append(start + (stop - start) * (near / (near - far)))
        corners = np.array(kept).reshape(-1, 2)
    return corners


def _trace(corners: Array) -> tuple[Array, Array]:
    """Integer points along the closed outline: every edge's, including both ends, in order."""
    following = np.roll(corners, -1, axis=0)
    length = np.abs(following - corners).max(1)  # steps along the longer side
    edge = np.repeat(np.arange(len(corners)), length + 1)
    along = np.arange(len(edge)) - np.repeat(np.cumsum(length + 1) - (length + 1), length + 1)
    extent = np.abs(following - corners)
    wide = extent[:, 0] >= extent[:, 1]
    main = np.where(wide, 0, 1)
    rows = np.arange(len(corners))
    # Edges are traced from their lower end along the longer side, so that both directions round alike.
    turned = corners[rows, main] > following[rows, main]
    start = np.where(turned[:, None], following, corners)
    stop = np.where(turned[:, None], corners, following)
    slope = (stop - start)[rows, 1 - main] / np.maximum(length, 1)
    place = np.where(turned[edge], length[edge] - along, along)
    longer = start[rows, main][edge] + place
    shorter = (start[rows, 1 - main][edge] + slope[edge] * place + 0.5).astype(np.int64)
    return np.where(wide[edge], longer, shorter), np.where(wide[edge], shorter, longer)
