"""Surface normals as a picture: which way each cell's surface faces, from metric depth and the camera's intrinsics."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from gensight.drawing import map_picture
from gensight.drawing.maps import grey
from gensight.encodings.base import GridEncoding, OutputSpec, predict
from gensight.encodings.grids import MIN_KNOWN, check_size, map_array
from gensight.encodings.panels import Panel, comparison
from gensight.errors import DataError
from gensight.geometry import map_grid_to_image, map_image_to_grid, pixel_centres
from gensight.samples import Array, Item, Prediction, Sample, ScoreMap, View

OUTPUT = "normals"
INTRINSICS = "intrinsics"  # key in `Sample.extras`: float64 (3, 3), in continuous pixels of the image
_EDGE = 0.03  # second difference of inverse depth, over inverse depth: 0 on a plane
_SIGNS = np.array([1.0, -1.0, -1.0])  # red is right, green is up, blue is towards the camera
_SHORTEST = 1e-3  # of a direction


class SurfaceNormals(GridEncoding):
    """Unit vectors towards the viewer's side of surfaces, as RGB.

    Normals are in the camera's frame (x right, y down, z forward) and point to the camera. Output `normals`:
    (3, grid_height, grid_width) in [0, 1]: (1 + x) / 2, (1 - y) / 2 and (1 - z) / 2 of the mean over the cell, as a
    unit vector; `normals_weight`: (1, grid_height, grid_width), 0 where less than half of a cell is known. Normals are
    unknown where depth is, and across edges of depth. A view that mirrors or turns the image does the same to x and y,
    so that colours always refer to the view that is seen; predictions are rotated back.

    Bound on its own encodings: the normal of a plane comes back to 0.5 degrees, but for a cell along the border of what
    is known; curved surfaces are as blurred as cells are wide.

    Args:
        stride: Model pixels per cell.

    Errors:
        ConfigError: `stride` is out of its range.
    """

    name = "normals"
    cells = "normal map"

    def __init__(self, stride: int = 4) -> None:
        super().__init__(stride)

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        return {OUTPUT: OutputSpec(3, "dense-image")}

    def items(self, sample: Sample) -> list[Item]:
        """One per sample whose depth and intrinsics are known."""
        return [Item((sample,))] if sample.depth is not None and INTRINSICS in sample.extras else []

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        """Target (3, grid_height, grid_width) and weight (1, grid_height, grid_width). Raises as `sample_normals`."""
        grid_size = self.grid_size(views[0].model_size)
        normals = sample_normals(item.sample)
        if normals is None:
            return {OUTPUT: torch.full((3, *grid_size), 0.5), f"{OUTPUT}_weight": torch.zeros(1, *grid_size)}
        cells = [map_image_to_grid(normals[..., axis], views[0], grid_size) for axis in range(3)]
        means = np.stack([mean for mean, _ in cells], axis=-1).astype(np.float64)
        known = (cells[0][1] >= MIN_KNOWN) & np.isfinite(means).all(-1)
        means[..., :2] = means[..., :2] @ _turn(views[0]).T
        target = np.where(known[..., None], to_colours(_unit(means)), 0.5)
        return {
            OUTPUT: torch.from_numpy(np.ascontiguousarray(target.transpose(2, 0, 1), dtype=np.float32)),
            f"{OUTPUT}_weight": torch.from_numpy(known[None].astype(np.float32)),
        }

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """`maps["normals"]`: the picture, (3, grid_height, grid_width) in [0, 1], of normals in the camera's frame."""
        maps = map_array(outputs[OUTPUT], 3, self.grid_size(views[0].model_size), OUTPUT)
        normals = to_normals(np.clip(maps.transpose(1, 2, 0), 0, 1))
        normals[..., :2] = normals[..., :2] @ _turn(views[0])
        picture = np.ascontiguousarray(to_colours(normals).transpose(2, 0, 1), dtype=np.float32)
        return predict(item, maps={OUTPUT: ScoreMap(picture, views[0], "picture")})

    def mirror(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Pictures (..., 3, grid_height, grid_width) of a mirrored image, turned back: flipped, x with its sign."""
        x, y, z = outputs[OUTPUT].flip(-1).unbind(-3)
        return {OUTPUT: torch.stack([1 - x, y, z], dim=-3)}

    def panel(self, prediction: Prediction, item: Item) -> Panel | None:
        """Image, truth and prediction; the error is the mean angle between them."""
        if OUTPUT not in prediction.maps:
            return None
        drawn, truth = map_picture(prediction.maps[OUTPUT]), sample_normals(item.sample)
        if truth is None:
            return comparison(item, drawn)
        errors = angles(image_normals(prediction.maps[OUTPUT]), truth)
        known = errors[np.isfinite(errors)]
        error = float(known.mean()) if len(known) else float("nan")
        return comparison(item, drawn, grey(to_colours(truth)), error, "degrees")


def sample_normals(sample: Sample) -> Array | None:
    """float64 (height, width, 3): the normals of a sample, NaN where unknown; None without depth or intrinsics.

    Raises:
        DataError: Depth of another size than the image, or that is not metric.
    """
    intrinsics = sample.extras.get(INTRINSICS)
    if sample.depth is None or intrinsics is None:
        return None
    depth = sample.depth()
    check_size(depth.values, sample, "depth")
    if depth.kind != "metric":
        hint = "use data with depth in metres"
        raise DataError("normals need metric depth, and this has no unit", where=sample.key, hint=hint)
    return depth_normals(depth.values, intrinsics)


def depth_normals(depth: Array, intrinsics: Array) -> Array:
    """Normals of the surfaces that a depth map shows, exact on planes.

    A plane n . P = c seen by a pinhole has inverse depth w = (n_x (u - c_x) / f_x + n_y (v - c_y) / f_y + n_z) / c at
    pixel (u, v), so n is along (f_x w_u, f_y w_v, w - (u - c_x) w_u - (v - c_y) w_v); w_u and w_v are central
    differences.

    Args:
        depth: float (height, width), z in metres; NaN or 0 where unknown.
        intrinsics: float (3, 3), in continuous pixels.

    Returns:
        float64 (height, width, 3), unit vectors (x right, y down, z forward) that point to the camera; NaN where depth
        is unknown in the pixel or beside it, across edges of depth, and in the outermost pixels.
    """
    known = np.where(np.isfinite(depth) & (depth > 0), depth, np.nan).astype(np.float64)
    inverse = 1 / known
    slopes, even = [], np.ones(depth.shape, dtype=bool)
    for axis in (1, 0):
        before, after = (_shifted(inverse, step, axis) for step in (1, -1))
        slopes.append((after - before) / 2)
        even &= np.abs(after + before - 2 * inverse) <= _EDGE * inverse  # False where any is NaN
    (u, v), (f_x, f_y) = pixel_centres((depth.shape[0], depth.shape[1])).transpose(2, 0, 1), np.diag(intrinsics)[:2]
    along_z = inverse - (u - intrinsics[0, 2]) * slopes[0] - (v - intrinsics[1, 2]) * slopes[1]
    away = np.stack([f_x * slopes[0], f_y * slopes[1], along_z], axis=-1)
    normals = -away / np.linalg.norm(away, axis=-1, keepdims=True)
    return np.where(even[..., None], normals, np.nan)


def _shifted(values: Array, step: int, axis: int) -> Array:
    """The values moved by one pixel; NaN where they came from outside."""
    moved = np.roll(values, step, axis)
    edge = [slice(None), slice(None)]
    edge[axis] = slice(0, 1) if step > 0 else slice(-1, None)
    moved[tuple(edge)] = np.nan
    return moved


def to_colours(normals: Array) -> Array:
    """Normals (..., 3) as RGB in [0, 1]; NaN stays."""
    return np.asarray(0.5 + 0.5 * normals * _SIGNS)


def to_normals(colours: Array) -> Array:
    """RGB (..., 3) in [0, 1] as unit vectors, float64; grey, which has no direction, faces the camera."""
    return _unit((2 * colours.astype(np.float64) - 1) * _SIGNS)


def image_normals(score: ScoreMap) -> Array:
    """float64 (height, width, 3): a predicted picture as unit vectors in its image's size; NaN outside of the view."""
    channels = [map_grid_to_image(channel, score.view, fill=float("nan")) for channel in score.values]
    return to_normals(np.stack(channels, axis=-1))


def angles(first: Array, second: Array) -> Array:
    """float64 (...): degrees between unit vectors (..., 3); NaN where either is unknown."""
    apart, together = (np.linalg.norm(vectors, axis=-1) for vectors in (first - second, first + second))
    return np.asarray(np.degrees(2 * np.arctan2(apart, together)))


def _unit(vectors: Array) -> Array:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(length < _SHORTEST, np.array([0.0, 0.0, -1.0]), vectors / np.maximum(length, _SHORTEST))


def _turn(view: View) -> Array:
    """float64 (2, 2): the rotation or reflection nearest to what a view does to the image, orthogonal."""
    left, _, right = np.linalg.svd(view.matrix[:2, :2])
    return np.asarray(left @ right)
