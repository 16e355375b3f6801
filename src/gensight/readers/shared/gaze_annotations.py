"""Shared by readers of gaze data: rows of annotators as persons, head boxes made sound, missing images.

Annotation files of this field state fractions of the image in one place and pixels in another; each reader converts to
the project's pixels once the image's size is known. A `Person` holds the values of the file, in fractions of the image
for gaze and eye.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from gensight.geometry import clip_box
from gensight.readers.shared.checking import Finding
from gensight.samples import HUMAN, Array, Gaze, Instance, Provenance, Size

MOST_ANNOTATORS = 20  # maximum of the public evaluation codes


@dataclass(frozen=True, eq=False)
class Person:
    """One person of an image, as an annotation file has it.

    Attributes:
        path: The image, relative to the data set's root.
        gaze: float64 (num_annotators, 2), fractions of the image; empty where the target is out of frame or unknown.
        in_frame: Whether the target lies in the image; None if unknown.
        eye: float64 (2,), fractions of the image; or None.
        body: float64 (4,) x, y, width, height in fractions of the image; or None.
        head: float64 (4,) corners in pixels of the image; or None.
        number: The annotation's id, or None.
        row: Line of the file, counted from 1, for messages.
    """

    path: str
    gaze: Array
    in_frame: bool | None
    eye: Array | None = None
    body: Array | None = None
    head: Array | None = None
    number: int | None = None
    row: int = 0


@dataclass
class Tally:
    """Rows that were left out and rows that were corrected, counted by reason, with the first places of each."""

    dropped: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)
    places: dict[str, str] = field(default_factory=dict)

    def drop(self, reason: str, where: str) -> None:
        self.dropped[reason] += 1
        self.places.setdefault(reason, where)

    def mend(self, reason: str, where: str) -> None:
        self.mended[reason] += 1
        self.places.setdefault(reason, where)

    def findings(self) -> list[Finding]:
        """What was mended, for `datasets check`."""
        return [Finding("note", what, self.places[what], count) for what, count in self.mended.items()]


def sound_corners(corners: Array, where: str, tally: Tally) -> Array | None:
    """Corners in rising order; None where they are no numbers or enclose nothing. Counts swapped ones as mended."""
    if not np.isfinite(corners).all():
        return None
    ordered = np.concatenate([np.minimum(corners[:2], corners[2:]), np.maximum(corners[:2], corners[2:])])
    if not np.array_equal(ordered, corners):
        tally.mend("head box with its corners swapped", where)
    return ordered if (ordered[2:] > ordered[:2]).all() else None


def clip_head(head: Array | None, size: Size) -> Array | None:
    """The part of a head box that lies in the image; None where that is less than a pixel wide or high."""
    if head is None:
        return None
    clipped = clip_box(head, size)
    return clipped if (clipped[2:] - clipped[:2] >= 1).all() else None


def head_around_eye(eye: Array, body: Array | None, size: Size) -> Array:
    """A guess of the head box (pixels) where a file has none: a square around the eye, a quarter of the body high.

    The body box of a person who is cut off at the chest is shorter, so its width bounds the square from below. Without
    a body the square has 0.15 of the image's smaller side to each side, as GOO has it.
    """
    height, width = size
    half = 0.15 * min(height, width)
    if body is not None:
        half = 0.5 * max(0.22 * float(body[3]) * height, 0.3 * float(body[2]) * width, 4.0)
    centre = np.asarray(eye, dtype=np.float64) * [width, height]
    return np.concatenate([centre - half, centre + half])


def person_instance(person: Person, size: Size) -> Instance:
    """A person in pixels of an image of this size; a head without a box gets a guess around the eye."""
    height, width = size
    scale = np.array([width, height], dtype=np.float64)
    head, estimated = person.head, False
    if head is None and person.eye is not None:
        head, estimated = head_around_eye(person.eye, person.body, size), True
    box = None
    if person.body is not None:
        x, y, wide, high = person.body * np.tile(scale, 2)
        box = clip_box(np.array([x, y, x + wide, y + high]), size)
    return Instance(
        category="person",
        box=box,
        head_box=clip_head(head, size),
        gaze=Gaze(person.gaze * scale, person.in_frame, None if person.eye is None else person.eye * scale),
        id=person.number,
        provenance=Provenance("head box guessed from the eye", 0.5) if estimated else HUMAN,
    )


def by_image(persons: Iterable[Person]) -> dict[str, list[Person]]:
    """Path -> its persons, in order of first appearance."""
    images: dict[str, list[Person]] = {}
    for person in persons:
        images.setdefault(person.path, []).append(person)
    return images
