import numpy as np
import pytest

from gensight.loading.image_memory import ImageMemory
from gensight.samples import Array, Sample


class _Drawing:
    """A picture that counts how often it was read."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self) -> Array:
        self.reads += 1
        return np.full((4, 5, 3), 7, dtype=np.uint8)


def _sample(key: str, image: _Drawing, path: str | None = "clip.mp4") -> Sample:
    return Sample(key, (4, 5), image, path=path)


def test_a_file_is_read_once_and_cannot_be_changed() -> None:
    memory, image = ImageMemory(), _Drawing()
    first, second = (memory.image(_sample("a", image)) for _ in range(2))
    assert image.reads == 1
    assert np.array_equal(first, second)
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1


def test_frames_of_a_video_are_identified_by_their_keys() -> None:
    memory, one, other = ImageMemory(), _Drawing(), _Drawing()
    memory.image(_sample("clip#0", one))
    memory.image(_sample("clip#1", other))
    assert (one.reads, other.reads) == (1, 1)


def test_what_does_not_fit_is_read_again_and_what_was_kept_stays() -> None:
    memory, kept, left_out = ImageMemory(limit_bytes=100), _Drawing(), _Drawing()
    for _ in range(3):
        memory.image(_sample("a", kept))
        memory.image(_sample("b", left_out))
    assert (kept.reads, left_out.reads) == (1, 3)


def test_what_is_no_file_is_not_kept() -> None:
    memory, image = ImageMemory(), _Drawing()
    for _ in range(2):
        memory.image(_sample("a", image, path=None))
    assert image.reads == 2
