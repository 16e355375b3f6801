"""From a projection to pixels: colour (`paint`), metric depth (`depth_map`) and surface edges (`edge_map`)."""

import cv2
import numpy as np

from gensight.puppets.camera import SHIFT, Piece, Projection
from gensight.puppets.scenery import textures
from gensight.puppets.scenery.surroundings import Sky
from gensight.puppets.scenes import Light, Scene
from gensight.puppets.shapes import DECOR, GROUND, WALL, Number
from gensight.samples import Array, Size

_SHARES = np.linspace(0, 1, 256, dtype=np.float32)[:, None, None]
MAX_DEPTH = 300.0  # metres: the end of the ground
# Half width and half depth of a shadow, metres.
_FOOTPRINTS = {
    "person": (0.32, 0.26), "house": (4.0, 3.0), "fence": (1.8, 0.1), "cat": (0.1, 0.22),
    **dict.fromkeys(("horse", "cow", "zebra", "bear"), (0.4, 0.85)),
    **dict.fromkeys(("dog", "sheep", "pig", "goat"), (0.2, 0.42)),
    **dict.fromkeys(("ball", "lamp", "plant"), (0.2, 0.18)),
    **dict.fromkeys(("sofa", "bench", "table"), (0.8, 0.4)),
}  # fmt: skip
_DEPTH_STEP = 0.08  # relative: a larger one between neighbours is an edge within one thing of one paint


def paint(scene: Scene, projection: Projection) -> Array:
    """uint8 RGB (height, width, 3): the picture."""
    scale, size = projection.oversampling, projection.size
    height, width = (side * scale for side in size)
    if scene.place.sky is None:
        canvas: Array = np.full((height, width, 3), scene.place.fill, np.uint8)
    else:
        canvas = cv2.resize(_sky(scene.place.sky, projection), (width, height))
    shaded = False
    seen = np.bincount(projection.labels.ravel(), minlength=len(projection.pieces) + 1)[1:].tolist()
    for piece, pixels in zip(projection.pieces, seen, strict=True):
        if not pixels:
            continue
        if not shaded and piece.shape.layer > DECOR:
            _shadows(canvas, scene, projection)
            shaded = True
        _paint_piece(canvas, piece, projection)
    if scale > 1:
        canvas = cv2.resize(canvas, size[::-1], interpolation=cv2.INTER_AREA)
    return expose(canvas, scene.light)


