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
    """float64 (num_points, 2, 2): handle and target of each `x,y:x,y`. Raises ConfigError naming the first bad one."""
    drags = []
    for text in texts:
        try:
            (x, y), (to_x, to_y) = ([float(value) for value in end.split(",")] for end in text.split(":"))
        except ValueError:
            raise ConfigError(
                f"`{text}` is no drag", where="--drag", hint="write x,y:x,y, from where to where, in pixels"
            ) from None
        drags.append(((x, y), (to_x, to_y)))
    return np.array(drags, dtype=np.float64).reshape(-1, 2, 2)


def read_tracks(path: Path) -> tuple[Array, Size | None]:
    """Drags of a tracks file: float64 (num_points, 2, 2), first and last place; and the image size they are given in.

    The file is a numpy array (1, num_frames, num_points, 2) or (num_frames, num_points, 2) of (x, y); an `info.json`
    beside it may give `image_dim`.
    """
    try:
        tracks = np.load(path, allow_pickle=False).astype(np.float64)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"not a numpy array of tracks: {error}", where=path) from error
    tracks = tracks[0] if tracks.ndim == 4 else tracks
    if tracks.ndim != 3 or tracks.shape[-1] != 2 or len(tracks) < 2:
        raise DataError(
            f"tracks of shape {tracks.shape} are no (num_frames, num_points, 2) of two frames or more", where=path
        )
    return np.stack([tracks[0], tracks[-1]], axis=1), _stated_size(path.parent / "info.json")


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
