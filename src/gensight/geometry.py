"""Coordinate frames and exact maps between them. The only place that scales a coordinate or resamples a picture.

Three frames:
- *image*: pixels of the upright image; the centre of the top-left pixel is (0.5, 0.5).
- *model*: pixels of the network's input, same convention.
- *grid*: cells of a map that covers the whole model frame; the centre of the top-left cell is (0.5, 0.5).

Functions are named by both ends. Points are float arrays (..., 2) of (x, y); sizes are (height, width).
"""

from dataclasses import replace

import cv2
import numpy as np
from PIL import Image

from gensight.samples import Array, Size, View

MAX_ANTIALIAS = 64  # a shrink beyond this factor is blurred as if it were this factor


def _apply(matrix: Array, points: Array) -> Array:
    points = np.asarray(points, dtype=np.float64)
    return points @ matrix[:2, :2].T + matrix[:2, 2]


def image_to_model(points: Array, view: View) -> Array:
    return _apply(view.matrix, points)


def model_to_image(points: Array, view: View) -> Array:
    return _apply(view.inverse, points)


def model_to_grid(points: Array, model_size: Size, grid_size: Size) -> Array:
    return np.asarray(points, dtype=np.float64) * _grid_scale(model_size, grid_size)


def grid_to_model(points: Array, model_size: Size, grid_size: Size) -> Array:
    return np.asarray(points, dtype=np.float64) / _grid_scale(model_size, grid_size)


def image_to_grid(points: Array, view: View, grid_size: Size) -> Array:
    return model_to_grid(image_to_model(points, view), view.model_size, grid_size)


def grid_to_image(points: Array, view: View, grid_size: Size) -> Array:
    return model_to_image(grid_to_model(points, view.model_size, grid_size), view)


def _grid_scale(model_size: Size, grid_size: Size) -> Array:
    return np.array([grid_size[1] / model_size[1], grid_size[0] / model_size[0]])


def box_image_to_model(box: Array, view: View) -> Array:
    """The tightest upright model-frame box around the mapped corners of an image-frame box."""
    return points_box(image_to_model(box_corners(box), view))


def box_model_to_image(box: Array, view: View) -> Array:
    """The tightest upright image-frame box around the mapped corners of a model-frame box."""
    return points_box(model_to_image(box_corners(box), view))


def box_corners(box: Array) -> Array:
    x0, y0, x1, y1 = np.asarray(box, dtype=np.float64)
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def box_size(box: Array) -> tuple[float, float]:
    """(width, height)."""
    return float(box[2] - box[0]), float(box[3] - box[1])


def points_box(points: Array) -> Array:
    """The tightest box around the finite points (n, 2); NaN if there is none."""
    finite = points[np.isfinite(points).all(-1)]
    if len(finite) == 0:
        return np.full(4, np.nan)
    return np.concatenate([finite.min(0), finite.max(0)])


def clip_box(box: Array, size: Size) -> Array:
    height, width = size
    return np.clip(np.asarray(box, dtype=np.float64), 0, [width, height, width, height])


def inside(points: Array, size: Size) -> Array:
    """bool (...,): whether points lie in a frame of (height, width)."""
    points = np.asarray(points)
    height, width = size
    return (points[..., 0] >= 0) & (points[..., 1] >= 0) & (points[..., 0] <= width) & (points[..., 1] <= height)


# --- Matrices, 3 x 3, each mapping continuous pixels to continuous pixels ---


def translation(x: float, y: float) -> Array:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def scaling(x: float, y: float) -> Array:
    return np.diag([x, y, 1.0])


def rotation(degrees: float, centre: tuple[float, float]) -> Array:
    """Clockwise on the screen (y points down) about `centre`."""
    angle = np.deg2rad(degrees)
    turn = np.eye(3)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return translation(*centre) @ turn @ translation(-centre[0], -centre[1])


