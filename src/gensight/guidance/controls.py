"""The user's files as inputs of goals: control maps, masks, drags, boxes."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gensight.drawing.openpose import draw_skeletons
from gensight.encodings.pose_image import LIMB_SHARE, RADIUS
from gensight.errors import ConfigError, DataError
from gensight.files.atomic import read_json
from gensight.files.images import read_image
from gensight.geometry import inside, scaling, warp_image
from gensight.readers.openpose import canvas_size, read_openpose
from gensight.samples import Array, Size, View
from gensight.skeletons import OPENPOSE_18

MAX_ASPECT_ERROR = 0.02


def read_control(path: Path, channels: int, size: Size, grid_size: Size) -> Tensor:
    """A control picture on a head's grid: float32 (channels, grid_height, grid_width) in [0, 1].

    Args:
        path: An image: a drawn skeleton, a depth picture (near is white), edges (white on black). Or a keypoint file
            of OpenPose (.json), in pixels of the image to generate or of the canvas that it names; its people are drawn
            as in pose images.
        channels: 1 converts it to grey.
        size: (height, width) of the image to generate.
        grid_size: Of the head.

    Raises:
        ConfigError: If its aspect is not that of the image to generate.
        DataError: If it cannot be read.
    """
    if path.suffix.lower() == ".json":
        return _draw_people(path, channels, size, grid_size)
    cells = _read_resized(path, size, grid_size).astype(np.float32) / 255
    if channels == 1:
        cells = cells.mean(-1, keepdims=True)
    return torch.from_numpy(np.ascontiguousarray(cells.transpose(2, 0, 1)))


def _draw_people(path: Path, channels: int, size: Size, grid_size: Size) -> Tensor:
    people = [one.keypoints for one in read_openpose(path) if one.keypoints is not None]
    if channels != 3:
        raise ConfigError("this run takes a picture, not keypoints", where=path, hint="give it an image")
    if not people:
        raise DataError("this file holds no people", where=path)
    canvas = canvas_size(path) or size
    refuse_aspect(path, canvas, size)
    shown = np.stack([one.located for one in people])
    points = np.where(shown[..., None], np.stack([one.points for one in people]), 0) * (size[0] / canvas[0])
    refuse_outside(points[shown], size, str(path))
    side = float(np.sqrt(grid_size[0] * grid_size[1]))
    radius = RADIUS["all"] * side
    cells = points * np.array(grid_size[::-1]) / np.array(size[::-1])
    drawn = draw_skeletons(cells, shown, OPENPOSE_18, grid_size, radius, LIMB_SHARE * radius)
    return torch.from_numpy(np.ascontiguousarray(drawn.transpose(2, 0, 1)))


def read_mask(path: Path, size: Size, grid_size: Size) -> Tensor:
    """float32 (grid_height, grid_width) in [0, 1], white where a goal counts. Errors as for `read_control`."""
    return read_control(path, 1, size, grid_size)[0]


def read_picture(path: Path, size: Size) -> Tensor:
    """A real image in the size to generate: float32 (3, height, width) in [0, 1]. Errors as for `read_control`."""
    return torch.from_numpy(_read_resized(path, size, size).astype(np.float32) / 255).permute(2, 0, 1)


def _read_resized(path: Path, size: Size, grid_size: Size) -> Array:
    """uint8 (grid_height, grid_width, 3) of a picture with the aspect of `size`."""
    picture = read_image(path)
    height, width, _ = picture.shape
    refuse_aspect(path, (height, width), size)
    return warp_image(picture, View((height, width), grid_size, scaling(grid_size[1] / width, grid_size[0] / height)))


def refuse_aspect(path: Path, picture: Size, size: Size) -> None:
    """Raises ConfigError if a picture would be squeezed to fit the image to generate."""
    given, expected = picture[1] / picture[0], size[1] / size[0]
    if abs(given / expected - 1) > MAX_ASPECT_ERROR:
        raise ConfigError(
            f"the picture is {picture[1]} x {picture[0]}, and the image to generate {size[1]} x {size[0]}: "
            "their aspects differ",
            where=path,
            hint="crop or pad the picture, or choose another --size",
        )


def parse_drags(texts: list[str]) -> Array:
    """float64 (2, num_points, 2): handles and targets of `x,y:x,y` each. Raises ConfigError naming a bad one."""
    drags = []
    for text in texts:
        try:
            (x, y), (to_x, to_y) = ([float(value) for value in end.split(",")] for end in text.split(":"))
        except ValueError:
            raise ConfigError(
                f"`{text}` is no drag", where="--drag", hint="write x,y:x,y, from where to where, in pixels"
            ) from None
        drags.append(((x, y), (to_x, to_y)))
    return np.array(drags, dtype=np.float64).reshape(-1, 2, 2).swapaxes(0, 1)


def read_tracks(path: Path) -> tuple[Array, Array, Size | None]:
    """Tracks of points: float64 (num_frames, num_points, 2); where they are visible; the image size they are given in.

    The file `tracks_NAME.npy` is a numpy array (1, num_frames, num_points, 2) or (num_frames, num_points, 2) of (x, y).
    Beside it there may be `visibles_NAME.npy`, (1, num_frames, num_points), and `info.json` with `image_dim`.
    """
    tracks = _read_array(path)
    tracks = tracks[0] if tracks.ndim == 4 else tracks
    if tracks.ndim != 3 or tracks.shape[-1] != 2 or len(tracks) < 2:
        raise DataError(
            f"tracks of shape {tracks.shape} are no (num_frames, num_points, 2) of two frames or more", where=path
        )
    beside = path.with_name(path.name.replace("tracks", "visibles"))
    visible = np.ones(tracks.shape[:2], bool)
    if beside != path and beside.is_file():
        visible = _read_array(beside).astype(bool)
        visible = visible[0] if visible.ndim == 3 else visible
        if visible.shape != tracks.shape[:2]:
            raise DataError(f"{visible.shape} flags of visibility for tracks of {tracks.shape[:2]}", where=beside)
    return tracks, visible, _stated_size(path.parent / "info.json")


def _read_array(path: Path) -> Array:
    try:
        array: Array = np.load(path, allow_pickle=False).astype(np.float64)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"not a numpy array of tracks: {error}", where=path) from error
    return array


def at_frames(points: Array, visible: Array, num_frames: int) -> tuple[Array, Array]:
    """Tracks and their visibility at so many frames, the first and the last one among them.

    Two frames are interpolated, as in Luo et al.'s released code: a point is then visible if it is at both ends. Of
    more frames those at equal distances are taken, at most all.
    """
    if len(points) == 2:
        shares = np.linspace(0, 1, num_frames)[:, None, None]
        return points[0] + shares * (points[1] - points[0]), np.repeat(visible.all(0, keepdims=True), num_frames, 0)
    taken = np.linspace(0, len(points) - 1, min(num_frames, len(points))).round().astype(int)
    return points[taken], visible[taken]


def _stated_size(path: Path) -> Size | None:
    content = read_json(path) if path.is_file() else None
    sides = content.get("image_dim") if isinstance(content, dict) else None
    if isinstance(sides, int | float):
        sides = [sides, sides]
    return (int(sides[0]), int(sides[1])) if isinstance(sides, list) and len(sides) == 2 else None


def refuse_outside(points: Array, size: Size, where: str) -> None:
    """Raises ConfigError naming the first point (num_points, 2) outside an image of this size."""
    beyond = points[~inside(points, size)]
    if len(beyond):
        raise ConfigError(
            f"the point {beyond[0, 0]:g},{beyond[0, 1]:g} lies outside the image of {size[1]} x {size[0]}",
            where=where,
            hint="points are (x, y) in pixels from the top left",
        )


def box_region(box: Array, size: Size, grid_size: Size) -> Tensor:
    """float32 (grid_height, grid_width) in [0, 1]: the share of each cell that a box (in image pixels) covers."""
    shares = []
    for (low, high), side, cells in zip(((box[1], box[3]), (box[0], box[2])), size, grid_size, strict=True):
        edges = np.arange(cells + 1) * side / cells
        covered = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None)
        shares.append(covered * cells / side)
    return torch.from_numpy(np.outer(*shares).astype(np.float32))
