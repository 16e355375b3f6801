"""The feature cache: a frozen backbone's features, kept on disk at native resolution, so that later epochs skip it.

It is legal only where features repeat: frozen weights, the backbone's own timestep, no noise, empty prompts, and views
that are fixed. A record's key is made of all that it depends on; the backbone's fingerprint names the folder.
"""

from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gensight.backbones.base import Backbone
from gensight.errors import ConfigError, RunError
from gensight.files.hashing import file_hash, value_hash
from gensight.files.progress import ProgressLine
from gensight.files.store import TensorStore, record_bytes, require_space
from gensight.loading.cases import Cases, stack_images
from gensight.loading.draw_order import Draw
from gensight.samples import Sample, Size

TIME_EMBEDDING = "time_embedding"  # its name among a record's tensors
VERSION = 1  # of how pixels become features; a change makes every older record unreachable
Place = tuple[int, int, int]  # (case, view, image of the item)


class FeatureCache:
    """The records of one backbone, in one store for each image size; nothing is written before it is filled.

    Args:
        root: The caches of all backbones.
        backbone: Whose features they are.

    Raises:
        ConfigError: If the backbone is trained.

    Attributes:
        folder: Where they lie; other backbones' records are its neighbours.
    """

    def __init__(self, root: str | Path, backbone: Backbone) -> None:
        refuse_unrepeatable(backbone)
        self.folder, self.backbone = Path(root) / backbone.fingerprint()[:16], backbone

    def layout(self, image_size: Size) -> dict[str, tuple[int, ...]]:
        """Name and shape of each tensor kept for one image of this size."""
        layout: dict[str, tuple[int, ...]] = {n: (c, *size) for n, c, size in self.backbone.layer_table(image_size)}
        if self.backbone.time_channels is not None:
            layout[TIME_EMBEDDING] = (self.backbone.time_channels,)
        return layout

    def store(self, image_size: Size) -> TensorStore:
        """The store of images of this size; made if it does not exist."""
        return TensorStore(self.folder / f"{image_size[0]}x{image_size[1]}", self.layout(image_size))

    def num_bytes(self, image_size: Size, num_records: int) -> int:
        """What so many records take on disk."""
        return num_records * record_bytes(self.layout(image_size))


class CachedFeatures:
    """Gives the features of (case, view, image of the item) from a store.

    Picklable, so that every loader worker maps the same files.
    """

    def __init__(self, store: TensorStore, keys: dict[Place, str]) -> None:
        self.store, self._keys = store, keys

    def __call__(self, case: int, view: int, slot: int = 0) -> dict[str, Tensor]:
        """float16 tensors without a batch axis: the layers' maps, and `time_embedding` where there is one.

        Raises:
            RunError: If the record is gone or damaged since it was filled.
        """
        try:
            record = self.store[self._keys[case, view, slot]]
        except KeyError:
            raise RunError(
                "the feature cache lacks a record, or it was damaged",
                where=self.store.folder,
                hint="delete that folder and start again: it is filled anew",
            ) from None
        return {name: torch.from_numpy(np.array(values)) for name, values in record.items()}


def cached_features(
    cache: FeatureCache,
    cases: Cases,
    num_views: int,
    device: str = "cpu",
    label: str = "cache features",
    batch_size: int = 8,
) -> CachedFeatures:
    """Fills the cache with what is missing of these cases, and returns the way to read them.

    Several processes may fill one cache: they share the work. Whatever was filled before an interruption stays.

    Args:
        cache: Its backbone runs where a record is missing, and not at all if none is.
        cases: The images; augmented ones need fixed views (`cases.num_views`).
        num_views: Views of each case to keep.
        device: Where the backbone runs.
        label: Names the progress line, which shows the size on disk before anything is filled.
        batch_size: Images at a time.

    Raises:
        ConfigError: If features would not repeat.
        ResourceError: If the disk lacks the room.
        RunError: If features don't fit in half precision.
    """
    backbone = cache.backbone
    refuse_unrepeatable(backbone, cases, num_views)
    slots = range(cases.encoding.num_samples)
    places = [(case, view, slot) for case in range(len(cases)) for view in range(num_views) for slot in slots]
    keys = {place: _key(cases, *place) for place in places}
    size = cases.policy.size
    store = cache.store(size)
    missing = list({keys[place]: place for place in places if keys[place] not in store}.values())
    if missing:
        needed = cache.num_bytes(size, len(missing))
        require_space(store.folder, needed)
        num_records = len(set(keys.values()))
        line = ProgressLine(num_records, f"{label} ({_gigabytes(cache.num_bytes(size, num_records))})", "views")
        backbone.to(device)
        for num_done in _fill(store, backbone, cases, {keys[place]: place for place in missing}, device, batch_size):
            line.show(num_records - len(missing) + num_done)
        line.close()
    return CachedFeatures(store, keys)


