"""Small vectors as plain tuples: for a few dozen points these are faster than arrays."""

from gensight.puppets.shapes import Number, Vector

SIDES = (("left", 1.0), ("right", -1.0))  # of a body, and the sign of its first axis there


def add(a: Vector, b: Vector, scale: Number = 1.0) -> Vector:
    """a + scale b."""
    return a[0] + scale * b[0], a[1] + scale * b[1], a[2] + scale * b[2]


def between(a: Vector, b: Vector, share: Number) -> Vector:
    """The point at a share of the way from a to b."""
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2])


def combine(weights: Vector, axes: tuple[Vector, Vector, Vector]) -> Vector:
    """The weighted sum of three axes."""
    (x, y, z), (a, b, c) = weights, axes
    return x * a[0] + y * b[0] + z * c[0], x * a[1] + y * b[1] + z * c[1], x * a[2] + y * b[2] + z * c[2]


def dot(a: Vector, b: Vector) -> Number:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def unit(v: Vector) -> Vector:
    """v at length 1."""
    length = max(dot(v, v) ** 0.5, 1e-9)
    return v[0] / length, v[1] / length, v[2] / length
