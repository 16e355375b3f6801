import re
from pathlib import Path

import numpy as np
import pytest
import torch

from gensight.diffusion.noise import item_keys
from gensight.errors import DataError, RunError
from gensight.methods.pretrain import pool as pool_module
from gensight.methods.pretrain.pool import ImageSource, PoolSettings, fit_image, open_pool, source_index
from gensight.readers.base import Reader, Summary
from gensight.samples import Sample


class Ramps(Reader):
    """Each image is a ramp in x and y, with its number in blue; broken ones raise."""

    def __init__(self, count: int, size: tuple[int, int] = (20, 30), broken: int | None = None) -> None:
        self.count, self.size, self.broken = count, size, broken

    def __len__(self) -> int:
        return self.count

    def sample(self, index: int) -> Sample:
        def image() -> np.ndarray:
            if index == self.broken:
                raise DataError("the image is broken", where=f"image {index}")
            pixels = np.zeros((*self.size, 3), dtype=np.uint8)
            pixels[..., 0] = np.arange(self.size[1])
            pixels[..., 1] = np.arange(self.size[0])[:, None]
            pixels[..., 2] = index % 256
            return pixels

        return Sample(str(index), self.size, image, caption=f"number {index}" if index % 2 else None)

    def check(self) -> Summary:
        return Summary(self.count, 0, ())


def settings(count: int, **changes: object) -> PoolSettings:
    values: dict = {"source": "ramps", "num_images": count, "size": (20, 30), **changes}
    return PoolSettings(**values)


def test_images_and_captions_come_back_as_read(tmp_path):
    pool = open_pool(Ramps(5), tmp_path, settings(5), workers=0)
    assert len(pool) == 5
    for index in range(5):
        assert np.array_equal(pool.images[index], Ramps(5).sample(index).image())
        assert pool.sample(index).caption == (f"number {index}" if index % 2 else None)


def test_captions_can_be_left_out(tmp_path):
    pool = open_pool(Ramps(3), tmp_path, settings(3, captions=False), workers=0)
    assert pool.captions == ["", "", ""]


def test_an_interrupted_pool_goes_on_with_the_missing_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(pool_module, "SHARD", 2)
    with pytest.raises(DataError, match="image 5"):
        open_pool(Ramps(7, broken=5), tmp_path, settings(7), workers=0)
    finished = sorted(path.name for path in (tmp_path / "captions").iterdir())
    assert finished == ["000000.json", "000001.json"]
    # Image 0 would be reported broken now, if it were read again.
    pool = open_pool(Ramps(7, broken=0), tmp_path, settings(7), workers=0)
    assert [int(image[0, 0, 2]) for image in pool.images] == list(range(7))


@pytest.mark.parametrize("workers", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
def test_images_that_are_not_kept_are_drawn_when_their_turn_comes(tmp_path, monkeypatch, workers):
    if not workers:  # worker processes have the module's own shards
        monkeypatch.setattr(pool_module, "SHARD", 2)
    shard, count = pool_module.SHARD, 3 * pool_module.SHARD - 1
    pool = open_pool(Ramps(count), tmp_path, settings(count, num_kept=1), workers)
    assert len(pool) == count
    assert len(pool.images) == len(pool.captions) == shard == len(ImageSource(pool, 8))
    starts, numbers = [], []
    for start, pixels in pool.blocks():
        starts.append(start)
        numbers += [int(image[0, 0, 2]) for image in pixels]
    assert starts == [0, shard, 2 * shard]
    assert numbers == [index % 256 for index in range(count)]
    assert pool.captions == [f"number {index}" if index % 2 else "" for index in range(count)]
    again = open_pool(Ramps(count, broken=0), tmp_path, settings(count, num_kept=1), workers=0)
    assert again.captions == pool.captions
    assert [start for start, _ in again.blocks(shard)] == [shard, 2 * shard]


def test_a_last_shard_that_is_not_full_comes_once(tmp_path, monkeypatch):
    monkeypatch.setattr(pool_module, "SHARD", 2)
    pool = open_pool(Ramps(5), tmp_path, settings(5), workers=0)
    assert [(start, len(pixels)) for start, pixels in pool.blocks()] == [(0, 2), (2, 2), (4, 1)]
    assert list(pool.blocks(5)) == []


def test_another_data_sets_pool_is_refused(tmp_path):
    open_pool(Ramps(2), tmp_path, settings(2), workers=0)
    with pytest.raises(RunError, match=re.escape("this folder holds the images of other data")):
        open_pool(Ramps(2), tmp_path, settings(2, source="other"), workers=0)


def test_more_images_than_samples_are_other_crops_of_the_same(tmp_path):
    pool = open_pool(Ramps(2), tmp_path, settings(8, size=(8, 8), resize=(20, 30)), workers=0)
    assert [int(image[0, 0, 2]) for image in pool.images] == [0] * 4 + [1] * 4
    corners = {tuple(image[0, 0, :2].tolist()) for image in pool.images}
    assert len(corners) > 4
    assert source_index(7, 8, 2) == 1


@pytest.mark.parametrize(("image", "resize", "size"), [
    ((480, 640), None, (120, 160)),
    ((480, 640), (240, 320), (64, 96)),
    ((1, 1), None, (16, 24)),
    ((3, 500), None, (16, 16)),
    ((97, 33), (50, 50), (48, 40)),
])  # fmt: skip
def test_any_image_becomes_a_crop_of_the_asked_size(image, resize, size):
    pixels = np.zeros((*image, 3), dtype=np.uint8)
    for key in range(5):
        assert fit_image(pixels, settings(1, size=size, resize=resize), key).shape == (*size, 3)


def test_whole_images_of_the_same_aspect_are_not_cropped():
    ramp = np.repeat(np.linspace(0, 255, 640)[None, :, None], 480, axis=0).repeat(3, axis=2).astype(np.uint8)
    small = fit_image(ramp, settings(1, size=(48, 64)), key=3)
    assert small[0, 0, 0] <= 3
    assert small[0, -1, 0] >= 252


def test_an_empty_reader_is_refused(tmp_path):
    with pytest.raises(DataError, match="there are no images to learn from"):
        open_pool(Ramps(0), tmp_path, settings(1), workers=0)


def test_batches_are_crops_that_follow_from_their_keys(tmp_path: Path):
    source = ImageSource(open_pool(Ramps(4), tmp_path, settings(4), workers=0), crop=8)
    keys = item_keys(0, 0, range(4))
    batch = source.batch([0, 1, 2, 3], keys)
    assert batch.image.shape == (4, 3, 8, 8)
    assert batch.image.max() <= 1
    assert (batch.image[:, 2, 0, 0] * 255).round().tolist() == [0, 1, 2, 3]
    again = source.batch([3], keys[3:])
    assert torch.equal(again.image[0], batch.image[3])
    # A crop of a ramp is a ramp: it steps by one, either way where it is mirrored.
    steps = (batch.image[:, 0].diff(dim=-1) * 255).round().abs()
    assert torch.equal(steps, torch.ones_like(steps))
