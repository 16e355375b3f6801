"""Boxes of a file or of a Python user, matched to the images that are predicted on; other conventions are refused."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from gensight.errors import DataError
from gensight.geometry import box_size, clip_box
from gensight.prediction.sources import BOX_ENTRY, Boxes, GivenBoxes, PredictionSource, boxes_by_key, open_source
from gensight.readers.base import Reader
from gensight.readers.footage.video import VideoReader
from gensight.samples import Array, Sample, Size

LEAST_SEEN = 0.75  # share of a box in its image, below which the file's boxes may be corners
LEAST_SIDE = 1.0  # px
_IN_PIXELS = f"each entry is {BOX_ENTRY}, in pixels of the image"
_CORNERS = "a box is x_min, y_min, x_max, y_max in pixels of the image"


@dataclass(frozen=True, eq=False)
class _Place:
    """An image that a box can be about.

    Attributes:
        key: Of its sample.
        folder: That the key is a path from, where the sample has no file of its own.
        reader, index: Where its sample stands.
    """

    key: str
    folder: Path
    reader: Reader | Sequence[Sample]
    index: int

    @property
    def sample(self) -> Sample | None:
        """None where the image can't be read."""
        try:
            return self.reader[self.index]
        except DataError:
            return None

    def fits(self, name: str) -> bool:
        """Whether this is the image of a name: its key, the key's last part, or the end of its path."""
        if name in (self.key, PurePosixPath(self.key).name):
            return True
        sample = self.sample if "/" in name else None
        path = self.folder / self.key if sample is None or sample.path is None else Path(sample.path)
        return "/" in name and path.resolve().as_posix().endswith(f"/{name}")


def fit_boxes(boxes: Boxes, path: Path, sources: Sequence[PredictionSource]) -> Boxes:
    """The boxes by the keys of the images that they are about; a warning counts those that can't be used.

    Left out are boxes about no image, outside their image, or less than a pixel wide or high.

    Args:
        boxes: As `read_boxes` gave them: corners in pixels, made from x, y, width, height.
        path: Their file, for messages.
        sources: What is predicted on.

    Raises:
        DataError: They are fractions, or corners; or none can be used.
    """
    sized, strange, shown = _match(boxes, (place for source in sources for place in _places(source)))
    if boxes and len(strange) == len(boxes):
        raise DataError(
            f"none of the {len(boxes)} names is one of an image that is predicted on, the first {strange[0]}",
            where=path, hint=f"`file_name` is the path from the folder, such as {shown}",
        )  # fmt: skip
    _refuse_other_conventions([(box, size) for _, size, name in sized for box, _ in boxes[name]], path)
    found: Boxes = {}
    unusable = [name for _, size, name in sized for box, _ in boxes[name] if not _usable(box, size)]
    for place, size, name in sized:
        found.setdefault(place.key, []).extend(pair for pair in boxes[name] if _usable(pair[0], size))
    _report(strange, unusable, any(found.values()) or not boxes, path)
    return found


def given_boxes(boxes: GivenBoxes | None, images: Any, samples: Sequence[Sample], keys: Sequence[str] | None,
                where: str) -> Boxes | None:  # fmt: skip
    """Boxes that a Python user gives, by the keys of their images; by the rules of a file's, but each must be usable,
    so that answers are in the order of the boxes.

    Args:
        boxes: See `boxes_by_key`.
        images: As the user gave them.
        samples, keys: Of the images; none where `images` is a folder or a video.
        where: Name of the argument, for messages.

    Raises:
        DataError: They are no numbers, fractions, or x, y, width, height; or one is about no image, outside its image,
            or less than a pixel wide or high.
    """
    found = boxes_by_key(boxes, keys, where)
    if not found:
        return found
    single = (_Place(key, Path(), [one], 0) for key, one in zip(keys or (), samples, strict=True))
    sized, strange, shown = _match(found, _places(open_source(Path(images))) if keys is None else single)
    if strange:
        raise DataError(f"boxes of {strange[0]}, which is no image that is predicted on", where=where,
                        hint=f"names are such as {shown}")  # fmt: skip
    _refuse_other_conventions([(box, size) for _, size, name in sized for box, _ in found[name]], where, True)
    fitted: Boxes = {}
    for place, size, name in sized:
        for number, (box, _) in enumerate(found[name]):
            if not _usable(box, size):
                of = "" if size is None else f" of {size[1]} x {size[0]} px (width x height)"
                what = f"box {number} ({_numbers(box)}) is less than a pixel wide or high, or outside its image{of}"
                raise DataError(what, where=f"{where}, {place.key}", hint=_CORNERS)
        fitted.setdefault(place.key, []).extend(found[name])
    return fitted


