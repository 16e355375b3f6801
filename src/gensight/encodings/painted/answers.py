"""Masks, boxes, depth and classes as painted answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from gensight.encodings.class_label import label_panel
from gensight.encodings.depth import check_metres, depth_panel
from gensight.encodings.painted.base import (
    EVEN,
    NUM_CLASS_COLOURS,
    NUM_COLOURS,
    Painted,
    asked_classes,
    cells_nearest,
    class_colours,
    code_colours,
    colour_shares,
    image_nearest,
    nearest_codes,
)
from gensight.encodings.panels import Panel
from gensight.errors import ConfigError, DataError
from gensight.geometry import (
    box_corners,
    clip_box,
    grid_to_image,
    image_to_grid,
    map_grid_to_image,
    map_image_to_grid,
    points_box,
    warp_image,
)
from gensight.readers.shared.class_maps import BACKGROUND, UNKNOWN, class_map
from gensight.samples import Array, Depth, Instance, Item, Prediction, Query, Sample, Size, View

MIN_KNOWN = 0.5  # share of a cell's area from which depth is taught


@dataclass(frozen=True, eq=False)
class _Region:
    """Pixels of one number; its call is `Instance.mask`."""

    numbers: Array
    number: int

    def __call__(self) -> Array:
        return np.asarray(self.numbers == self.number)


def _prediction(item: Item, instances: Sequence[Instance] = ()) -> Prediction:
    return Prediction(item.sample.key, item.sample.size, tuple(instances), item_key=item.key, group=item.sample.group)


def class_cells(sample: Sample, names: Sequence[str], view: View, grid_size: Size) -> Array | None:
    """`ClassMap.places_in` at each cell's centre; None where no class map is known.

    Raises:
        DataError: The class map is not of the image's size.
    """
    classes = class_map(sample, names)
    if classes is None:
        return None
    places = classes.places_in(names)
    if places.shape != tuple(sample.size):
        raise DataError(f"classes of {places.shape} for an image of {sample.size}", where=sample.key)
    return cells_nearest(places, view, grid_size, UNKNOWN)


class PaintedMask(Painted):
    """The asked classes' pixels on black: one class white, several in the colours of `code_colours`, in order.

    Bound on its own encodings: a pixel is right if the centre of its cell lies in the same class; so borders move by
    at most half a cell (measured in the round-trip tests at 64 to 512 px).

    Args:
        stride: Model pixels per cell.
        min_share: Predicted masks of a smaller share of the image are left out.
        threshold: See `nearest_codes`.
    """

    name, task = "painted-mask", "segment"

    def __init__(self, stride: int = 1, min_share: float = 0.0, threshold: float = EVEN) -> None:
        super().__init__(stride)
        self.min_share, self.threshold = min_share, threshold

    def items(self, sample: Sample) -> list[Item]:
        """One per class that the image shows."""
        classes = class_map(sample)
        if classes is None:
            return []
        shown = {classes.names[n] for n in np.unique(classes()) if n not in classes.ignored} - {BACKGROUND}
        return [Item((sample,), query=Query(f"segment the {name}", self.task, (name,))) for name in sorted(shown)]

    def paint(self, item: Item, view: View, grid_size: Size) -> tuple[Array, Array] | None:
        asked = asked_classes(item)
        cells = class_cells(item.sample, asked, view, grid_size)
        if cells is None or not asked:
            return None
        return code_colours(len(asked))[np.maximum(cells, 0)], cells != UNKNOWN

    def read(self, picture: Array, item: Item, view: View) -> Prediction:
        """An instance per asked class that has a pixel; its confidence is the mean over its pixels."""
        asked = asked_classes(item)
        cells, sure = nearest_codes(picture, code_colours(max(1, len(asked))), self.threshold)
        numbers = image_nearest(cells, view, 0)
        instances = []
        for number, name in enumerate(asked, start=1):
            if (numbers == number).mean() > self.min_share:
                confidence = float(sure[cells == number].mean()) if (cells == number).any() else 0.0
                instances.append(Instance(name, mask=_Region(numbers, number), confidence=confidence))
        return _prediction(item, instances)


_Found = tuple[int, tuple[int, int, int, int], float]


class PaintedBoxes(Painted):
    """The boxes of the asked classes: filled, each in a colour of its own on black, the largest below; or outlines.

    `filled` tells up to `max_boxes` instances of a class apart. Of several classes the largest boxes of each take the
    first colours, in the classes' order, the second largest the next ones, and so on; so one class alone has the first
    `max_boxes` colours. A box that others cover to more than half of its visible edges may
    come back smaller. `outlines` paints white frames on the photograph as published (Gan et al., "InstructCV", ICLR
    2024), of one class at a time: frames that touch come back as one, and white things may come back as boxes.

    Bound on its own encodings, for boxes that nothing covers: each edge within half a cell.

    Args:
        stride: Model pixels per cell.
        style: `filled` or `outlines`.
        max_boxes: Boxes of a class that `filled` paints, the largest ones.
        region: `box`, or `head`: the boxes of heads, of data sets that mark them.
        min_side: Predicted boxes with a shorter side in cells are left out.
        threshold: Of filled boxes; see `nearest_codes`.
    """

    name, task = "painted-boxes", "detect"
    _WIDTH = 2  # cells, of an outline

    def __init__(
        self,
        stride: int = 1,
        style: Literal["filled", "outlines"] = "filled",
        max_boxes: int = 26,
        region: Literal["box", "head"] = "box",
        min_side: int = 2,
        threshold: float = EVEN,
    ) -> None:
        super().__init__(stride)
        if not 1 <= max_boxes <= 124:
            raise ConfigError(f"1 to 124 boxes can be told apart by colour, not {max_boxes}")
        self.style, self.max_boxes, self.region, self.min_side = style, max_boxes, region, min_side
        self.threshold = threshold
        self.most_classes = 1 if style == "outlines" else NUM_COLOURS // max_boxes

    def _boxes(self, sample: Sample, name: str) -> list[Array] | None:
        """Boxes of a class, largest first; None where nobody marked them."""
        if sample.instances is None:
            return None
        chosen = [one for one in sample.instances if one.category == name and not one.is_crowd]
        boxes = [one.box if self.region == "box" else one.head_box for one in chosen]
        known = [box for box in boxes if box is not None]
        if len(known) < len(boxes):
            return None
        return sorted(known, key=lambda box: -float(np.prod(box[2:] - box[:2])))

    def _numbered(self, sample: Sample, asked: Sequence[str]) -> list[tuple[int, Array]] | None:
        """(number of the colour, box) of the asked classes, the largest box first; None where nobody marked them."""
        self._check(asked)
        found: list[tuple[int, Array]] = []
        for place, name in enumerate(asked, start=1):
            boxes = self._boxes(sample, name)
            if boxes is None:
                return None
            found += [(rank * len(asked) + place, box) for rank, box in enumerate(boxes[: self.max_boxes])]
        return sorted(found, key=lambda one: -float(np.prod(one[1][2:] - one[1][:2]))) if asked else None

    def _check(self, asked: Sequence[str]) -> None:
        if len(asked) > self.most_classes:
            raise ConfigError(
                f"boxes of {len(asked)} classes cannot be told apart at once ({self.style}, {self.max_boxes} a class)",
                hint=f"ask for {self.most_classes} or fewer at a time",
            )

    def marked(self, sample: Sample) -> bool:
        """Whether somebody looked for objects in this image, and gave all of them boxes (or head boxes)."""
        if sample.instances is None:
            return False
        known = [one.box if self.region == "box" else one.head_box for one in sample.instances if not one.is_crowd]
        return all(box is not None for box in known)

    def items(self, sample: Sample) -> list[Item]:
        """One per class whose objects the image shows, all of them with boxes."""
        names = sorted({one.category for one in sample.instances or ()})
        what = "" if self.region == "box" else "head of the "
        return [
            Item((sample,), query=Query(f"detect the {what}{name}", self.task, (name,)))
            for name in names
            if self._boxes(sample, name)
        ]

    def paint(self, item: Item, view: View, grid_size: Size) -> tuple[Array, Array] | None:
        asked = asked_classes(item)
        boxes = self._numbered(item.sample, asked)
        if boxes is None:
            return None
        known = np.ones(grid_size, dtype=bool)
        if self.style == "outlines":
            picture = _photograph(item.sample, view, grid_size)
        else:
            picture = np.zeros((*grid_size, 3), dtype=np.float32)
        colours = code_colours(self.max_boxes * len(asked))
        for number, box in boxes:
            corners = points_box(image_to_grid(box_corners(box), view, grid_size))
            x0, y0, x1, y1 = (int(edge) for edge in np.rint(clip_box(corners, grid_size)))
            x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
            if x0 >= grid_size[1] or y0 >= grid_size[0]:
                continue
            if self.style == "filled":
                picture[y0:y1, x0:x1] = colours[number]
            else:
                cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), (1.0, 1.0, 1.0), self._WIDTH)
        return picture, known

    def read(self, picture: Array, item: Item, view: View) -> Prediction:
        """An instance per box, of the class that its colour says, with the mean confidence of that colour."""
        asked = asked_classes(item) or ("object",)
        self._check(asked)
        grid_size: Size = (picture.shape[0], picture.shape[1])
        found = self._filled(picture, len(asked)) if self.style == "filled" else self._outlines(picture)
        instances = []
        for number, cells, confidence in found:
            name = asked[(number - 1) % len(asked)]
            corners = grid_to_image(box_corners(np.array(cells, dtype=np.float64)), view, grid_size)
            box = clip_box(points_box(corners), item.sample.size)
            if self.region == "head":
                instances.append(Instance(name, head_box=box, confidence=confidence))
            else:
                instances.append(Instance(name, box=box, confidence=confidence))
        return _prediction(item, instances)

    def _filled(self, picture: Array, num_classes: int) -> list[_Found]:
        """(number of the colour, box in cells, confidence): the largest connected region of each colour."""
        cells, sure = nearest_codes(picture, code_colours(self.max_boxes * num_classes), self.threshold)
        found = []
        for number in np.unique(cells[cells > 0]):
            mask = (cells == number).astype(np.uint8)
            count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
            whole = [n for n in range(1, count) if stats[n, 4] >= 0.05 * stats[1:, 4].max()]
            low, high = stats[whole, :2].min(0), (stats[whole, :2] + stats[whole, 2:4]).max(0)
            if min(high - low) >= self.min_side:
                confidence = float(sure[np.isin(labels, whole)].mean())
                corners = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
                found.append((int(number), corners, confidence))
        return found

    def _outlines(self, picture: Array) -> list[_Found]:
        white = (picture.min(-1) > 0.9).astype(np.uint8)
        contours, _ = cv2.findContours(white, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        found = []
        for contour in contours:
            x, y, width, height = cv2.boundingRect(contour)
            if min(width, height) >= max(self.min_side, 2 * self._WIDTH):
                rim = np.ones((height, width), dtype=bool)
                rim[2:-2, 2:-2] = False
                confidence = float(white[y : y + height, x : x + width][rim].mean())
                found.append((1, (x, y, x + width, y + height), confidence))
        return found


def _photograph(sample: Sample, view: View, grid_size: Size) -> Array:
    """float32 (grid_height, grid_width, 3) in [0, 1]: the image as the view shows it."""
    seen = warp_image(sample.image(), view).astype(np.float32) / 255
    if seen.shape[:2] != tuple(grid_size):
        seen = cv2.resize(seen, (grid_size[1], grid_size[0]), interpolation=cv2.INTER_AREA)
    return seen


class PaintedDepth(Painted):
    """Metric depth as grey, far is white: linear (depth / far, as published) or logarithmic.

    Bound on its own encodings in float: depth (its logarithm) that is a plane over the view comes back to 1e-3 of its
    range but for half a cell along the border. Stored with 8 bits a step is far / 255 m when linear, and a factor of
    (far / near) ** (1 / 255) when logarithmic (1.8 % from 0.1 to 10 m); with 16 bits, a 257th of that.

    Args:
        stride: Model pixels per cell.
        scale: `log` or `linear`.
        near: Nearest depth that `log` can tell, in metres.
        far: Farthest depth, in metres.
    """

    name, task = "painted-depth", "depth"

    def __init__(
        self, stride: int = 1, scale: Literal["log", "linear"] = "log", near: float = 0.1, far: float = 10.0
    ) -> None:
        super().__init__(stride)
        if not 0 < near < far:
            raise ConfigError(f"the nearest depth must be above 0 and below the farthest, got {near} and {far} m")
        self.scale, self.near, self.far = scale, near, far

    def items(self, sample: Sample) -> list[Item]:
        """One per sample whose depth is known."""
        return [] if sample.depth is None else [Item((sample,), query=Query("estimate the depth", self.task))]

    def paint(self, item: Item, view: View, grid_size: Size) -> tuple[Array, Array] | None:
        if item.sample.depth is None:
            return None
        depth = item.sample.depth()
        if depth.kind != "metric":
            raise DataError("this depth has no unit, so it cannot be painted in metres", where=item.sample.key)
        check_metres(depth.values, item.sample.key, self.near, self.far)
        values = np.where(depth.values > 0, depth.values, np.nan).astype(np.float64)
        means, share = map_image_to_grid(self.grey(values), view, grid_size)
        known = (share >= MIN_KNOWN) & np.isfinite(means)
        grey = np.where(known, means, 0).astype(np.float32)
        return np.repeat(grey[..., None], 3, axis=2), known

    def grey(self, metres: Array) -> Array:
        """Metres -> [0, 1]; NaN stays."""
        if self.scale == "linear":
            return np.clip(metres / self.far, 0, 1)
        grey: Array = np.log(np.clip(metres, self.near, self.far) / self.near) / np.log(self.far / self.near)
        return grey

    def metres(self, grey: Array) -> Array:
        """[0, 1] -> metres."""
        grey = grey.astype(np.float64)
        metres: Array = grey * self.far if self.scale == "linear" else self.near * (self.far / self.near) ** grey
        return metres

    def read(self, picture: Array, item: Item, view: View) -> Prediction:
        """`depth` in metres, NaN outside of the view; the channels are averaged."""
        grey = map_grid_to_image(picture.mean(-1).astype(np.float32), view, fill=float("nan"))
        depth = Depth(self.metres(np.clip(grey, 0, 1)).astype(np.float32), "metric")
        return Prediction(item.sample.key, item.sample.size, depth=depth, item_key=item.key, group=item.sample.group)

    def panel(self, prediction: Prediction, item: Item) -> Panel | None:
        """See `depth_panel`."""
        return depth_panel(prediction, item)


class PaintedClass(Painted):
    """The class of the whole image as one colour all over: a class of the vocabulary has its own of `code_colours`.

    `query.options` are the classes to choose from, by default the whole vocabulary; of one class alone (`is there a
    cat?`) white says yes and black no. Black is no class where there are several. Several classes keep the colours of
    the vocabulary, since the words need not name them; where one is not in it, colours follow the order of the options.

    Bound on its own encodings: none; the right class, with confidence 1.

    Args:
        labels: The vocabulary.
        stride: Model pixels per cell.

    Raises:
        ConfigError: No labels, the same one twice, or more than `NUM_CLASS_COLOURS`.
    """

    name, task, most_classes = "painted-class", "classify", NUM_CLASS_COLOURS

    def __init__(self, labels: Sequence[str], stride: int = 1) -> None:
        super().__init__(stride)
        if not labels or len(set(labels)) < len(labels):
            raise ConfigError("a painted class needs at least one label, each only once")
        if len(labels) > NUM_CLASS_COLOURS:
            raise ConfigError(
                f"{len(labels)} labels, but colours tell {NUM_CLASS_COLOURS} classes apart",
                where="encoding.labels", hint="name fewer labels, or leave `classify` out of the tasks",
            )  # fmt: skip
        self.labels = tuple(labels)

    def items(self, sample: Sample) -> list[Item]:
        """One per sample whose label is in the vocabulary."""
        if sample.label not in self.labels:
            return []
        return [Item((sample,), query=Query("classify the image", self.task, self.labels))]

    def paint(self, item: Item, view: View, grid_size: Size) -> tuple[Array, Array] | None:
        asked, label = asked_classes(item), item.sample.label
        if label is None or not asked:
            return None
        colours = class_colours(asked, self.labels)
        colour = colours[asked.index(label) + 1] if label in asked else colours[0]
        return np.broadcast_to(colour, (*grid_size, 3)).copy(), np.ones(grid_size, dtype=bool)

    def read(self, picture: Array, item: Item, view: View) -> Prediction:
        """`label_scores` of the options: their colours' shares of the picture; with none of them they add up to 1."""
        asked = asked_classes(item) or self.labels
        shares = colour_shares(picture, class_colours(asked, self.labels))
        scores = {name: float(shares[number]) for number, name in enumerate(asked, start=1)}
        return Prediction(
            item.sample.key, item.sample.size, label_scores=scores, item_key=item.key, group=item.sample.group
        )

    def panel(self, prediction: Prediction, item: Item) -> Panel | None:
        """See `label_panel`."""
        return label_panel(prediction, item)
