"""Decoded images kept in memory: a small data set is read from disk once, not once per epoch."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gensight.samples import Array, Sample

LIMIT_BYTES = 256 * 2**20


@dataclass(eq=False)
class ImageMemory:
    """Keeps the first images that fit, and never drops one. Only images of files are kept, not rendered ones.

    Epochs go through a data set in a new order each time, so one that does not fit gains nothing from keeping what
    came last: every image would be dropped before it is seen again. Each loader process has its own memory.

    Attributes:
        limit_bytes: How much to keep, in all.
    """

    limit_bytes: int = LIMIT_BYTES
    _kept: dict[tuple[str, str], Array] = field(default_factory=dict)
    _bytes: int = 0

    def image(self, sample: Sample) -> Array:
        """The sample's image, not to be written to."""
        if sample.path is None:
            return sample.image()
        place = sample.path, sample.key  # frames of a video share a path
        if place in self._kept:
            return self._kept[place]
        image = _load(sample.image)
        if self._bytes + image.nbytes <= self.limit_bytes:
            self._kept[place] = image
            self._bytes += image.nbytes
        return image


def _load(read: Callable[[], Array]) -> Array:
    image = read().view()
    image.flags.writeable = False  # it is handed out again
    return image
