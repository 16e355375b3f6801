"""The files of an RGB-D folder: depth images, poses and intrinsics, checked as they are read."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from gensight.errors import DataError
from gensight.readers.shared.listings import numbers, read_text
from gensight.samples import Array

MILLIMETRES = 0.001
PLAUSIBLE = (0.1, 100.0)  # metres: range of plausible median depths of an image
_UNITS = {MILLIMETRES: "millimetres", 1.0: "metres", 0.0001: "tenths of millimetres", 0.0002: "5000 to the metre",
          0.01: "centimetres"}  # fmt: skip
_PINHOLE = "write fx 0 cx / 0 fy cy / 0 0 1, in pixels of the depth image"
_RIGID = 0.02  # how far a pose's axes may be from unit length and right angles


def read_depth_image(path: Path) -> Array:
    """uint16 (height, width), the numbers of a depth image.

    Raises:
        DataError: The file is missing, broken, or holds other than 16-bit grey.
    """
    data = np.frombuffer(_bytes(path), dtype=np.uint8)
    values = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if values is None:
        raise DataError("cannot be read as a depth image", where=path, hint="is the file truncated? Replace it")
    if values.ndim != 2 or values.dtype != np.uint16:
        found = f"{values.dtype.itemsize * 8} bits and {1 if values.ndim == 2 else values.shape[2]} channel(s)"
        hint = "depth is a PNG of one channel with 16 bits; 8 bits hold a picture of it, not the depth"
        raise DataError(f"a depth image with {found}", where=path, hint=hint)
    return np.asarray(values)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError("depth image not found", where=path) from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from error


def to_metres(values: Array, unit: float) -> Array:
    """float32 metres, NaN where nothing was measured."""
    depth = values.astype(np.float32) * np.float32(unit)
    depth[_unmeasured(values)] = np.nan
    return depth


def _unmeasured(values: Array) -> Array:
    """bool: where a sensor measured nothing, which it writes as 0 or 65535."""
    return np.asarray((values == 0) | (values == 65535))


def check_unit(paths: list[Path], unit: float) -> None:
    """Rejects a unit that makes the median depth of some images implausible.

    Raises:
        DataError: Naming the median and the units that would make it plausible.
    """
    known = np.concatenate([values[~_unmeasured(values)] for values in map(read_depth_image, paths)])
    if not len(known):
        return
    median = float(np.median(known))
    low, high = PLAUSIBLE
    if low <= median * unit <= high:
        return
    likely = [f"{other:g} ({name})" for other, name in _UNITS.items() if low <= median * other <= high]
    raise DataError(
        f"a depth unit of {unit:g} m makes the median depth {median * unit:.4g} m, outside of {low:g} to {high:g} m",
        where=paths[0], hint=f"set the depth unit to what the numbers count: {' or '.join(likely) or 'unknown'}",
    )  # fmt: skip


def read_pose(path: Path) -> Array | None:
    """float64 (4, 4), camera to world; None where tracking was lost (a number that is not finite).

    Raises:
        DataError: The file is missing, doesn't hold 16 numbers, or they are no rigid motion.
    """
    pose = np.array(numbers(read_text(path), 16, path, "a pose")).reshape(4, 4)
    if not np.isfinite(pose).all():
        return None
    turn = pose[:3, :3]
    if np.abs(turn @ turn.T - np.eye(3)).max() > _RIGID or np.abs(pose[3] - [0, 0, 0, 1]).max() > 1e-6:
        hint = "a pose is a 4 x 4 matrix, camera to world: a rotation, a translation in metres, and 0 0 0 1"
        raise DataError("a pose that is no rigid motion", where=path, hint=hint)
    if np.linalg.det(turn) < 0:
        raise DataError("a pose that mirrors", where=path, hint="axes are x right, y down, z forward")
    return pose


def read_intrinsics(path: Path) -> Array:
    """float64 (3, 3) in continuous pixels; the file counts from 0 at the centre of the first pixel.

    Raises:
        DataError: The file is missing or doesn't hold the nine numbers of a pinhole camera.
    """
    values = np.array(numbers(read_text(path), 9, path, "intrinsics")).reshape(3, 3)
    zeros = (values[0, 1], values[1, 0], values[2, 0], values[2, 1])
    if any(zeros) or values[2, 2] != 1:
        raise DataError("no intrinsics of a pinhole camera", where=path, hint=_PINHOLE)
    return pinhole((values[0, 0], values[1, 1], values[0, 2], values[1, 2]), path)


def pinhole(values: Sequence[float], where: Path) -> Array:
    """float64 (3, 3) in continuous pixels, from fx, fy, cx, cy that count as files do. Raises DataError as above."""
    fx, fy, cx, cy = values
    if not np.isfinite(values).all() or fx <= 0 or fy <= 0:
        raise DataError("no intrinsics of a pinhole camera", where=where, hint=_PINHOLE)
    return np.array([[fx, 0, cx + 0.5], [0, fy, cy + 0.5], [0, 0, 1]], dtype=np.float64)