def refuse_unrepeatable(backbone: Backbone, cases: Cases | None = None, num_views: int = 1) -> None:
    """Raises ConfigError, saying why, where features of the same image would not be the same the next time."""
    if backbone.trainable:
        raise ConfigError(
            "features of a backbone that is trained change at every step, and can't be cached",
            where="cache.mode",
            hint="set cache.mode=off, or backbone.trainable=frozen",
        )
    if cases is not None and cases.augmentation is not None and cases.num_views < num_views:
        raise ConfigError(
            "features of views that are augmented anew at each draw can't be cached",
            where="cache.mode",
            hint="set cache.views to the number of fixed augmented views to keep, or cache.mode=off",
        )


def _fill(
    store: TensorStore, backbone: Backbone, cases: Cases, wanted: dict[str, Place], device: str, batch_size: int
) -> Iterator[int]:
    """Computes the wanted records, and yields how many of them exist by now."""
    keys, num_done = list(wanted), 0
    # First whatever no other process is at work on; then wait for theirs, and do what they left undone.
    for wait in (False, True):
        for first in range(0, len(keys), batch_size):
            batch = keys[first : first + batch_size]
            with store.claim(batch, wait) as mine:
                if mine:
                    store.write(_compute(backbone, cases, {key: wanted[key] for key in mine}, device))
            num_done += sum(key in store for key in batch)
            yield num_done
        keys = [key for key in keys if key not in store]


def _compute(
    backbone: Backbone, cases: Cases, wanted: dict[str, Place], device: str
) -> dict[str, dict[str, np.ndarray]]:
    pixels = [cases[Draw(case, view, 0)].images[slot] for case, view, slot in wanted.values()]
    with torch.no_grad():
        features = backbone.features(stack_images(pixels).to(device))
    tensors = dict(features.maps)
    if features.time_embedding is not None:
        tensors[TIME_EMBEDDING] = features.time_embedding
    halves = {name: tensor.half().cpu() for name, tensor in tensors.items()}
    unfit = [name for name, half in halves.items() if not half.isfinite().all()]
    if unfit:
        raise RunError(
            f"features exceed half precision and can't be cached: {', '.join(unfit)}",
            where="cache.mode",
            hint="set cache.mode=off, or leave those layers out (backbone.layers)",
        )
    return {
        key: {name: half[index].contiguous().numpy() for name, half in halves.items()}
        for index, key in enumerate(wanted)
    }


def _key(cases: Cases, case: int, view: int, slot: int) -> str:
    """All that one case's pixels depend on: the image's content, the view, and the augmentation with its seed."""
    item = cases.item(case)
    plain, sample = cases.policy.view(item, slot), item.samples[slot]
    augmentation = None
    if cases.augmentation is not None:
        augmentation = {**asdict(cases.augmentation), "seed": cases.seed, "case": case, "view": view}
        augmentation |= {"slot": slot} if slot else {}
    return value_hash(
        {
            "version": VERSION,
            "sample": sample.key,
            "content": _content_hash(sample),
            "matrix": plain.matrix.tolist(),
            "mirrored": plain.mirrored,
            "size": list(plain.model_size),
            "augmentation": augmentation,
        }
    )


def _content_hash(sample: Sample) -> str:
    if sample.path is None:
        return sha256(np.ascontiguousarray(sample.image()).data).hexdigest()
    status = Path(sample.path).stat()
    return _hash_of_file(sample.path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _hash_of_file(path: str, size: int, time: int) -> str:
    """The arguments beside the path make a file that was changed a new one; a video is hashed once for all frames."""
    return file_hash(path)


def _gigabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.2f} GB" if num_bytes >= 1e7 else f"{num_bytes / 1e6:.2f} MB"
