"""Procedural texture tiles, rendered once per process: the share of the second colour at each texel."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from gensight.puppets.shapes import Number
from gensight.samples import Array

TILE = 256
_LEVELS = 6


def _noise(seed: int, power: Number, stretch: Number = 1.0) -> Array:
    """Tileable noise in [0, 1] whose spectrum falls with frequency ** -power; stretch > 1 makes vertical grain."""
    spectrum = np.fft.rfft2(np.random.default_rng(seed).standard_normal((TILE, TILE)))
    fy, fx = np.fft.fftfreq(TILE)[:, None] * TILE, np.fft.rfftfreq(TILE)[None] * TILE
    radius = np.hypot(fy * stretch, fx / stretch)
    radius[0, 0] = np.inf
    values = np.fft.irfft2(spectrum * radius**-power, (TILE, TILE))
    ranks = np.argsort(np.argsort(values, axis=None)).reshape(values.shape)
    return ranks / values.size


def _grid() -> tuple[Array, Array]:
    y, x = np.mgrid[0:TILE, 0:TILE] / TILE
    return x, y


def _stripes() -> Array:
    x, _ = _grid()
    return (x * 4 % 1 < 0.5) * 1.0


def _rows() -> Array:
    _, y = _grid()
    return (y * 4 % 1 < 0.5) * 1.0


def _checks() -> Array:
    x, y = _grid()
    return ((x * 4 % 1 < 0.5) * 1.0 + (y * 4 % 1 < 0.5)) / 2


def _dots() -> Array:
    x, y = _grid()
    shift = (y * 4 // 1 % 2) * 0.5
    return (np.hypot((x * 4 + shift) % 1 - 0.5, y * 4 % 1 - 0.5) < 0.3) * 1.0


def _blots() -> Array:
    return (_noise(1, 2.2) > 0.62) * 1.0


def _patches() -> Array:
    return (_noise(2, 3.0) > 0.55) * 1.0


def _speckles() -> Array:
    return (_noise(3, 1.6) > 0.8) * 1.0


def _zebra() -> Array:
    x, y = _grid()
    return (np.sin(2 * np.pi * (y * 6 + 0.9 * _noise(4, 3.2) + 0.0 * x)) > 0) * 1.0


def _tabby() -> Array:
    _, y = _grid()
    return np.clip(0.5 + 0.9 * np.sin(2 * np.pi * (y * 7 + 1.1 * _noise(5, 3.0))), 0, 1)


def _bricks() -> Array:
    x, y = _grid()
    shift = (y * 8 // 1 % 2) * 0.5
    mortar = ((x * 4 + shift) % 1 < 0.06) | (y * 8 % 1 < 0.12)
    shade = np.random.default_rng(6).uniform(0, 0.45, (8, 4))
    rows, columns = (y * 8).astype(int), ((x * 4 + shift) % 4).astype(int)
    return np.where(mortar, 1.0, shade[rows, columns])


def _tiles() -> Array:
    x, y = _grid()
    joint = (x * 4 % 1 < 0.05) | (y * 4 % 1 < 0.05)
    shade = np.random.default_rng(7).uniform(0, 0.2, (4, 4))
    return np.where(joint, 1.0, shade[(y * 4).astype(int), (x * 4).astype(int)])


def _chessboard() -> Array:
    x, y = _grid()
    return ((x * 4).astype(int) + (y * 4).astype(int)) % 2 * 1.0


def _planks() -> Array:
    x, y = _grid()
    column = (x * 6).astype(int)
    offset = np.random.default_rng(8).uniform(0, 1, 6)
    joint = (x * 6 % 1 < 0.05) | ((y + offset[column]) % 1 < 0.015)
    shade = np.random.default_rng(9).uniform(0, 0.4, 6)[column] + 0.3 * _noise(10, 1.3, 4.0)
    return np.where(joint, 1.0, shade)


def _plaid() -> Array:
    x, y = _grid()
    lines = (np.abs(x * 2 % 1 - 0.5) < 0.1) * 0.5 + (np.abs(y * 2 % 1 - 0.5) < 0.1) * 0.5
    return np.clip(lines + (x * 2 % 1 < 0.08) * 0.3, 0, 1)


def _wallpaper() -> Array:
    x, y = _grid()
    return np.clip(np.sin(2 * np.pi * 3 * x) * np.sin(2 * np.pi * 3 * y) * 1.5, 0, 1)


_PAINTERS: dict[str, Callable[[], Array]] = {
    "stripes": _stripes,
    "rows": _rows,
    "checks": _checks,
    "dots": _dots,
    "blots": _blots,
    "patches": _patches,
    "speckles": _speckles,
    "zebra": _zebra,
    "tabby": _tabby,
    "bricks": _bricks,
    "tiles": _tiles,
    "chessboard": _chessboard,
    "planks": _planks,
    "plaid": _plaid,
    "wallpaper": _wallpaper,
    "grass": lambda: _noise(11, 0.9, 1.6),
    "sand": lambda: _noise(12, 0.7),
    "carpet": lambda: 0.6 * _noise(13, 0.4) + 0.4 * _noise(14, 2.0),
    "snow": lambda: 0.4 * _noise(15, 2.4),
    "pavement": lambda: 0.7 * _noise(16, 1.1) + 0.3 * _noise(17, 0.2),
    "marble": lambda: np.abs(np.sin(9 * _noise(18, 2.4))),
    "plaster": lambda: _noise(19, 1.5),
    "wood": lambda: _noise(20, 1.4, 5.0),
    "fur": lambda: _noise(21, 0.9, 2.5),
    "wool": lambda: _noise(22, 1.3),
    "leaves": lambda: _noise(23, 1.0),
    "clouds": lambda: _noise(24, 2.4, 0.7),
}
NAMES = tuple(_PAINTERS)


@cache
def tile(name: str) -> tuple[Array, ...]:
    """The texture `name` at 256, 128, 64 ... pixels a side, uint8, each the area mean of the one before."""
    levels = [np.clip(_PAINTERS[name]() * 255, 0, 255).astype(np.uint8)]
    for _ in range(_LEVELS - 1):
        half = (levels[-1].shape[1] // 2, levels[-1].shape[0] // 2)
        levels.append(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA))
    return tuple(levels)


@cache
def grain() -> Array:
    """White noise, float32 (512, 512, 3) with mean 0 and deviation 1, from which images take their sensor noise."""
    return np.random.default_rng(25).standard_normal((512, 512, 3), dtype=np.float32)