def mirroring(width: float) -> Array:
    """Left-right flip of a frame of this width."""
    return np.array([[-1.0, 0.0, width], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def box_to_frame(box: Array, size: Size) -> Array:
    """Maps a box onto the whole of a frame (height, width); the aspect changes unless they agree."""
    width, height = box_size(box)
    return scaling(size[1] / width, size[0] / height) @ translation(-box[0], -box[1])


# --- Pixels ---


def warp_image(image: Array, view: View, fill: int = 0) -> Array:
    """Resamples an image (height, width, channels) or (height, width) into the view's model frame.

    Shrinking is anti-aliased: an upright view whose edges lie on pixel borders takes the area mean; any other takes the
    mean of whole blocks of pixels, as near to the shrink as whole numbers come, before bilinear sampling. A mirrored
    upright view is exactly the flipped picture of the unmirrored view. Outside the image the result is `fill`. Keeps
    the dtype (uint8 or float32). A view of `lanczos` resamples uint8 pictures that it crops and resizes by that kernel.
    """
    if view.matrix[0, 1] == 0 and view.matrix[1, 0] == 0 and view.matrix[1, 1] > 0:
        if view.matrix[0, 0] < 0:
            unmirrored = replace(view, matrix=mirroring(float(view.model_size[1])) @ view.matrix)
            return np.ascontiguousarray(warp_image(image, unmirrored, fill)[:, ::-1])
        upright = _warp_lanczos(image, view) if view.lanczos else None
        upright = _warp_upright(image, view, fill) if upright is None else upright
        if upright is not None:
            return upright
    image, matrix = _shrink_by_blocks(image, view, fill)
    return _warp_bilinear(image, matrix, view.model_size, fill)


def _shrink_by_blocks(image: Array, view: View, fill: int) -> tuple[Array, Array]:
    """The part of an image that a view sees, averaged over blocks where the view shrinks, and its map to the view."""
    lengths = np.linalg.norm(view.matrix[:2, :2], axis=0)  # model pixels per image pixel, along image x and y
    block = np.rint(np.clip(1 / np.maximum(lengths, 1 / MAX_ANTIALIAS), 1, MAX_ANTIALIAS)).astype(int)
    if block.max() == 1:
        return image, view.matrix
    height, width = image.shape[:2]
    frame = box_model_to_image(np.array([0, 0, view.model_size[1], view.model_size[0]]), view)
    seen = clip_box(frame + np.array([-2, -2, 2, 2]) * np.tile(block, 2), (height, width))
    left, top = (int(edge) for edge in seen[:2])
    num = np.maximum(np.ceil((seen[2:] - [left, top]) / block).astype(int), 1)  # blocks along x and y
    part = image[top : top + num[1] * block[1], left : left + num[0] * block[0]]
    if part.size == 0:  # the view lies beside the image: any empty picture will do
        return np.full((1, 1, *image.shape[2:]), fill, dtype=image.dtype), view.matrix @ translation(
            float(left), float(top)
        )
    missing = num[1] * block[1] - part.shape[0], num[0] * block[0] - part.shape[1]
    if any(missing):  # whole blocks are averaged an order of magnitude faster than broken ones
        part = cv2.copyMakeBorder(part, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT, value=(fill,) * 4)
    small = cv2.resize(part, (int(num[0]), int(num[1])), interpolation=cv2.INTER_AREA)
    return small, view.matrix @ translation(float(left), float(top)) @ scaling(float(block[0]), float(block[1]))


def _warp_bilinear(image: Array, matrix: Array, size: Size, fill: int) -> Array:
    # OpenCV puts the first pixel's centre at 0, we put it at 0.5.
    centred = translation(-0.5, -0.5) @ matrix @ translation(0.5, 0.5)
    value = (fill,) * 4
    return cv2.warpAffine(
        image, centred[:2], size[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=value
    )


def _warp_lanczos(image: Array, view: View) -> Array | None:
    """Crop and resize by Pillow; None where the view reaches over the image's edges, or pixels are no bytes."""
    box = box_model_to_image(np.array([0, 0, view.model_size[1], view.model_size[0]], dtype=np.float64), view)
    inside_image = clip_box(box, (image.shape[0], image.shape[1]))
    if np.abs(inside_image - box).max() > 1e-6 or image.dtype != np.uint8:
        return None
    resized = Image.fromarray(image).resize(view.model_size[::-1], Image.Resampling.LANCZOS, box=tuple(inside_image))
    return np.array(resized)


def _warp_upright(image: Array, view: View, fill: int) -> Array | None:
    """Crop and resize, exact where the crop's edges lie on pixel borders; None where they do not."""
    height, width = image.shape[:2]
    scale = np.array([view.matrix[0, 0], view.matrix[1, 1]])
    x0, y0 = -view.matrix[0, 2] / scale[0], -view.matrix[1, 2] / scale[1]
    x1, y1 = x0 + view.model_size[1] / scale[0], y0 + view.model_size[0] / scale[1]
    edges = np.array([x0, y0, x1, y1])
    whole = np.rint(edges).astype(int)
    if np.abs(edges - whole).max() > 1e-6 or whole[2] <= whole[0] or whole[3] <= whole[1]:
        return None
    left, top, right, bottom = whole
    crop = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    pads = (max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0))
    if crop.size == 0:
        return np.full((*view.model_size, *image.shape[2:]), fill, dtype=image.dtype)
    if any(pads):
        crop = cv2.copyMakeBorder(crop, *pads, cv2.BORDER_CONSTANT, value=(fill,) * 4)
    if crop.shape[:2] == view.model_size:
        return np.ascontiguousarray(crop)
    small = min(crop.shape[0], view.model_size[0]), min(crop.shape[1], view.model_size[1])
    if crop.shape[:2] != small:
        crop = cv2.resize(crop, small[::-1], interpolation=cv2.INTER_AREA)
    if small != view.model_size:
        crop = cv2.resize(crop, view.model_size[::-1], interpolation=cv2.INTER_LINEAR)
    return crop


def warp_mask(mask: Array, view: View) -> Array:
    """A bool mask in the view's model frame, nearest neighbour."""
    centred = translation(-0.5, -0.5) @ view.matrix @ translation(0.5, 0.5)
    warped = cv2.warpAffine(mask.astype(np.uint8), centred[:2], view.model_size[::-1], flags=cv2.INTER_NEAREST)
    return warped.astype(bool)


def map_image_to_grid(values: Array, view: View, grid_size: Size) -> tuple[Array, Array]:
    """The mean of an image's values over each cell of a grid, and how much of each cell they are known in.

    The picture is taken as constant over each pixel and unknown where it is NaN and outside of the image. Upright views
    are integrated exactly; turned ones at the centres of a fine raster of about two points per pixel.

    Args:
        values: float (height, width), in the image frame.
        view: Whose model frame the grid covers.
        grid_size: (height, width) in cells.

    Returns:
        float32 (grid_height, grid_width) means over what is known, NaN where nothing is; float32 of the same shape,
        the share of the cell's area that is known, in [0, 1].
    """
    known = np.isfinite(values)
    layers = np.stack([np.where(known, values, 0), known], axis=-1).astype(np.float64)
    matrix = scaling(grid_size[1] / view.model_size[1], grid_size[0] / view.model_size[0]) @ view.matrix
    if matrix[0, 1] == 0 and matrix[1, 0] == 0:
        rows = _overlaps(matrix[1, 1], matrix[1, 2], values.shape[0], grid_size[0])
        columns = _overlaps(matrix[0, 0], matrix[0, 2], values.shape[1], grid_size[1])
        sums = np.einsum("gh,hwl,kw->gkl", rows, layers, columns, optimize=True)
    else:
        sums = _raster_means(layers, matrix, grid_size)
    share = sums[..., 1]
    means = np.divide(sums[..., 0], share, out=np.full(grid_size, np.nan), where=share > 1e-9)
    return means.astype(np.float32), np.clip(share, 0, 1).astype(np.float32)


def _overlaps(scale: float, shift: float, num_pixels: int, num_cells: int) -> Array:
    """float64 (num_cells, num_pixels): the share of each cell that each pixel covers along one axis."""
    ends = scale * np.arange(num_pixels + 1) + shift  # pixels' edges, in cells
    low, high = np.minimum(ends[:-1], ends[1:]), np.maximum(ends[:-1], ends[1:])
    cells = np.arange(num_cells)[:, None]
    overlap: Array = np.clip(np.minimum(high, cells + 1) - np.maximum(low, cells), 0, None)
    return overlap


def _raster_means(layers: Array, matrix: Array, grid_size: Size) -> Array:
    """Each cell's mean of (height, width, layers) at the centres of a raster; 0 outside of the image."""
    pixels = float(np.linalg.norm(np.linalg.inv(matrix)[:2, :2], axis=0).max())  # along a cell's side
    num = int(np.clip(np.ceil(2 * pixels), 2, MAX_ANTIALIAS))
    points = pixel_centres((grid_size[0] * num, grid_size[1] * num)) / num
    x, y = np.floor(_apply(np.linalg.inv(matrix), points)).astype(int).transpose(2, 0, 1)
    seen = (x >= 0) & (y >= 0) & (x < layers.shape[1]) & (y < layers.shape[0])
    found = np.where(seen[..., None], layers[np.where(seen, y, 0), np.where(seen, x, 0)], 0)
    means: Array = found.reshape(grid_size[0], num, grid_size[1], num, -1).mean((1, 3))
    return means


def map_grid_to_image(values: Array, view: View, fill: float = 0.0) -> Array:
    """A float32 grid map (grid_height, grid_width) bilinearly resampled to the image frame; `fill` outside the view."""
    grid_size: Size = (values.shape[0], values.shape[1])
    to_model = scaling(view.model_size[1] / grid_size[1], view.model_size[0] / grid_size[0])
    padded = cv2.copyMakeBorder(values.astype(np.float32), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    matrix = view.inverse @ to_model @ translation(-1.0, -1.0)
    warped = _warp_bilinear(padded, matrix, view.image_size, 0)
    centres = pixel_centres(view.image_size)
    outside = ~inside(image_to_model(centres, view), view.model_size)
    warped[outside] = fill
    return warped


def pixel_centres(size: Size) -> Array:
    """float64 (height, width, 2): the (x, y) centre of every pixel or cell of a frame."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    return np.stack([x, y], axis=-1) + 0.5
