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
    """bool (height, width) mask of a `segmentation` entry: polygons, plain or compressed runs.

    Raises:
        ValueError: It is none of these, or of another size.
    """
    if isinstance(segmentation, Mapping):
        if tuple(segmentation["size"]) != size:
            raise ValueError(f"the mask's size is {segmentation['size']}, its image's {list(size)}")
        counts = segmentation["counts"]
        return runs_to_mask(decompress(counts) if isinstance(counts, str) else counts, size)
    if not isinstance(segmentation, list):
        raise ValueError("neither polygons nor runs")
    mask = np.zeros(size, dtype=bool)
    for polygon in segmentation:
        mask |= polygon_to_mask(polygon, size)
    return mask


def encode_mask(mask: Array) -> dict[str, Any]:
    """The compressed runs of a bool (height, width) mask, as a `segmentation` entry."""
    return {"size": list(mask.shape), "counts": compress(mask_to_runs(mask))}


def runs_to_mask(counts: Sequence[int], size: Size) -> Array:
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
    """Counts from COCO's text form."""
    counts: list[int] = []
    value, shift = 0, 0
    for character in text:
        group = ord(character) - 48
        value |= (group & 0x1F) << shift
        shift += 5
        if group & 0x20:
            continue
        if group & 0x10:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value, shift = 0, 0
    return counts


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


def polygon_to_mask(polygon: Sequence[float], size: Size) -> Array:
    """bool (height, width): the pixels of a polygon [x, y, x, y, ...], the same ones as COCO's own tools take.

    The outline is traced on the fine grid. Wherever it crosses the middle of a pixel column, inside and outside
    swap from there downwards, so the parity of the crossings above a pixel decides which it is.
    """
    height, width = size
    corners = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
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
