"""A part of a pool on disk: plain folders or tar shards, and its contact sheet."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from gensight.drawing import contact_sheet
from gensight.encodings.painted.base import Painted
from gensight.errors import DataError
from gensight.files.atomic import atomic_path, json_text, write_bytes, write_json
from gensight.files.images import write_image
from gensight.files.progress import progress
from gensight.geometry import warp_image
from gensight.instructions.grammar import Task
from gensight.readers.base import Reader
from gensight.readers.instruct_pool.reader import LEVELS, StoredImage, read_picture, read_record, stored_images
from gensight.samples import Array
from gensight.verbs.data.pool_pairs import PooledPair, PooledSource, Settings, pairs

_SHOWN = 12  # images on a contact sheet


class PooledImage(NamedTuple):
    """An image that is pooled: `name` is its own among those of its source and part."""

    source: PooledSource
    reader: Reader
    number: int
    name: str


PooledImages = list[PooledImage]


def write_part(
    out: Path, part: str, places: PooledImages, settings: Settings, encodings: Mapping[Task, Painted]
) -> dict[str, int]:
    """Writes the missing images of a part, and its contact sheet; counts all images of the part."""
    write = _write_shards if settings.images_per_shard else _write_folders
    write(out, part, places, settings, encodings)
    images = stored_images(out, part)
    expected = {(place.source.name, place.name) for place in places}
    for image in images:
        if (image.source, image.name) not in expected:
            hint = "an earlier version wrote it under another name: build into a new folder"
            raise DataError(f"`{image.source}/{image.name}` is no image of this build", where=out / part, hint=hint)
    _write_sheet(out / f"contact_sheet_{part}.png", images)
    num_pairs = sum(len(image.pairs) for image in images)
    return {"images": len(images), "pairs": num_pairs, "left_out": len(places) - len(images)}


def _write_folders(
    out: Path, part: str, places: PooledImages, settings: Settings, encodings: Mapping[Task, Painted]
) -> None:
    """A folder per image; `pairs.json`, written last, marks it as complete; without pairs it is the only file."""
    for place in progress(places, len(places), part):
        folder = out / part / place.source.name / place.name
        done = folder / "pairs.json"
        if done.is_file():
            continue
        image, found = _made(place, settings, encodings)
        if found:
            write_bytes(folder / "source.jpg", image)
        for pair in found:
            write_bytes(folder / f"{pair.name}.png", pair.target)
            write_json(folder / f"{pair.name}.json", pair.record)
        write_json(done, [pair.name for pair in found])


def _write_shards(
    out: Path, part: str, places: PooledImages, settings: Settings, encodings: Mapping[Task, Painted]
) -> None:
    """Tar files of `images_per_shard` images each; one that exists is complete."""
    step = settings.images_per_shard
    for first in progress(range(0, len(places), step), -(-len(places) // step), part, "shards"):
        path = out / f"{part}-{first // step:06d}.tar"
        if path.is_file():
            continue
        with atomic_path(path) as temporary, tarfile.open(temporary, "w") as tar:
            for place in places[first : first + step]:
                image, found = _made(place, settings, encodings)
                for pair in found:
                    last = pair.name.replace(".", "_")  # what follows a key's first dot is its suffix
                    _add(tar, f"{place.source.name}/{place.name}/{last}", image, pair)


def _made(place: PooledImage, settings: Settings, encodings: Mapping[Task, Painted]) -> tuple[bytes, list[PooledPair]]:
    """The image as it is stored, empty where it has no pairs, and these."""
    sample = place.reader[place.number]
    view, found = pairs(sample, place.source, settings, encodings)
    return _jpeg(warp_image(sample.image(), view)) if found else b"", found


def _add(tar: tarfile.TarFile, key: str, image: bytes, pair: PooledPair) -> None:
    record = json_text(pair.record).encode()
    for suffix, data in (("source.jpg", image), ("target.png", pair.target), ("json", record)):
        member = tarfile.TarInfo(f"{key}.{suffix}")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))


def _write_sheet(path: Path, images: Sequence[StoredImage]) -> None:
    """Two pairs each of evenly spaced images, as they are stored."""
    tiles, captions = [], []
    for place, index in enumerate(evenly(len(images), _SHOWN)):
        image = images[index]
        photograph = read_picture(image.photograph)
        gap = np.full((len(photograph), 4, 3), 255, np.uint8)
        count = len(image.pairs)
        for answer, record in (image.pairs[place % count], image.pairs[(place + count // 2) % count])[:count]:
            tiles.append(np.concatenate([photograph, gap, _colours(read_picture(answer))], axis=1))
            captions.append(read_record(record).instruction)
    write_image(path, contact_sheet(tiles, 4, captions, tile=(180, 420)))


def _colours(answer: Array) -> Array:
    """uint8 RGB of a stored answer, black where it is unknown."""
    if answer.ndim == 2:
        grey = np.rint(255 * np.maximum(answer.astype(np.float64) - 1, 0) / LEVELS).astype(np.uint8)
        return np.dstack([grey, grey, grey])
    return np.where(answer[..., 3:] > 0, answer[..., :3], 0).astype(np.uint8)


def _jpeg(picture: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def evenly(num: int, limit: int | None) -> list[int]:
    if limit is None or limit >= num:
        return list(range(num))
    return sorted({int(place) for place in np.linspace(0, num - 1, limit)})
