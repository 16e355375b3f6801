"""Samples -> an RGB-D folder in the layout of 7-Scenes, which `RgbdReader` and other tools read."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from gensight.errors import DataError
from gensight.files.atomic import atomic_path, write_text
from gensight.files.images import write_image
from gensight.readers.rgbd.frames import MILLIMETRES
from gensight.readers.rgbd.reader import COLOUR, DEPTH, INTRINSICS, POSE
from gensight.readers.shared.listings import plain_name
from gensight.samples import Array, Sample

_FARTHEST = 65534  # steps; 65535 means unknown


def write_rgbd(samples: Iterable[Sample], root: str | Path, depth_unit: float = MILLIMETRES) -> None:
    """Writes a folder per group: frames numbered in the order they come in, as colour, depth and pose.

    Poses and intrinsics are taken from `Sample.extras` (`pose`, `intrinsics`, as `RgbdReader` gives them); samples
    without them get none. Depth is rounded to the unit; what is unknown or too far for 16 bits becomes 0.

    Args:
        samples: Each with metric depth.
        root: The folder.
        depth_unit: Metres per step of the depth images.

    Raises:
        DataError: There is no sample, one has no metric depth, a group is there already, or its intrinsics change.
    """
    root = Path(root)
    counts: dict[str, int] = {}
    cameras: dict[str, Array] = {}
    for sample in samples:
        group = plain_name(sample.group)
        folder = root / group
        if group not in counts and folder.exists():
            raise DataError(f"the folder `{group}` is there already", where=folder, hint="groups must differ")
        name = f"frame-{counts.get(group, 0):06d}"
        counts[group] = counts.get(group, 0) + 1
        depth = None if sample.depth is None else sample.depth()
        if depth is None or depth.kind != "metric":
            raise DataError("a sample without metric depth", where=sample.key)
        write_image(folder / f"{name}{COLOUR}.png", sample.image())
        _write_depth(folder / f"{name}{DEPTH}", depth.values, depth_unit)
        if "pose" in sample.extras:
            write_text(folder / f"{name}{POSE}", _rows(sample.extras["pose"]))
        if "intrinsics" in sample.extras:
            camera = np.asarray(sample.extras["intrinsics"]) - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]
            if not np.array_equal(cameras.setdefault(group, camera), camera):
                raise DataError("the intrinsics change within a group", where=sample.key)
            write_text(folder / INTRINSICS, _rows(camera))
    if not counts:
        raise DataError("there are no samples to write", where=root)


def _write_depth(path: Path, depth: Array, unit: float) -> None:
    steps = np.rint(depth.astype(np.float64) / unit)
    steps = np.where(np.isfinite(steps) & (steps <= _FARTHEST), steps, 0).astype(np.uint16)
    with atomic_path(path) as temporary:
        Image.fromarray(steps).save(temporary, format="PNG")


def _rows(matrix: Array) -> str:
    return "".join(" ".join(f"{value:.17g}" for value in row) + "\n" for row in np.asarray(matrix).tolist())
