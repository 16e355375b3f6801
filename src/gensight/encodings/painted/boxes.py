"""Boxes as painted answers."""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

from gensight.encodings.painted.base import (
    EVEN,
    NUM_COLOURS,
    Painted,
    answer_prediction,
    code_colours,
    named_colour,
    nearest_codes,
    query_classes,
)
from gensight.errors import ConfigError
from gensight.geometry import (
    box_corners,
    clip_box,
    grid_to_image,
    image_to_grid,
    points_box,
    warp_image,
)
from gensight.samples import Array, Instance, Item, Prediction, Query, Sample, View

_SHORTEST = 2  # pixels of a side; smaller boxes are left out
OUTLINE = ("white", 2)
_VIVID = 0.25  # saturation
_Found = tuple[int, tuple[int, int, int, int], float]


class PaintedBoxes(Painted):
    """The boxes of the queried classes: filled, each in its own colour on black, the largest at the back; or outlines.

    `filled` separates up to `max_boxes` instances of a class. Of several classes the largest boxes of each take the
    first colours, in the classes' order, the second largest the next ones, and so on; so one class alone has the first
    `max_boxes` colours. A box that others cover to more than half of its visible edges may
    come back smaller. `outlines` paints frames on the photograph, inwards from each box's edges, as published (Gan et
    al., "InstructCV", ICLR 2024), of one class at a time: frames that touch come back as one, and things of the frames'
    colour may come back as boxes.

    Bound on its own encodings, for boxes that nothing covers: each edge within half a cell.

    Args:
        style: `filled` or `outlines`.
        max_boxes: Boxes of a class that `filled` paints, the largest ones.
        threshold: Of filled boxes; see `nearest_codes`.
        outline: Colour of frames, a name of CSS or `#RRGGBB`, and their width in pixels of the photograph, at least one
            cell. InstructCV has blue of 4 px (COCO), red of 5 (VOC) and blue of 6 (Oxford-IIIT Pet).

    Raises:
        ConfigError: More boxes than colours, no such colour, or no width.
    """

    name, task = "painted-boxes", "detect"

    def __init__(
        self,
        style: Literal["filled", "outlines"] = "filled",
        max_boxes: int = 26,
        threshold: float = EVEN,
        outline: tuple[str, int] = OUTLINE,
    ) -> None:
        if not 1 <= max_boxes <= 124:
            raise ConfigError(f"max_boxes must be 1 to 124, the number of separable colours, got {max_boxes}")
        self.style, self.max_boxes, self.threshold = style, max_boxes, threshold
        self.colour, self.width = named_colour(outline[0], "encoding.outline"), outline[1]
        if self.width < 1:
            raise ConfigError(f"an outline of {self.width} px", where="encoding.outline", hint="such as [blue, 4]")
        self.most_classes = 1 if style == "outlines" else NUM_COLOURS // max_boxes

    @staticmethod
    def _boxes(sample: Sample, name: str) -> list[Array] | None:
        """Boxes of a class, largest first; None where none are annotated."""
        if sample.instances is None:
            return None
        boxes = [one.box for one in sample.instances if one.category == name and not one.is_crowd]
        known = [box for box in boxes if box is not None]
        return sorted(known, key=_minus_area) if len(known) == len(boxes) else None

    def _numbered(self, sample: Sample, queried: Sequence[str]) -> list[tuple[int, Array]] | None:
        """(number of the colour, box) of the queried classes, the largest box first; None where none are annotated."""
        self._check(queried)
        found: list[tuple[int, Array]] = []
        for place, name in enumerate(queried, start=1):
            boxes = self._boxes(sample, name)
            if boxes is None:
                return None
            found += [(rank * len(queried) + place, box) for rank, box in enumerate(boxes[: self.max_boxes])]
        return sorted(found, key=lambda one: _minus_area(one[1])) if queried else None

    def _check(self, queried: Sequence[str]) -> None:
        if len(queried) > self.most_classes:
            raise ConfigError(
                f"boxes of {len(queried)} classes need too many colours ({self.style}, {self.max_boxes} a class)",
                hint=f"name {self.most_classes} or fewer at a time",
            )

    @staticmethod
    def marked(sample: Sample) -> bool:
        """Whether all objects of this image are annotated with boxes."""
        return sample.instances is not None and all(one.is_crowd or one.box is not None for one in sample.instances)

    def items(self, sample: Sample) -> list[Item]:
        """One per class whose objects the image shows, all of them with boxes."""
        names = sorted({one.category for one in sample.instances or ()})
        queries = [Query(f"detect the {name}", self.task, (name,)) for name in names if self._boxes(sample, name)]
        return [Item((sample,), query=query) for query in queries]

    def paint(self, item: Item, view: View) -> tuple[Array, Array] | None:
        queried, size = query_classes(item), view.model_size
        boxes = self._numbered(item.sample, queried)
        if boxes is None:
            return None
        if self.style == "outlines":
            picture = warp_image(item.sample.image(), view).astype(np.float32) / 255
        else:
            picture = np.zeros((*size, 3), dtype=np.float32)
        colours, width = code_colours(self.max_boxes * len(queried)), self._cells(view)
        for number, box in boxes:
            corners = points_box(image_to_grid(box_corners(box), view, size))
            x0, y0, x1, y1 = (int(edge) for edge in np.rint(clip_box(corners, size)))
            x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
            if x0 >= size[1] or y0 >= size[0]:
                continue
            if self.style == "filled":
                picture[y0:y1, x0:x1] = colours[number]
            else:
                rim = np.ones((y1 - y0, x1 - x0), dtype=bool)
                rim[width:-width, width:-width] = False
                picture[y0:y1, x0:x1][rim] = self.colour
        return picture, np.ones(size, dtype=bool)

    def _cells(self, view: View) -> int:
        """Width of an outline in a view."""
        return max(1, round(self.width * float(np.sqrt(abs(np.linalg.det(view.matrix[:2, :2]))))))

    def read(self, picture: Array, item: Item, view: View) -> Prediction:
        """An instance per box, of the class of its colour, with the mean confidence of that colour."""
        queried = query_classes(item) or ("object",)
        self._check(queried)
        found = (
            self._filled(picture, len(queried))
            if self.style == "filled"
            else self._outlines(picture, self._cells(view))
        )
        instances = []
        for number, cells, confidence in found:
            name = queried[(number - 1) % len(queried)]
            corners = grid_to_image(box_corners(np.array(cells, dtype=np.float64)), view, view.model_size)
            box = clip_box(points_box(corners), item.sample.size)
            instances.append(Instance(name, box=box, confidence=confidence))
        return answer_prediction(item, instances)

    def _filled(self, picture: Array, num_classes: int) -> list[_Found]:
        """(number of the colour, box in cells, confidence): the largest connected region of each colour."""
        cells, sure = nearest_codes(picture, code_colours(self.max_boxes * num_classes), self.threshold)
        found = []
        for number in np.unique(cells[cells > 0]):
            mask = (cells == number).astype(np.uint8)
            count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
            whole = [n for n in range(1, count) if stats[n, 4] >= 0.05 * stats[1:, 4].max()]
            low, high = stats[whole, :2].min(0), (stats[whole, :2] + stats[whole, 2:4]).max(0)
            if min(high - low) >= _SHORTEST:
                confidence = float(sure[np.isin(labels, whole)].mean())
                corners = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
                found.append((int(number), corners, confidence))
        return found

    def _outlines(self, picture: Array, width: int) -> list[_Found]:
        """(1, box in cells, confidence): each connected frame; confidence is the share of its rim that is painted."""
        near = _of_colour(picture, self.colour).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
        found = []
        for number in range(1, count):
            x, y, wide, high, _ = (int(one) for one in stats[number])
            if min(wide, high) >= 2 * width:
                rim = np.ones((high, wide), dtype=bool)
                rim[width:-width, width:-width] = False
                share = float((labels[y : y + high, x : x + wide] == number)[rim].mean())
                found.append((1, (x, y, x + wide, y + high), share))
        return found


def _of_colour(picture: Array, colour: Array) -> Array:
    """bool (height, width): pixels of an outline's colour. A vivid one is known by its hue, within 15 degrees, so that
    thin lines that are mixed with the photograph count too; white, grey and black by each channel, within 0.1."""
    hue, saturation, value = cv2.cvtColor(colour.reshape(1, 1, 3), cv2.COLOR_RGB2HSV)[0, 0]
    if saturation < _VIVID:
        return np.asarray(np.abs(picture - colour).max(-1) <= 0.1)
    found = cv2.cvtColor(np.ascontiguousarray(picture, dtype=np.float32), cv2.COLOR_RGB2HSV)
    near = np.abs((found[..., 0] - hue + 180) % 360 - 180) <= 15
    return np.asarray(near & (found[..., 1] >= 0.7 * saturation) & (found[..., 2] >= 0.4 * value))


def _minus_area(box: Array) -> float:
    return -float(np.prod(box[2:] - box[:2]))