def _sky(sky: Sky, projection: Projection) -> Array:
    """A gradient from the horizon up, with clouds that stand still in the world (they turn with the camera)."""
    height, width = size = projection.size
    camera = projection.camera
    ahead = camera.rotation[2]
    f = camera.focal * min(size)
    horizon = height / 2 + f * ahead[1]  # about: where the direction is level
    rise = np.clip((horizon - np.arange(height)) / (0.9 * f), 0, 1)[:, None]
    column = np.asarray(sky.bottom) + rise * (np.asarray(sky.top) - np.asarray(sky.bottom))
    canvas = np.repeat(column.astype(np.uint8)[:, None], width, axis=1)
    if sky.clouds > 0.1:
        tile = textures.tile("clouds")[0]
        unit = 180.0 / f
        shift = (sky.shift[0] + 180.0 * np.arctan2(ahead[0], ahead[2]), sky.shift[1] - unit * horizon * 2)
        inverse = np.array([[unit, 0.0, shift[0]], [0.0, unit * 2, shift[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        noise = cv2.warpAffine(tile, inverse, (width, height), flags=flags, borderMode=cv2.BORDER_WRAP)
        share = np.clip((noise.astype(np.float32) / 255 - 1 + sky.clouds) * 2.2, 0, 0.8)[..., None]
        light = np.float32(min(max(sky.bottom) + 20.0, 255.0))
        canvas = (canvas + share * (light - canvas)).astype(np.uint8)
    return canvas


def _shadows(canvas: Array, scene: Scene, projection: Projection) -> None:
    """Soft dark patches on the ground under subjects and things."""
    scale, size = projection.oversampling, projection.size
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    for entity in projection.entities[1:]:
        wide, deep = _FOOTPRINTS.get(entity.name, (0.42, 0.35))
        local = np.stack([wide * np.cos(angles), np.full(16, 0.005), deep * np.sin(angles)], -1)
        points, depth = projection.camera.world_to_image(local @ entity.axes + entity.position, size)
        if depth.min() < 0.2:
            continue
        polygon = points * scale - 0.5
        blur = max(int((polygon[:, 1].max() - polygon[:, 1].min()) * 0.3), 1)
        low = np.maximum(np.floor(polygon.min(0)).astype(int) - blur, 0)
        high = np.minimum(np.ceil(polygon.max(0)).astype(int) + blur + 1, canvas.shape[1::-1])
        if (high - low).min() <= 2:
            continue
        mask = np.full((high[1] - low[1], high[0] - low[0]), 255, np.uint8)
        cv2.fillConvexPoly(mask, np.rint((polygon - low) * (1 << SHIFT)).astype(np.int32), 140, cv2.LINE_AA, SHIFT)
        mask = cv2.blur(mask, (blur, blur))
        region = canvas[low[1] : high[1], low[0] : high[0]]
        region[:] = cv2.multiply(region, cv2.merge([mask, mask, mask]), scale=1 / 255)


def _paint_piece(canvas: Array, piece: Piece, projection: Projection) -> None:
    material, polygon = piece.shape.material, piece.polygon
    if material.texture is None or material.second is None:
        cv2.fillConvexPoly(canvas, polygon, material.colour, cv2.LINE_AA, SHIFT)
        if material.round and piece.core is not None:
            # A lighter core, up and to the left, so that limbs look round.
            lit = tuple(min(channel * 1.1 + 6, 255.0) for channel in material.colour)
            hull = cv2.convexHull(piece.core.reshape(-1, 2)).astype(np.int32)
            cv2.fillConvexPoly(canvas, hull, lit, cv2.LINE_AA, SHIFT)
        return
    height, width = canvas.shape[:2]
    (left, top), (right, bottom) = polygon.min(0).tolist(), polygon.max(0).tolist()
    x0, y0 = max(left >> SHIFT, 0), max(top >> SHIFT, 0)
    x1, y1 = min((right >> SHIFT) + 2, width), min((bottom >> SHIFT) + 2, height)
    if x1 - x0 < 7 or y1 - y0 < 7:
        middle = tuple((a + b) / 2 for a, b in zip(material.colour, material.second, strict=True))
        cv2.fillConvexPoly(canvas, polygon, middle, cv2.LINE_AA, SHIFT)
        return
    pattern = _pattern(piece, projection, (x0, y0, x1, y1))
    first, second = np.array(material.colour, np.float32), np.array(material.second, np.float32)
    painted = cv2.applyColorMap(pattern, (first + _SHARES * (second - first)).astype(np.uint8))
    if material.round:
        light = np.interp(np.arange(x1 - x0), [0, 0.35 * (x1 - x0), x1 - x0], [0.88, 1.1, 0.72]).astype(np.float32)
        painted = cv2.multiply(painted, np.repeat(np.repeat(light[None, :, None], y1 - y0, 0), 3, 2), dtype=cv2.CV_8U)
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillConvexPoly(mask, polygon - (np.array([x0, y0], np.int32) << SHIFT), 255, cv2.LINE_8, SHIFT)
    cv2.copyTo(painted, mask, canvas[y0:y1, x0:x1])


def _pattern(piece: Piece, projection: Projection, region: tuple[int, int, int, int]) -> Array:
    """uint8: how much of the second colour lies at each painted pixel of a region (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = region
    material, scale = piece.shape.material, projection.oversampling
    assert material.texture is not None
    levels = textures.tile(material.texture)
    matrix = piece.surface_to_image(projection.camera, projection.size)
    f = projection.camera.focal * min(projection.size) * scale
    depth = _typical_depth(piece)
    texels = textures.TILE / material.tile * depth / f  # texels of the finest level per painted pixel
    level = min(max(int(np.log2(max(texels * 0.8, 1.0))), 0), len(levels) - 1)
    tile = levels[level]
    texel = material.tile / tile.shape[0]
    # texel index -> metres -> image -> painted pixels of the region; both sides count pixels from their centres
    forward = np.array([[scale, 0, -x0 - 0.5], [0, scale, -y0 - 0.5], [0, 0, 1.0]]) @ matrix
    forward = forward @ np.array([[texel, 0, 0.5 * texel], [0, texel, 0.5 * texel], [0, 0, 1.0]])
    mode = (cv2.INTER_NEAREST if scale > 1 else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP
    shape = (x1 - x0, y1 - y0)
    if piece.shape.surface == "axis":
        inverse = cv2.invertAffineTransform(forward[:2])
        return cv2.warpAffine(tile, inverse, shape, flags=mode, borderMode=cv2.BORDER_WRAP)
    pattern = cv2.warpPerspective(tile, np.linalg.inv(forward), shape, flags=mode, borderMode=cv2.BORDER_WRAP)
    if piece.shape.layer in (GROUND, WALL):
        return _faded(pattern, piece, projection, region, tile)
    return pattern


def _typical_depth(piece: Piece) -> Number:
    """The distance at which a pattern is sampled well: of the ground that of its near part."""
    depth = piece.local[:, 2]
    if piece.shape.layer == GROUND:
        return float(np.clip(depth.min(), 2.5, 4.0))
    return max(float(depth.mean()), 0.3) if depth.min() > 0 else 4.0


def _faded(
    pattern: Array, piece: Piece, projection: Projection, region: tuple[int, int, int, int], tile: Array
) -> Array:
    """The pattern, fading to its mean where its texels become smaller than a pixel."""
    x0, y0, x1, y1 = region
    scale, mean = projection.oversampling, float(tile.mean())
    a, b, c, low, _ = piece.inverse_depth(projection.camera, projection.size)
    middle = (x0 + x1) / 2 / scale
    rows = (np.arange(y0, y1) + 0.5) / scale
    inverse = np.maximum(a * middle + b * rows + c, max(low, 1e-4))
    f = projection.camera.focal * min(projection.size) * scale
    pixels = f * inverse * piece.shape.material.tile / tile.shape[0]  # painted pixels per texel
    weight = np.clip(pixels * 2.2, 0.12, 1.0).astype(np.float32)[:, None]
    if weight.min() > 0.99:
        return pattern
    return (mean + (pattern - np.float32(mean)) * weight).astype(np.uint8)


def expose(image: Array, light: Light) -> Array:
    """Light, colour cast, contrast, noise and blur of a camera."""
    height, width = image.shape[:2]
    side = min(height, width)
    curve = np.linspace(0, 1, 256) ** light.gamma
    curve = np.clip(0.5 + (curve - 0.5) * light.contrast, 0, 1) * 255
    if light.even:
        table = np.rint(np.clip(curve[:, None] * np.asarray(light.cast), 0, 255)).astype(np.uint8)
        return cv2.LUT(image, table[:, None])
    x = ((np.arange(width, dtype=np.float32) + 0.5 - width / 2) / side + 0.5)[None]
    y = ((np.arange(height, dtype=np.float32) + 0.5 - height / 2) / side + 0.5)[:, None]
    u, v, radius, strength = light.spot
    field = 1 + light.slope[0] * (x - 0.5) + light.slope[1] * (y - 0.5)
    field = field + strength * np.exp(-((x - u) ** 2) / radius**2) * np.exp(-((y - v) ** 2) / radius**2)
    values = cv2.LUT(image, curve.astype(np.float32))
    values *= np.asarray(light.cast, np.float32) * np.clip(field, 0.35, 1.6).astype(np.float32)[..., None]
    if light.blur * side > 0.3:
        values = cv2.GaussianBlur(values, (0, 0), light.blur * side)
    if light.noise > 0:
        rows, columns = (start + np.arange(side) for start, side in zip(light.grain, (height, width), strict=True))
        grain = textures.grain().take(rows, 0, mode="wrap").take(columns, 1, mode="wrap")
        values += np.float32(light.noise) * grain
    return cv2.convertScaleAbs(np.clip(values, 0, 255))


def depth_map(projection: Projection) -> Array:
    """float32 (height, width) metres along the camera's axis; NaN in the sky, where there is no surface."""
    scale = projection.oversampling
    return _depth(projection, projection.labels[scale // 2 :: scale, scale // 2 :: scale], projection.size)


def _depth(projection: Projection, labels: Array, raster: Size) -> Array:
    """float32: metres at each of a raster's labels; NaN where there is no surface."""
    rows = [piece.inverse_depth(projection.camera, projection.size) for piece in projection.pieces]
    table = np.array([(0.0, 0.0, 0.0, 0.0, 0.0), *rows], dtype=np.float32)
    height, width = raster
    x = ((np.arange(width, dtype=np.float32) + 0.5) * (projection.size[1] / width))[None]
    y = ((np.arange(height, dtype=np.float32) + 0.5) * (projection.size[0] / height))[:, None]
    found = table[labels]
    inverse = np.clip(found[..., 0] * x + found[..., 1] * y + found[..., 2], found[..., 3], found[..., 4])
    # Rounded outlines reach a fraction of a pixel over the horizon.
    depth = 1 / np.maximum(inverse, 1 / MAX_DEPTH)
    return np.where(labels > 0, depth, np.nan).astype(np.float32)


def edge_map(projection: Projection) -> Array:
    """float32 (height, width) in [0, 1]: lines one pixel wide along the borders between surfaces.

    A border runs where neighbouring pieces belong to different things or differ in paint, and where depth jumps; not
    where two parts of one body in one colour join. Each value is the share of the pixel's area within half a pixel of
    a border, so a border between two pixels gives 0.5 to both.
    """
    labels = projection.labels
    raster: Size = (labels.shape[0], labels.shape[1])
    depth = np.nan_to_num(_depth(projection, labels, raster), nan=1e6)
    surfaces: dict[object, int] = {}
    table = [0]
    for piece in projection.pieces:
        table.append(surfaces.setdefault((piece.entity, piece.shape.material), len(surfaces) + 1))
    surface = np.array(table)[labels]
    if projection.oversampling == 1:
        # Borders must be resolved to half a pixel.
        labels, surface, depth = (of.repeat(2, axis=0).repeat(2, axis=1) for of in (labels, surface, depth))
    edges = np.zeros(labels.shape, dtype=np.float32)
    for before, after in (np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:]):
        jump = np.abs(depth[before] - depth[after]) > _DEPTH_STEP * np.minimum(depth[before], depth[after])
        border = (surface[before] != surface[after]) | (jump & (labels[before] != labels[after]))
        edges[before][border] = edges[after][border] = 1
    height, width = projection.size
    means: Array = edges.reshape(height, 2, width, 2).mean((1, 3))
    return means
