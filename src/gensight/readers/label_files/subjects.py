"""From loose shapes, as most tools keep them, to subjects: which points, boxes and outlines belong together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gensight.errors import DataError
from gensight.readers.label_files.records import LabelledSubject, Point
from gensight.samples import Visibility

SUBJECT = "subject"  # category of points that no box or outline names


@dataclass(frozen=True)
class Shape:
    """One shape that somebody drew.

    Attributes:
        kind: `point`: one keypoint; `box`: two opposite corners; `polygon`.
        label: Of a point, the keypoint's name; else the category.
        group: Shapes of one subject share it; None where nothing says so.
        owner: Category of the whole subject, where a shape states it besides its label.
    """

    kind: Literal["point", "box", "polygon"]
    label: str
    corners: tuple[Point, ...]
    group: str | None = None
    visibility: int = Visibility.VISIBLE
    where: str = ""
    owner: str | None = None


def subjects_of(shapes: Sequence[Shape], where: str) -> tuple[LabelledSubject, ...]:
    """The subjects of an image.

    Shapes of one group are one subject. Of shapes without a group, each box or outline is a subject, and the points
    belong to the only one, or else to the one that they lie in; points are one subject where there is no box.

    Raises:
        DataError: A keypoint stands twice in one subject, or a point lies in several boxes or none.
    """
    groups: dict[str, list[Shape]] = {}
    loose: list[Shape] = []
    for shape in shapes:
        if shape.group is None:
            loose.append(shape)
        else:
            groups.setdefault(shape.group, []).append(shape)
    areas = [shape for shape in loose if shape.kind != "point"]
    points = [shape for shape in loose if shape.kind == "point"]
    owned: list[list[Shape]] = [[area] for area in areas]
    if points and len(areas) <= 1:
        owned = [[*areas, *points]]
    else:
        for point in points:
            holders = [number for number, area in enumerate(areas) if _holds(area, point.corners[0])]
            if len(holders) != 1:
                what = f"keypoint `{point.label}` lies in {len(holders)} of {len(areas)} boxes"
                hint = "give the shapes of each subject a group of their own, or one box that holds its points alone"
                raise DataError(what, where=point.where or where, hint=hint)
            owned[holders[0]].append(point)
    named = [(None, members) for members in owned]
    return tuple(_subject(members, group, where) for group, members in [*groups.items(), *named])


def _holds(area: Shape, point: Point) -> bool:
    xs, ys = zip(*area.corners, strict=True)
    return min(xs) <= point[0] <= max(xs) and min(ys) <= point[1] <= max(ys)


def _subject(shapes: Sequence[Shape], group: str | None, where: str) -> LabelledSubject:
    points = [shape for shape in shapes if shape.kind == "point"]
    areas = [shape for shape in shapes if shape.kind != "point"]
    keypoints: dict[str, tuple[float, float, int]] = {}
    for point in points:
        if point.label in keypoints:
            what = f"keypoint `{point.label}` stands twice, and nothing says of which subject"
            hint = "give the shapes of each subject a group of their own, or draw a box around each subject"
            raise DataError(what, where=point.where or where, hint=hint)
        keypoints[point.label] = (*point.corners[0], point.visibility)
    boxes = [shape for shape in areas if shape.kind == "box"]
    corners = [corner for shape in boxes[:1] or areas for corner in shape.corners]
    xs, ys = ([corner[axis] for corner in corners] for axis in (0, 1))
    owner = next((shape.owner for shape in shapes if shape.owner is not None), None)
    return LabelledSubject(
        owner or (areas[0].label if areas else SUBJECT),
        keypoints,
        (min(xs), min(ys), max(xs), max(ys)) if corners else None,
        tuple(shape.corners for shape in areas if shape.kind == "polygon"),
        None,
        shapes[0].where,
    )
