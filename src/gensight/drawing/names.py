"""The names of keypoints beside their dots."""

from collections.abc import Iterator, Sequence

import numpy as np

from gensight.drawing import canvas as draw
from gensight.drawing.palette import INK, WHITE, keypoint_colours
from gensight.samples import Array, Keypoints

_DIRECTIONS = ((1, 0), (1, -1), (1, 1), (-1, 0), (-1, -1), (-1, 1), (0, -1), (0, 1))  # of a dot right of the middle
_REACH = (1.0, 2.5, 4.5, 7.0)  # letter heights from a dot to its name


def draw_names(image: Array, subjects: Sequence[Keypoints], scale: float = 1.0) -> Array:
    """The names of located keypoints, each at its dot, with a line to it where nearer places are taken.

    Args:
        image: uint8 RGB or grey.
        subjects: The keypoints of each subject; a name that finds no free place is left out.
        scale: Size of the letters; 1 suits a picture that fills a screen, more one on a telephone.
    """
    picture = draw.as_canvas(image)
    height = round(scale * draw.letter_height(picture))
    shown = [(one, index) for one in subjects for index in _drawn(one)]
    dots = np.array([one.points[index] for one, index in shown]).reshape(-1, 2)
    # Dots are not covered either: each takes the place of a small square.
    taken = [(x - height / 4, y - height / 4, x + height / 4, y + height / 4) for x, y in dots]
    middles = {id(one): float(one.points[_drawn(one), 0].mean()) for one, _ in shown}
    for one, index in shown:
        name, point = one.skeleton.keypoints[index].replace("_", " "), one.points[index]
        size = draw.text_size(name, height)
        side = 1 if point[0] >= middles[id(one)] else -1
        place = next((box for box in _places(point, size, height, side) if _free(box, taken, picture)), None)
        if place is None:
            continue
        taken.append(place)
        near = np.clip(point, place[:2], place[2:])
        if np.hypot(*(near - point)) > 1.2 * height:
            draw.edged_line(picture, point, near, WHITE, 0.6 * draw.unit(picture), 0.8)
        draw.label(picture, name, np.array(place[:2]), keypoint_colours(one.skeleton)[index], INK, height)
    return picture


def _drawn(keypoints: Keypoints) -> Array:
    """int (n,): the keypoints that are drawn."""
    return np.flatnonzero(keypoints.located & draw.drawable(keypoints.points))


def _places(point: Array, size: tuple[int, int], height: int, side: int) -> Iterator[tuple[float, float, float, float]]:
    """Boxes for a text of that size around a point, the nearest first, and first those on one side (1: the right)."""
    for reach in _REACH:
        for away, down in _DIRECTIONS:
            across = side * away
            distance = reach * height / (1.4 if across and down else 1.0)
            x = point[0] + across * distance - (0.5 - 0.5 * across) * size[1]
            y = point[1] + down * distance - (0.5 - 0.5 * down) * size[0]
            yield (x, y, x + size[1], y + size[0])


def _free(box: tuple[float, float, float, float], taken: Sequence[tuple[float, ...]], picture: Array) -> bool:
    if box[0] < 0 or box[1] < 0 or box[2] > picture.shape[1] or box[3] > picture.shape[0]:
        return False
    return all(box[2] <= other[0] or other[2] <= box[0] or box[3] <= other[1] or other[3] <= box[1] for other in taken)
