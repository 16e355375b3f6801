"""Pictures and samples for the teachers' tests."""

import numpy as np

from gensight.samples import Array, Instance, Sample, Size


class Pixels:
    """A picture in memory, as `Sample.image` wants it: picklable."""

    def __init__(self, pixels: Array) -> None:
        self.pixels = pixels

    def __call__(self) -> Array:
        return self.pixels


def picture(size: Size, seed: int = 0) -> Array:
    """uint8 (height, width, 3): smooth blobs of colour."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    waves = [np.sin(x / rng.uniform(3, 9) + y / rng.uniform(3, 9) + rng.uniform(0, 6)) for _ in range(3)]
    return np.clip(np.stack(waves, axis=-1) * 100 + 128, 0, 255).astype(np.uint8)


def sample(size: Size = (40, 60), instances: tuple[Instance, ...] | None = None, seed: int = 0) -> Sample:
    return Sample(f"{seed}.png", size, Pixels(picture(size, seed)), instances=instances)


def person(*box: float, number: int | None = None, category: str = "person", confidence: float = 1.0) -> Instance:
    return Instance(category, np.array(box, dtype=np.float64), id=number, confidence=confidence)