def _match(boxes: Boxes, places: Iterable[_Place]) -> tuple[list[tuple[_Place, Size | None, str]], list[str], str]:
    """(image, its size, name of the boxes) of all that fit; the names without an image; some images' names."""
    known: dict[str, list[_Place]] = {}
    for place in places:
        known.setdefault(PurePosixPath(place.key).name, []).append(place)
    matched = {name: [place for place in known.get(PurePosixPath(name).name, ()) if place.fits(name)] for name in boxes}
    sized = [
        (place, None if (sample := place.sample) is None else sample.size, name)
        for name, fitting in matched.items()
        for place in fitting
    ]
    shown = ", ".join(place.key for fitting in list(known.values())[:3] for place in fitting[:1])
    return sized, [name for name, fitting in matched.items() if not fitting], shown


def _numbers(values: Array) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _places(source: PredictionSource) -> Iterator[_Place]:
    reader = source.reader
    match reader:
        case None:
            sample = next(iter(source.samples()))
            yield _Place(sample.key, source.path.parent, [sample], 0)
        case VideoReader():
            for index in range(len(reader)):
                yield _Place(reader.sample(index).key, source.path.parent, reader, index)
        case _:
            for index, key in enumerate(reader.groups):
                yield _Place(key, source.path, reader, index)


def _usable(box: Array, size: Size | None) -> bool:
    if size is None:
        return True  # an image that can't be read is reported where it is read
    return bool(min(box_size(box)) >= LEAST_SIDE and min(box_size(clip_box(box, size))) > 0)


def _refuse_other_conventions(
    boxes: Sequence[tuple[Array, Size | None]], where: Path | str, corners: bool = False
) -> None:
    """Raises DataError where boxes can only be fractions of the sides, or corners; where those are given, sizes."""
    if not boxes:
        return
    every = np.stack([box for box, _ in boxes])
    written = every if corners else np.concatenate([every[:, :2], every[:, 2:] - every[:, :2]], axis=1)
    limits = np.array([(np.inf, np.inf) if size is None else size for _, size in boxes])[:, ::-1] + 1
    if 0 < written.max() <= 1 and written.min() >= 0:
        raise DataError(
            f"the boxes are fractions of the image's sides: no number is above {written.max():g}", where=where,
            hint=f"{_CORNERS if corners else _IN_PIXELS}: multiply horizontal numbers by the image's width, vertical "
            "ones by its height",
        )  # fmt: skip
    if corners:
        turned = (written[:, 2:] < written[:, :2]).any(axis=1)
        fit = written.min() >= 0 and (written[:, 2:] > 0).all() and (written[:, :2] + written[:, 2:] <= limits).all()
        if turned.any() and fit:
            raise DataError(
                f"the boxes seem to be x, y, width, height: {_numbers(written[int(np.argmax(turned))])} as corners "
                "ends before it begins, and all of them fit so", where=where, hint=f"{_CORNERS}: x_max is x + width",
            )  # fmt: skip
        return
    ordered = (written[:, 2:] > written[:, :2]).all()
    as_corners = (written[:, 2:] <= limits).all()
    seen = [_seen(box, size) for box, size in boxes]
    if ordered and as_corners and min(seen) < LEAST_SEEN:
        worst = int(np.argmin(seen))
        raise DataError(
            f"the boxes seem to be corners (x_min, y_min, x_max, y_max): {_numbers(written[worst])} as x, y, width, "
            f"height reaches far out of its image, and all of them fit as corners", where=where,
            hint=f"{_IN_PIXELS}: width is x_max - x_min, height y_max - y_min",
        )  # fmt: skip


def _seen(box: Array, size: Size | None) -> float:
    """Share of a box that lies in its image; 1 where one of them is unknown."""
    if size is None or min(box_size(box)) <= 0:
        return 1.0
    return float(np.prod(np.maximum(box_size(clip_box(box, size)), 0)) / np.prod(box_size(box)))


def _report(strange: Sequence[str], unusable: Sequence[str], any_left: bool, path: Path) -> None:
    reasons = [
        f"{len(names)} {what}, the first of {names[0]}"
        for names, what in (
            (unusable, "of less than a pixel, or outside the image"),
            (strange, "about no image that is predicted on"),
        )
        if names
    ]
    if not any_left:
        raise DataError(f"no box can be used: {'; '.join(reasons)}", where=path, hint=_IN_PIXELS)
    if reasons:
        warnings.warn(f"{path}: boxes left out: {'; '.join(reasons)}; {_IN_PIXELS}", stacklevel=4)
