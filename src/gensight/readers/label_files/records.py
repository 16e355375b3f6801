"""What the parsers of annotation tools' files hand to the reader."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from gensight.errors import DataError
from gensight.samples import Array, Size

Point = tuple[float, float]
NUMBERS = "write finite numbers"


@dataclass(frozen=True)
class LabelledSubject:
    """One subject. Coordinates are in the project's convention, in pixels or, where the image says so, in fractions.

    Attributes:
        keypoints: Name -> (x, y, `Visibility`) of those that are labelled.
        box: (x_min, y_min, x_max, y_max), or None.
        polygons: Outlines of its mask.
        where: Its entry in the file, for messages.
    """

    category: str
    keypoints: Mapping[str, tuple[float, float, int]] = field(default_factory=dict)
    box: tuple[float, float, float, float] | None = None
    polygons: tuple[tuple[Point, ...], ...] = ()
    identity: str | None = None
    where: str = ""


@dataclass(frozen=True)
class LabelledImage:
    """An image, or a frame of a video.

    Attributes:
        name: The file as the labels name it; from the root, or absolute on any machine.
        source: The label file.
        frame: Of a video, from 0; None for an image.
        size: (height, width), where the labels state it.
        fractions: Whether coordinates are shares of the image's sides.
        part: The data set's own part that it belongs to (train, val, test); empty where there are none.
        pixels: Reads the image, where it lies in the label file itself.
    """

    name: str
    source: Path
    subjects: tuple[LabelledSubject, ...]
    frame: int | None = None
    size: Size | None = None
    fractions: bool = False
    part: str = ""
    pixels: Callable[[], Array] | None = None


@dataclass(frozen=True)
class LabelSet:
    """All that some label files hold.

    Attributes:
        keypoints: Names in their order, where the files give one; names found later follow.
        edges: Limbs, by names.
        partners: Left-right partners, by names, where the files state them; None: by the names themselves.
        unread: What was seen and not read -> how often.
    """

    images: list[LabelledImage]
    keypoints: tuple[str, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    partners: Mapping[str, str] | None = None
    unread: Mapping[str, int] = field(default_factory=dict)


def number(value: Any, where: str, what: str) -> float:
    """A finite number, also in quotes. Raises DataError for anything else."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if isinstance(value, bool) or not math.isfinite(found):
        raise DataError(f"{what} is {value!r}", where=where, hint=NUMBERS)
    return found


def read_json_file(path: Path) -> Any:
    """The content of a json file. Raises DataError for what is none."""
    try:
        return msgspec.json.decode(path.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        hint = "save or export it again; was the file cut short?"
        raise DataError(f"not valid JSON: {error}", where=path, hint=hint) from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path, hint="check the file's rights") from error


def entry(value: Any, key: str, where: str) -> Any:
    """A field of an object. Raises DataError where it is missing, or the object is none."""
    if not isinstance(value, Mapping) or key not in value:
        raise DataError(f"an entry without `{key}`", where=where, hint="export the labels again, complete")
    return value[key]
