"""The image pool: all images of a pretraining, decoded or rendered once, at the training size.

    pool.json          what the pool was made from
    images.u8          uint8 (num_kept, height, width, 3), memory-mapped
    captions/N.json    captions of shard N; written after the shard's pixels, so it also marks them as complete

Where pixels of some images only are kept, the others are drawn or decoded when `Pool.blocks` comes to them.

Filling it can be interrupted at any time: finished shards are kept.
"""

import math
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor

from gensight.errors import DataError, ResourceError, RunError
from gensight.files.atomic import json_values, read_json, write_json
from gensight.files.hashing import mix
from gensight.files.progress import ProgressLine
from gensight.readers.base import Reader
from gensight.samples import Array, Batch, Item, Sample, Size

SHARD = 128
Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class PoolSettings:
    """The settings of a pool.

    Attributes:
        source: Hash of the data section of the recipe.
        num_images: Images in the pool.
        size: (height, width) of each.
        resize: Images are scaled to cover this size, aspect kept, before the crop is taken; `size` itself if None, so
            that the crop is the whole image where it has the same aspect.
        captions: Whether captions are kept.
        seed: Draws the crops.
        num_kept: Images whose pixels are kept, rounded up to whole shards; None for all.
    """

    source: str
    num_images: int
    size: Size
    resize: Size | None = None
    captions: bool = True
    seed: int = 0
    num_kept: int | None = None

    @property
    def kept(self) -> int:
        """Number of images whose pixels are kept."""
        return self.num_images if self.num_kept is None else min(self.num_images, SHARD * _num_shards(self.num_kept))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the kept images: (number, height, width, 3)."""
        return (self.kept, *self.size, 3)


class Pool:
    """A pool whose kept images are there: images and captions by number.

    Attributes:
        images: uint8 (num_kept, height, width, 3), memory-mapped.
        captions: Of all images that were drawn so far; `blocks` adds those of the others.
    """

    def __init__(self, folder: Path, settings: PoolSettings, reader: Reader, workers: int) -> None:
        self.folder, self.settings = folder, settings
        self._reader, self._workers = reader, workers
        self.images = _memory_map(folder, settings, "r")
        self.captions: list[str] = []
        for shard in range(_num_shards(settings.num_images)):
            if not _shard_path(folder, shard).is_file():
                break
            self.captions += read_json(_shard_path(folder, shard))

    def __len__(self) -> int:
        return self.settings.num_images

    def blocks(self, first: int = 0) -> Iterator[tuple[int, Array]]:
        """All images from number `first` on, a shard at a time: the number of its first image, and uint8 pixels.

        Args:
            first: A multiple of the shard's size.
        """
        num_kept = len(self.images)
        for start in range(first, num_kept, SHARD):
            yield start, np.array(self.images[start : start + SHARD])
        shards = range(_num_shards(max(first, num_kept)), _num_shards(len(self)))
        drawn = _mapped(_draw_shard, [(self._reader, self.settings, shard) for shard in shards], self._workers)
        for shard, (pixels, captions) in zip(shards, drawn, strict=True):
            if len(self.captions) == shard * SHARD:
                self.captions += captions
                write_json(_shard_path(self.folder, shard), captions)
            yield shard * SHARD, pixels

    def sample(self, index: int) -> Sample:
        """The pooled image as a sample that carries its caption only."""
        return Sample(
            key=f"pool#{index:08d}",
            size=self.settings.size,
            image=lambda: np.array(self.images[index]),
            caption=self.captions[index] or None,
        )


@dataclass(frozen=True, eq=False)
class ImageSource:
    """Batches of square random crops of pooled images: what the autoencoder learns from.

    Attributes:
        pool: Of images.
        crop: Side of the crops; images that are smaller on a side are taken whole on that side.
    """

    pool: Pool
    crop: int

    def __len__(self) -> int:
        return len(self.pool.images)

    def batch(self, indices: list[int], keys: Tensor) -> Batch:
        height, width = self.pool.settings.size
        crop_height, crop_width = min(self.crop, height), min(self.crop, width)
        stack = np.empty((len(indices), crop_height, crop_width, 3), dtype=np.uint8)
        for row, (index, key) in enumerate(zip(indices, keys.tolist(), strict=True)):
            top = mix(key, 101) % (height - crop_height + 1)
            left = mix(key, 102) % (width - crop_width + 1)
            crop = self.pool.images[index, top : top + crop_height, left : left + crop_width]
            stack[row] = crop[:, ::-1] if mix(key, 103) % 2 else crop
        items = [Item((self.pool.sample(index),)) for index in indices]
        return Batch(items=items, views=[() for _ in items], keys=keys, images=(to_images(stack),))


def to_images(stack: Array) -> Tensor:
    """uint8 (B, height, width, 3) -> float32 (B, 3, height, width) in [0, 1], channels last in memory."""
    return torch.from_numpy(stack).permute(0, 3, 1, 2).float().div_(255).contiguous(memory_format=torch.channels_last)


def open_pool(reader: Reader, folder: Path, settings: PoolSettings, workers: int = 2) -> Pool:
    """Fills the pool in `folder` with the images that it keeps, resuming an interrupted run.

    The pool's images are spread evenly over the reader; where there are more of them than samples, the further ones
    are other crops of the same samples.

    Args:
        reader: Where images come from.
        folder: Of the pool.
        settings: What the pool shall hold.
        workers: Processes; 0 for none beside this one.

    Raises:
        DataError: If an image can't be read, or the reader is empty.
        RunError: If the folder holds the pool of other data.
        ResourceError: If the disk is too small.
    """
    if not len(reader):
        raise DataError("there are no images to learn from")
    _prepare(folder, settings)
    missing = [shard for shard in range(_num_shards(settings.kept)) if not _shard_path(folder, shard).is_file()]
    if missing:
        line = ProgressLine(settings.kept, "images", "images", settings.kept - SHARD * len(missing))
        jobs = [(reader, folder, settings, shard) for shard in missing]
        for number, _ in enumerate(_mapped(_fill_shard, jobs, workers), 1):
            line.show(settings.kept - SHARD * (len(missing) - number))
        line.close()
    return Pool(folder, settings, reader, workers)


def _mapped(function: Callable[[Job], Result], jobs: list[Job], workers: int) -> Iterator[Result]:
    """The results in order, of worker processes where there are some."""
    if not workers or not jobs:
        yield from map(function, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as executor:
        ahead = deque(executor.submit(function, job) for job in jobs[: 2 * workers])
        for job in [*jobs[2 * workers :], *[None] * min(len(jobs), 2 * workers)]:
            yield ahead.popleft().result()
            if job is not None:  # a few jobs ahead only: drawn images are held in memory until they are taken
                ahead.append(executor.submit(function, job))


def _one_thread() -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _prepare(folder: Path, settings: PoolSettings) -> None:
    description = json_values(asdict(settings))
    path = folder / "pool.json"
    if path.is_file() and read_json(path) != description:
        raise RunError(
            "this folder holds the images of other data",
            where=path,
            hint="choose another folder with --out, or delete this one",
        )
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "images.u8"
    num_bytes = math.prod(settings.shape)
    if not data.is_file() or data.stat().st_size != num_bytes:
        free = shutil.disk_usage(folder).free
        if free < 2 * num_bytes:
            raise ResourceError(
                f"the images need {2 * num_bytes / 1e9:.1f} GB on disk with what is made from them, "
                f"{free / 1e9:.1f} GB are free",
                where=folder,
                hint="choose another folder with --out, or lower num_images",
            )
        with data.open("wb") as file:
            file.truncate(num_bytes)
    write_json(path, description)


def _num_shards(num_images: int) -> int:
    return -(-num_images // SHARD)


def _memory_map(folder: Path, settings: PoolSettings, mode: str) -> Array:
    return np.memmap(folder / "images.u8", np.uint8, mode, shape=settings.shape)  # type: ignore[call-overload]


def _shard_path(folder: Path, shard: int) -> Path:
    return folder / "captions" / f"{shard:06d}.json"


def _fill_shard(job: tuple[Reader, Path, PoolSettings, int]) -> None:
    reader, folder, settings, shard = job
    block, captions = _draw_shard((reader, settings, shard))
    images = _memory_map(folder, settings, "r+")
    images[shard * SHARD : shard * SHARD + len(block)] = block
    images.flush()  # type: ignore[attr-defined]
    write_json(_shard_path(folder, shard), captions)


def _draw_shard(job: tuple[Reader, PoolSettings, int]) -> tuple[Array, list[str]]:
    reader, settings, shard = job
    start, stop = shard * SHARD, min((shard + 1) * SHARD, settings.num_images)
    captions: list[str] = []
    block = np.empty((stop - start, *settings.size, 3), dtype=np.uint8)
    for index in range(start, stop):
        sample = reader[source_index(index, settings.num_images, len(reader))]
        block[index - start] = fit_image(sample.image(), settings, mix(settings.seed, index))
        captions.append((sample.caption or "") if settings.captions else "")
    return block, captions


def source_index(index: int, num_images: int, num_samples: int) -> int:
    """The sample that a pooled image shows: evenly spaced, in order, so that videos are decoded front to back."""
    return index * num_samples // num_images


def fit_image(image: Array, settings: PoolSettings, key: int) -> Array:
    """Scales an image to cover `resize` and cuts a crop of `size` out of it, at a place drawn from `key`."""
    cover = settings.resize or settings.size
    height, width = image.shape[:2]
    scale = max(cover[0] / height, cover[1] / width, settings.size[0] / height, settings.size[1] / width)
    if scale != 1:
        target = (max(settings.size[1], round(width * scale)), max(settings.size[0], round(height * scale)))
        image = cv2.resize(image, target, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top = mix(key, 1) % (image.shape[0] - settings.size[0] + 1)
    left = mix(key, 2) % (image.shape[1] - settings.size[1] + 1)
    crop: Array = image[top : top + settings.size[0], left : left + settings.size[1]]
    return crop
