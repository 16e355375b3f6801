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


def _cell(side: Array, count: int, offset: Array | float = 0.0) -> Array:
    """Position within one of `count` cells along a side, in [0, 1)."""
    return (side * count + offset) % 1


def _bricks(x: Array, y: Array) -> Array:
    shift = (y * 8 // 1 % 2) * 0.5
    mortar = (_cell(x, 4, shift) < 0.06) | (_cell(y, 8) < 0.12)
    shade = np.random.default_rng(6).uniform(0, 0.45, (8, 4))
    return np.where(mortar, 1.0, shade[(y * 8).astype(int), ((x * 4 + shift) % 4).astype(int)])


def _tiles(x: Array, y: Array) -> Array:
    joint = (_cell(x, 4) < 0.05) | (_cell(y, 4) < 0.05)
    shade = np.random.default_rng(7).uniform(0, 0.2, (4, 4))
    return np.where(joint, 1.0, shade[(y * 4).astype(int), (x * 4).astype(int)])


def _planks(x: Array, y: Array) -> Array:
    column = (x * 6).astype(int)
    offset = np.random.default_rng(8).uniform(0, 1, 6)[column]
    joint = (_cell(x, 6) < 0.05) | (_cell(y, 1, offset) < 0.015)
    shade = np.random.default_rng(9).uniform(0, 0.4, 6)[column] + 0.3 * _noise(10, 1.3, 4.0)
    return np.where(joint, 1.0, shade)


def _plaid(x: Array, y: Array) -> Array:
    lines = (np.abs(_cell(x, 2) - 0.5) < 0.1) * 0.5 + (np.abs(_cell(y, 2) - 0.5) < 0.1) * 0.5
    return np.clip(lines + (_cell(x, 2) < 0.08) * 0.3, 0, 1)


def _dots(x: Array, y: Array) -> Array:
    shift = (y * 4 // 1 % 2) * 0.5
    return np.hypot(_cell(x, 4, shift) - 0.5, _cell(y, 4) - 0.5) < 0.3


# By name: the share of the second colour at (x, y) in [0, 1).
_PAINTERS: dict[str, Callable[[Array, Array], Array]] = {
    "stripes": lambda x, y: _cell(x, 4) < 0.5,
    "rows": lambda x, y: _cell(y, 4) < 0.5,
    "checks": lambda x, y: ((_cell(x, 4) < 0.5) * 1.0 + (_cell(y, 4) < 0.5)) / 2,
    "dots": _dots,
    "blots": lambda x, y: _noise(1, 2.2) > 0.62,
    "patches": lambda x, y: _noise(2, 3.0) > 0.55,
    "zebra": lambda x, y: np.sin(2 * np.pi * (y * 6 + 0.9 * _noise(4, 3.2))) > 0,
    "tabby": lambda x, y: 0.5 + 0.9 * np.sin(2 * np.pi * (y * 7 + 1.1 * _noise(5, 3.0))),
    "bricks": _bricks,
    "tiles": _tiles,
    "chessboard": lambda x, y: ((x * 4).astype(int) + (y * 4).astype(int)) % 2,
    "planks": _planks,
    "plaid": _plaid,
    "wallpaper": lambda x, y: np.sin(2 * np.pi * 3 * x) * np.sin(2 * np.pi * 3 * y) * 1.5,
    "grass": lambda x, y: _noise(11, 0.9, 1.6),
    "sand": lambda x, y: _noise(12, 0.7),
    "carpet": lambda x, y: 0.6 * _noise(13, 0.4) + 0.4 * _noise(14, 2.0),
    "snow": lambda x, y: 0.4 * _noise(15, 2.4),
    "pavement": lambda x, y: 0.7 * _noise(16, 1.1) + 0.3 * _noise(17, 0.2),
    "marble": lambda x, y: np.abs(np.sin(9 * _noise(18, 2.4))),
    "plaster": lambda x, y: _noise(19, 1.5),
    "wood": lambda x, y: _noise(20, 1.4, 5.0),
    "fur": lambda x, y: _noise(21, 0.9, 2.5),
    "wool": lambda x, y: _noise(22, 1.3),
    "leaves": lambda x, y: _noise(23, 1.0),
    "clouds": lambda x, y: _noise(24, 2.4, 0.7),
}


@cache
def tile(name: str) -> tuple[Array, ...]:
    """The texture `name` at 256, 128, 64 ... pixels a side, uint8, each the area mean of the one before."""
    y, x = np.mgrid[0:TILE, 0:TILE] / TILE
    levels = [np.clip(_PAINTERS[name](x, y) * 255.0, 0, 255).astype(np.uint8)]
    for _ in range(_LEVELS - 1):
        half = (levels[-1].shape[1] // 2, levels[-1].shape[0] // 2)
        levels.append(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA))
    return tuple(levels)


@cache
def grain() -> Array:
    """White noise, float32 (512, 512, 3) with mean 0 and deviation 1, from which images take their sensor noise."""
    return np.random.default_rng(25).standard_normal((512, 512, 3), dtype=np.float32)
