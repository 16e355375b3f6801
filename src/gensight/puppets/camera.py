"""The pinhole camera of a scene, and the projection of a scene to polygons."""

from dataclasses import dataclass
from functools import cached_property
from math import cos, sin

import cv2
import numpy as np

from gensight.puppets.shapes import SOLID, Entity, Number, Shape
from gensight.samples import Array, Size

NEAR = 0.12  # metres: nothing nearer is drawn
SHIFT = 4  # fractional bits of OpenCV's drawing coordinates


def _circle(num_points: int) -> Array:
    angles = np.linspace(0, 2 * np.pi, num_points, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], -1)


_CIRCLE, _CORE = _circle(12), _circle(8)


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera.

    Attributes:
        position: float64 (3,), metres.
        rotation: float64 (3, 3): rows are the camera's right, up and forward in the world.
        focal: Focal length as a share of the image's shorter side, so that every size shows the same picture and
            longer images show more of it.
    """

    position: Array
    rotation: Array
    focal: Number

    def world_to_camera(self, points: Array) -> Array:
        """(..., 3) world metres to (right, up, depth)."""
        return (points - self.position) @ self.rotation.T

    def intrinsics(self, size: Size) -> Array:
        """float64 (3, 3): camera coordinates as `pose` has them to homogeneous image pixels."""
        f = self.focal * min(size)
        return np.array([[f, 0.0, size[1] / 2], [0.0, f, size[0] / 2], [0.0, 0.0, 1.0]])

    @property
    def pose(self) -> Array:
        """float64 (4, 4), rigid: camera coordinates (x right, y down, z forward) to a world whose y points down too.

        Cameras and worlds here have y up, which other software doesn't expect.
        """
        flip = np.array([1.0, -1.0, 1.0])
        pose = np.eye(4)
        pose[:3, :3] = flip[:, None] * self.rotation.T * flip
        pose[:3, 3] = flip * self.position
        return pose

    def world_to_image(self, points: Array, size: Size) -> tuple[Array, Array]:
        """(..., 3) world metres to (..., 2) pixels and their depth (...) in metres; NaN pixels behind the camera."""
        local = self.world_to_camera(np.asarray(points, dtype=np.float64))
        depth = local[..., 2]
        scale = self.focal * min(size) / np.where(depth > NEAR, depth, np.nan)
        x, y = size[1] / 2 + scale * local[..., 0], size[0] / 2 - scale * local[..., 1]
        return np.stack([x, y], -1), depth


def look(x: Number, height: Number, z: Number, yaw: Number, pitch: Number, roll: Number, focal: Number) -> Camera:
    """A camera at (x, height, z) that looks along +z, turned right by yaw, up by pitch and rolled (radians)."""
    turn = np.array([[cos(yaw), 0, -sin(yaw)], [0, 1, 0], [sin(yaw), 0, cos(yaw)]])
    tilt = np.array([[1, 0, 0], [0, cos(pitch), -sin(pitch)], [0, sin(pitch), cos(pitch)]])
    spin = np.array([[cos(roll), sin(roll), 0], [-sin(roll), cos(roll), 0], [0, 0, 1]])
    return Camera(np.array([x, height, z]), spin @ tilt @ turn, focal)


@dataclass(slots=True, eq=False)
class Piece:
    """One shape as it is seen.

    Attributes:
        entity: Index of the entity it belongs to.
        shape: What it is.
        local: float64 (n, 4): its balls in camera coordinates and their radii, in metres.
        polygon: int32 (m, 2): convex outline in painted pixels with `SHIFT` fractional bits, as OpenCV fills it.
        core: float32 (n, 8, 2): points of the lit core of its balls, in the same units; None where it is too thin.
    """

    entity: int
    shape: Shape
    local: Array
    polygon: Array
    core: Array | None

    def surface_to_image(self, camera: Camera, size: Size) -> Array:
        """float64 (3, 3): homogeneous paint coordinates (u, v) in metres to image pixels.

        A flat shape's u runs from its first to its second corner. Of any other shape, v runs from its first to its last
        ball and u to the side, moved by the shape's `slide`.
        """
        if self.shape.surface == "plane":
            origin, first, last = self.local[0, :3], self.local[1, :3], self.local[-1, :3]
            u, v = _unit(first - origin), _unit(last - origin)
            upwards = np.array([1.0, -1.0, 1.0])  # of what is up here, image rows go down
            return (camera.intrinsics(size) * upwards) @ np.stack([u, v, origin], 1)
        f, half_width, half_height = camera.focal * min(size), size[1] / 2, size[0] / 2
        (ax, ay, az, _), (bx, by, bz, _) = self.local[0].tolist(), self.local[-1].tolist()
        pa, qa, pb, qb = f * ax / az, -f * ay / az, f * bx / bz, -f * by / bz
        scale = 2 * f / (az + bz)
        length = max(((ax - bx) ** 2 + (ay - by) ** 2 + (az - bz) ** 2) ** 0.5, 1e-3)
        dx, dy = pb - pa, qb - qa
        seen = (dx * dx + dy * dy) ** 0.5
        if length < 0.02:
            dx, dy = 0.0, 1.0
            vx, vy = dx * scale, dy * scale
        elif seen < 0.25 * scale * length:  # an axis towards the camera gives no direction
            dx, dy = (dx / seen, dy / seen) if seen > 0.05 * scale * length else (0.0, 1.0)
            vx, vy = dx * 0.25 * scale, dy * 0.25 * scale
        else:
            vx, vy = dx / length, dy / length
            dx, dy = dx / seen, dy / seen
        ux, uy = -dy * scale, dx * scale
        shift = self.shape.slide
        return np.array(
            [[ux, vx, half_width + pa - shift * ux], [uy, vy, half_height + qa - shift * uy], [0.0, 0.0, 1.0]]
        )

    def inverse_depth(self, camera: Camera, size: Size) -> tuple[Number, Number, Number, Number, Number]:
        """(a, b, c, low, high): 1 / depth in 1 / m is a x + b y + c at image pixel (x, y), kept in [low, high].

        Exact for flat shapes; rounded ones have the depth of their axis, loose ones of their middle.
        """
        f, cx, cy = camera.focal * min(size), size[1] / 2, size[0] / 2
        z = self.local[:, 2]
        if self.shape.surface == "plane":
            origin = self.local[0, :3]
            normal = np.cross(self.local[1, :3] - origin, self.local[-1, :3] - origin)
            distance = float(normal @ origin)
            if abs(distance) < 1e-9:  # seen edge on
                return 0.0, 0.0, 1 / max(float(z.mean()), NEAR), 0.0, np.inf
            nx, ny, nz = (normal / distance).tolist()
            return nx / f, -ny / f, nz - nx * cx / f + ny * cy / f, 0.0, np.inf
        if self.shape.surface == "loose":
            return 0.0, 0.0, len(z) / float(z.sum()), 0.0, np.inf
        low, high = 1 / float((z + self.local[:, 3]).max()), 1 / max(float((z - self.local[:, 3]).min()), NEAR)
        (ax, ay, az, _), (bx, by, bz, _) = self.local[0].tolist(), self.local[-1].tolist()
        pa, qa, pb, qb = cx + f * ax / az, cy - f * ay / az, cx + f * bx / bz, cy - f * by / bz
        dx, dy = pb - pa, qb - qa
        squared = dx * dx + dy * dy
        if squared < (0.02 * f / az) ** 2 or az == bz:
            return 0.0, 0.0, len(z) / float(z.sum()), low, high
        rate = (1 / bz - 1 / az) / squared
        return rate * dx, rate * dy, 1 / az - rate * (dx * pa + dy * qa), low, high


def _unit(v: Array) -> Array:
    return v / np.linalg.norm(v)


@dataclass(frozen=True, eq=False)
class Projection:
    """A scene's entities as one camera sees them at one image size: pieces in the order in which they are painted."""

    entities: list[Entity]
    camera: Camera
    size: Size
    pieces: list[Piece]

    @property
    def oversampling(self) -> int:
        """Painted pixels per image pixel and axis; see `oversampling`."""
        return oversampling(self.size)

    @cached_property
    def labels(self) -> Array:
        """uint16 (height, width) times the oversampling: index + 1 of the topmost piece, 0 where there is none."""
        scale = self.oversampling
        canvas = np.zeros((self.size[0] * scale, self.size[1] * scale), np.uint16)
        for index, piece in enumerate(self.pieces):
            cv2.fillConvexPoly(canvas, piece.polygon, index + 1, cv2.LINE_8, SHIFT)
        return canvas

    def piece_at(self, point: Array) -> Piece | None:
        """The topmost piece at an image point within the frame; None where there is none."""
        x, y = (int(value) for value in np.asarray(point) * self.oversampling)
        label = self.labels[y, x]
        return self.pieces[label - 1] if label else None

    def depth_at(self, point: Array) -> Number:
        """Depth in metres of the topmost surface at an image point within the frame; infinite where there is none."""
        piece = self.piece_at(point)
        if piece is None:
            return np.inf
        a, b, c, low, high = piece.inverse_depth(self.camera, self.size)
        inverse = min(max(a * float(point[0]) + b * float(point[1]) + c, low), high)
        return 1 / inverse if inverse > 0 else np.inf

    @cached_property
    def owners(self) -> Array:
        """int16 (height, width): index of the topmost entity at each pixel, -1 where there is none."""
        table = np.array([-1] + [piece.entity for piece in self.pieces], np.int16)
        scale = self.oversampling
        # A pixel belongs to what covers its lower right quarter: the one nearest to the drawing library's own rounding.
        return table[self.labels[scale // 2 :: scale, scale // 2 :: scale]]


def oversampling(size: Size) -> int:
    """Painted pixels per image pixel and axis: small images are rendered larger and averaged."""
    return 2 if min(size) <= 256 else 1


def project(entities: list[Entity], camera: Camera, size: Size) -> Projection:
    """Projects all shapes, drops those out of sight or facing away, and orders the rest from far to near."""
    shapes = [(index, shape) for index, entity in enumerate(entities) for shape in entity.shapes if shape.balls]
    counts = np.array([len(shape.balls) for _, shape in shapes])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    local = _local(entities, camera)
    depth = np.maximum(local[:, 2], NEAR)
    middles, radii = _fixed_point(local, depth, camera, size)
    rims = np.rint(middles[:, None] + _CIRCLE * radii).astype(np.float32)
    cores = (middles[:, None] + (0.55 * _CORE - 0.22) * radii).astype(np.float32)
    low = np.minimum.reduceat(middles - radii[:, 0], starts)
    high = np.maximum.reduceat(middles + radii[:, 0], starts)
    thick = (np.maximum.reduceat(radii[:, 0, 0], starts) > (1 << SHIFT)).tolist()
    limit = np.array(size[::-1]) * (oversampling(size) << SHIFT)
    behind = np.logical_or.reduceat(local[:, 2] < NEAR, starts)
    seen = (((high > 0) & (low < limit)).all(1) | behind).tolist()
    mean = (np.add.reduceat(local[:, 2], starts) / counts).tolist()
    origins = [
        float(camera.world_to_camera(np.array(entity.position))[2]) if entity.whole else None for entity in entities
    ]
    keys: list[tuple[int, Number, int]] = []
    pieces: list[Piece] = []
    spans = zip(starts.tolist(), counts.tolist(), seen, behind.tolist(), mean, thick, strict=True)
    for (index, shape), (start, count, visible, cut, distance, lit) in zip(shapes, spans, strict=True):
        if not visible:
            continue
        stop = start + count
        polygon = _outline(shape, local[start:stop], rims[start:stop], cut, camera, size)
        if polygon is None:
            continue
        key = -distance - shape.bias
        origin = origins[index]
        keys.append((shape.layer, key if origin is None else -origin + 1e-3 * key, len(pieces)))
        pieces.append(Piece(index, shape, local[start:stop], polygon, cores[start:stop] if lit else None))
    return Projection(entities, camera, size, [pieces[key[2]] for key in sorted(keys)])


def _local(entities: list[Entity], camera: Camera) -> Array:
    """float64 (n, 4): all balls in camera coordinates."""
    rows = []
    for entity in entities:
        balls = [ball for shape in entity.shapes for ball in shape.balls]
        if balls:
            array = np.array(balls, dtype=np.float64)
            turn = entity.axes @ camera.rotation.T
            array[:, :3] = array[:, :3] @ turn + camera.world_to_camera(np.array(entity.position))
            rows.append(array)
    return np.concatenate(rows)


def _fixed_point(local: Array, depth: Array, camera: Camera, size: Size) -> tuple[Array, Array]:
    """Centres (n, 2) and radii (n, 1, 1) of balls in painted pixels, times 2 ** SHIFT."""
    scale = oversampling(size)
    unit = float(scale << SHIFT)
    f = camera.focal * min(size) * unit
    centre = np.array([size[1] / 2, size[0] / 2]) * unit - 0.5 * (1 << SHIFT)
    return centre + local[:, :2] * np.array([f, -f]) / depth[:, None], (f * local[:, 3] / depth)[:, None, None]


def _outline(shape: Shape, local: Array, rims: Array, cut: bool, camera: Camera, size: Size) -> Array | None:
    """The shape's polygon, or None where it is too near or faces away; `cut`: part of it is nearer than `NEAR`."""
    if shape.surface != "plane":
        return None if cut else cv2.convexHull(rims.reshape(-1, 2))[:, 0].astype(np.int32)
    points = rims[:, 0]
    if cut:
        corners = _clip_near(local[:, :3])
        if shape.layer == SOLID or len(corners) < 3:
            return None
        points = np.rint(_fixed_point(np.pad(corners, ((0, 0), (0, 1))), corners[:, 2], camera, size)[0])
    if shape.one_sided:
        (ax, ay), (bx, by), (cx, cy) = points[0].tolist(), points[1].tolist(), points[2].tolist()
        if (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) > 0:
            return None
    return points.astype(np.int32)


def _clip_near(corners: Array) -> Array:
    """A polygon (n, 3) in camera coordinates without its part nearer than `NEAR`."""
    kept = []
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if a[2] >= NEAR:
            kept.append(a)
        if (a[2] >= NEAR) != (b[2] >= NEAR):
            kept.append(a + (b - a) * (NEAR - a[2]) / (b[2] - a[2]))
    return np.array(kept).reshape(-1, 3)
