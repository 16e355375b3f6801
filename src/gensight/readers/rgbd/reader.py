"""RGB-D folders: colour, metric depth, camera poses; correspondences by reprojection.

The layout, which is that of 7-Scenes: NAME.color.png or .jpg, NAME.depth.png (16-bit grey, in millimetres by
default; 0 and 65535 where nothing was measured), NAME.pose.txt (4 x 4, depth camera to world, metres; axes x right,
y down, z forward), and camera-intrinsics.txt (3 x 3, of the depth image, 0 at the centre of its first pixel) in the
same folder or above it. Each folder of frames is a group, in which time is the order of names.

Colour and depth are taken to show the same view, at whatever sizes, unless the colour camera is given. In 7-Scenes it
must be: those frames come from the two cameras of a Kinect and are not registered (30 pixels apart in the corners).
Its makers' `colour_intrinsics` (525, 525, 320, 240) and a `colour_offset` of (-0.025, 0, 0) put them right.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import DataError
from gensight.files.images import image_size
from gensight.geometry import inside
from gensight.readers.base import Reader
from gensight.readers.rgbd.frames import (
    MILLIMETRES,
    check_unit,
    pinhole,
    read_depth_image,
    read_intrinsics,
    read_pose,
    to_metres,
)
from gensight.readers.rgbd.reprojection import Rig, back_project, followable, grid_points, register, visible
from gensight.readers.shared.checking import Finding
from gensight.readers.shared.listings import image_sample, require_folder
from gensight.samples import Array, Depth, Provenance, Relation, Sample, Size

COLOUR, DEPTH, POSE, INTRINSICS = ".color", ".depth.png", ".pose.txt", "camera-intrinsics.txt"
GRID = (24, 32)  # rows and columns of the points that are followed from frame to frame
TOLERANCE = 0.04  # relative difference of depths at which a point counts as hidden
_SUFFIXES = (".png", ".jpg", ".jpeg")
_CACHED_VIEWS = 16
_LOOKED_AT = 3  # depth images that are checked when the folder is opened
_REPROJECTED = Provenance("reprojection@1")


def _read_depth(path: Path, unit: float, size: Size, rig: Rig | None) -> Depth:
    """A depth image as its colour image sees the scene. `rig` is None where the cameras are unknown."""
    values = to_metres(read_depth_image(path), unit)
    return Depth(register(values, rig or _same_view(values.shape, size), size), "metric")


@dataclass(frozen=True, eq=False)
class _Frame:
    """Files of one frame; `pose` and `intrinsics` (of the depth image) are None where unknown."""

    key: str
    group: str
    colour: Path
    depth: Path
    pose: Array | None
    intrinsics: Array | None


class RgbdReader(Reader):
    """The frames of an RGB-D folder and of the folders in it, in order.

    Keys are paths without suffixes (`seq-01/frame-000000`). `Sample.depth` is metric; `Sample.extras` holds `pose`,
    float64 (4, 4) colour camera to world, and `intrinsics`, float64 (3, 3) in continuous pixels of the colour image,
    where they are known. `relation` follows a grid of points from one frame of a group to another. Frames whose pose
    is missing or not finite (tracking lost) have depth, but no relations.

    Args:
        root: The folder.
        depth_unit: Metres per step of the depth images.
        intrinsics: (fx, fy, cx, cy) of the depth camera as `camera-intrinsics.txt` counts, where there is no such file.
        colour_intrinsics: The same of the colour camera, where it isn't registered with the depth.
        colour_offset: (x, y, z) in metres: a point's coordinates in the colour camera minus those in the depth camera.

    Raises:
        DataError: Naming the folder or file that is wrong; also for depths that no scene has in this unit.
    """

    name = "rgbd"

    def __init__(
        self,
        root: str | Path,
        depth_unit: float = MILLIMETRES,
        intrinsics: Sequence[float] | None = None,
        colour_intrinsics: Sequence[float] | None = None,
        colour_offset: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> None:
        self.root = Path(root)
        self.depth_unit = depth_unit
        require_folder(self.root, "folder")
        self._colour = None if colour_intrinsics is None else pinhole(colour_intrinsics, self.root)
        self._offset = np.array(colour_offset, dtype=np.float64)
        self.dropped: dict[str, int] = {}
        self._frames = self._find_frames(None if intrinsics is None else pinhole(intrinsics, self.root))
        chosen = np.unique(np.linspace(0, len(self) - 1, _LOOKED_AT).astype(int)).tolist()
        check_unit([self._frames[index].depth for index in chosen], depth_unit)
        self._remember()

    def _remember(self) -> None:
        # Pairs share frames, and decoding a depth image takes longer than all the geometry.
        self._view = lru_cache(maxsize=_CACHED_VIEWS)(self._read_view)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_view"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._remember()

    def _find_frames(self, given: Array | None) -> list[_Frame]:
        """All frames that have colour and depth, folder by folder."""
        visible_files = [path for path in self.root.rglob("*.*") if not path.name.startswith(".")]
        depths = {path for path in visible_files if path.name.endswith(DEPTH)}
        colours = {path.with_name(path.name.removesuffix(f"{COLOUR}{suffix}") + DEPTH): path
                   for suffix in _SUFFIXES for path in visible_files
                   if path.name.endswith(f"{COLOUR}{suffix}")}  # fmt: skip
        for reason, alone in (("depth without colour", depths - set(colours)),
                              ("colour without depth", set(colours) - depths)):  # fmt: skip
            if alone:
                self.dropped[reason] = len(alone)
        cameras: dict[Path, Array | None] = {}
        frames = []
        for depth in sorted(depths & set(colours), key=lambda path: (path.parent, path.name)):
            folder, stem = depth.parent, depth.name.removesuffix(DEPTH)
            if folder not in cameras:
                cameras[folder] = self._intrinsics(folder, given)
            pose = folder / f"{stem}{POSE}"
            group = folder.relative_to(self.root).as_posix()
            frames.append(
                _Frame(
                    (folder / stem).relative_to(self.root).as_posix(),
                    self.root.resolve().name if group == "." else group,
                    colours[depth],
                    depth,
                    read_pose(pose) if pose.is_file() else None,
                    cameras[folder],
                )
            )
        if not frames:
            hint = f"frames are NAME{COLOUR}.png or .jpg with NAME{DEPTH}, and NAME{POSE} for correspondences"
            raise DataError("the folder holds no RGB-D frames", where=self.root, hint=hint)
        return frames

    def _intrinsics(self, folder: Path, given: Array | None) -> Array | None:
        """Of the nearest file from a folder up to the root."""
        while True:
            if (folder / INTRINSICS).is_file():
                return read_intrinsics(folder / INTRINSICS)
            if folder == self.root:
                return given
            folder = folder.parent

    def _rig(self, frame: _Frame, depth_size: Size, colour_size: Size) -> Rig | None:
        """Both cameras of a frame; None where the depth camera is unknown."""
        if frame.intrinsics is None:
            return None
        colour = _scale(depth_size, colour_size) @ frame.intrinsics if self._colour is None else self._colour
        return Rig(frame.intrinsics, colour, self._offset)

    def __len__(self) -> int:
        return len(self._frames)

    def sample(self, index: int) -> Sample:
        frame = self._frames[index]
        size = image_size(frame.colour)
        rig = self._rig(frame, image_size(frame.depth), size)
        extras: dict[str, Array] = {}
        if frame.pose is not None:
            extras["pose"] = frame.pose @ _shift(-self._offset)
        if rig is not None:
            extras["intrinsics"] = rig.colour
        depth = partial(_read_depth, frame.depth, self.depth_unit, size, rig)
        return image_sample(frame.key, frame.colour, size, depth=depth, group=frame.group, extras=extras)

    def _read_view(self, index: int) -> tuple[Array, Size]:
        """(metric depth image, size of the colour image)."""
        frame = self._frames[index]
        return to_metres(read_depth_image(frame.depth), self.depth_unit), image_size(frame.colour)

    def relation(self, first: int, second: int) -> Relation | None:
        """Tracks of a grid of points, those that can be followed in the first frame; NaN where hidden in the second.

        None for frames of different groups, and where a pose or the intrinsics are unknown. Deterministic.
        """
        a, b = self._frames[first], self._frames[second]
        if a.group != b.group or a.pose is None or b.pose is None:
            return None
        (depth, colour_size), (other, other_colour_size) = self._view(first), self._view(second)
        rig, other_rig = self._rig(a, depth.shape, colour_size), self._rig(b, other.shape, other_colour_size)
        if rig is None or other_rig is None:
            return None
        points, depths = followable(grid_points(depth.shape, GRID), depth, TOLERANCE)
        places = back_project(points, depths, rig.depth)
        motion = np.linalg.inv(b.pose) @ a.pose
        moved = places @ motion[:3, :3].T + motion[:3, 3]
        starts, ends = rig.depth_to_colour(places), other_rig.depth_to_colour(moved)
        seen = visible(moved, other, other_rig.depth, TOLERANCE) & inside(ends, other_colour_size)
        shown = inside(starts, colour_size)
        tracks = np.stack([starts, np.where(seen[:, None], ends, np.nan)])[:, shown]
        return Relation("tracks", tracks, provenance=_REPROJECTED)

    def group(self, index: int) -> str:
        return self._frames[index].group

    def findings(self) -> Iterator[Finding]:
        for what, count in (
            ("frames without a usable pose: no correspondences", sum(f.pose is None for f in self._frames)),
            (f"frames without {INTRINSICS}: no correspondences", sum(f.intrinsics is None for f in self._frames)),
        ):
            if count:
                yield Finding("note", what, count=count)


def _scale(size: Size, other: Size) -> Array:
    """float64 (3, 3): from pixels of one image to those of another of the same view."""
    return np.diag([other[1] / size[1], other[0] / size[0], 1.0])


def _shift(offset: Array) -> Array:
    """float64 (4, 4): adds an offset to coordinates."""
    matrix = np.eye(4)
    matrix[:3, 3] = offset
    return matrix


def _same_view(size: Size, colour_size: Size) -> Rig:
    """Of images whose cameras are unknown: the same view."""
    return Rig(np.eye(3), _scale(size, colour_size), np.zeros(3))
