"""Segmentation: one confusion over the data set, and binary masks one by one.

- `seg`: every pixel has one class. Intersections, predicted and true pixels of each class are summed over all images
  (Long et al., CVPR 2015, section 5): `seg/miou` is the mean over classes of intersection / union, over the classes
  that the truth or a prediction shows; `seg/pixel-accuracy` the share of labelled pixels that are right;
  `seg/class-accuracy` the mean over classes that the truth shows of that share.
- `seg-oracle-classes`: the same, but predicted classes that an image doesn't show are dropped first. It scores
  masks given oracle classes, and is never comparable with `seg`.
- `mask`: the mask of an item's query: `mask/iou`, `mask/dice`, and `mask/boundary-f` (Perazzi et al., "A benchmark
  dataset ... for video object segmentation", CVPR 2016, section 5.2: boundaries matched within 0.8 % of the diagonal),
  means over items. Two empty masks agree: 1.

Pixels whose truth is ignored are not scored. Predicted masks are laid on each other by rising confidence; where none
lies, the answer is `background` if that is a class, else no class at all.
"""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import cv2
import numpy as np

from gensight.errors import ConfigError, DataError
from gensight.metrics.base import ImageMetric, Result, plain
from gensight.metrics.bootstrap import make_result, mean_of_known, ratio
from gensight.readers.shared.class_maps import BACKGROUND, class_map
from gensight.samples import Array, Instance, Item, Prediction

Protocol = Literal["seg", "seg-oracle-classes"]
Measure = Literal["miou", "pixel-accuracy", "class-accuracy"]
MaskMeasure = Literal["iou", "dice", "boundary-f"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
MASK_MEASURES: tuple[MaskMeasure, ...] = get_args(MaskMeasure)
TOLERANCE = 0.008  # of the diagonal, for boundaries
_UNKNOWN = -1


def painted_classes(instances: Sequence[Instance], names: Sequence[str], size: tuple[int, int]) -> Array:
    """int32 (height, width): the class of each pixel by predicted masks; len(names) where nothing was predicted.

    Raises:
        DataError: A mask of another size.
    """
    names = list(names)
    unsaid = names.index(BACKGROUND) if BACKGROUND in names else len(names)
    classes = np.full(size, unsaid, dtype=np.int32)
    for one in sorted(instances, key=lambda instance: instance.confidence):
        if one.mask is None or one.category not in names:
            continue
        mask = one.mask()
        if mask.shape != tuple(size):
            raise DataError(f"a predicted mask of {mask.shape} for an image of {tuple(size)}")
        classes[mask.astype(bool)] = names.index(one.category)
    return classes


class Segmentation(ImageMetric[Array]):
    """Measures of the confusion over the data set, a result each.

    Of each image, the pixels of each class that are right, predicted, and true are kept. A row's `score` is the measure
    within the image.

    Args:
        names: The classes that are scored.
        measures: Of `MEASURES`.
        protocol: `seg` or `seg-oracle-classes`.
        seed: Seeds the bootstrap.
    """

    whole_images = True

    def __init__(
        self, names: Sequence[str], measures: Sequence[Measure] = MEASURES, protocol: Protocol = "seg", seed: int = 0
    ) -> None:
        if not names or len(set(names)) < len(names):
            raise ConfigError("segmentation is scored over classes of different names, at least one")
        super().__init__(measures, seed)
        self.names = tuple(names)
        self.protocol: Protocol = protocol

    def measure(self, prediction: Prediction, item: Item) -> Array | str:
        """float64 (3, num_classes): pixels of each class that are right, predicted, true.

        Raises:
            DataError: An image without classes, a mask of another size, or a second prediction of one image.
        """
        sample = item.sample
        if sample.key in self._measured:
            hint = "merge the answers of an image (merge_predictions) before they are scored"
            raise DataError("two predictions of one image", where=sample.key, hint=hint)
        truth = self._truth(item)
        valid = truth != _UNKNOWN
        if not valid.any():
            return "images have no labelled pixel"
        predicted = self._predicted_map(prediction, truth, sample.size)
        num = len(self.names)
        counted = (truth[valid & (predicted == truth)], predicted[valid], truth[valid])
        return np.stack([np.bincount(of, minlength=num + 1)[:num] for of in counted]).astype(np.float64)

    def _truth(self, item: Item) -> Array:
        """int32 (height, width): places in `names`, or _UNKNOWN."""
        classes = class_map(item.sample, [name for name in self.names if name != BACKGROUND])
        if classes is None:
            raise DataError("segmentation is scored on images whose pixels have classes", where=item.key)
        known = dict(enumerate(classes.names))
        numbers = classes()
        table = np.full(int(max(numbers.max(), len(known))) + 1, _UNKNOWN, dtype=np.int32)
        for number, name in known.items():
            if number not in classes.ignored and name in self.names:
                table[number] = self.names.index(name)
        truth: Array = table[numbers]
        return truth

    def _predicted_map(self, prediction: Prediction, truth: Array, size: tuple[int, int]) -> Array:
        instances = prediction.instances
        if self.protocol == "seg-oracle-classes":
            shown = {self.names[number] for number in np.unique(truth) if number != _UNKNOWN}
            instances = tuple(one for one in instances if one.category in shown)
        return painted_classes(instances, self.names, size)

    def result(self, measure: Measure) -> Result:
        images = self.images()
        statistics = np.array([of[0].ravel() for _, of in images]).reshape(-1, 3 * len(self.names))
        reduce = _REDUCE[measure]
        by_class = _ious(statistics.sum(0)) if measure == "miou" else _recalls(statistics.sum(0))
        return make_result(
            f"{self.protocol}/{measure}",
            statistics=statistics,
            reduce=reduce,
            rows=[
                head | {"score": plain(float(reduce(sums)))} for (head, _), sums in zip(images, statistics, strict=True)
            ],
            higher_is_better=True,
            unit="%",
            parts=dict(zip(self.names, by_class.tolist(), strict=True)),
            notes=self.skip_notes(),
            seed=self.seed,
        )


class MaskScores(ImageMetric[dict[MaskMeasure, float]]):
    """Measures of the masks of items' queries, a result each: the mean over items, images weighted alike.

    The truth is the class in `item.query.options` (several: their union); without a query, the item's instance, or all
    instances. The answer is the union of the predicted masks.

    Args:
        measures: Of `MASK_MEASURES`.
        seed: Seeds the bootstrap.
    """

    protocol = "mask"
    measures = MASK_MEASURES

    def measure(self, prediction: Prediction, item: Item) -> dict[MaskMeasure, float]:
        """Raises DataError for an image without masks."""
        truth, known = asked_mask(item)
        predicted = np.zeros(item.sample.size, dtype=bool)
        for one in prediction.instances:
            if one.mask is not None:
                predicted |= one.mask().astype(bool)
        return {measure: _MASKS[measure](predicted & known, truth & known) for measure in self.measures}

    def result(self, measure: MaskMeasure) -> Result:
        rows = [
            head | {"score": float(np.mean([of[measure] for of in items])), "num_items": len(items)}
            for head, items in self.images()
        ]
        return make_result(
            f"{self.protocol}/{measure}",
            rows=rows,
            higher_is_better=True,
            unit="%",
            seed=self.seed,
        )


def asked_mask(item: Item) -> tuple[Array, Array]:
    """bool (height, width) twice: the mask of an item's query, and where the truth is known.

    Raises:
        DataError: The masks of this image are not labelled.
    """
    sample, everywhere = item.sample, np.ones(item.sample.size, dtype=bool)
    options = () if item.query is None else item.query.options
    classes = class_map(sample, options)
    if options and classes is not None:
        numbers = classes()
        truth = np.isin(numbers, [n for n, name in enumerate(classes.names) if name in options])
        return truth, ~np.isin(numbers, classes.ignored)
    instances = sample.instances or ()
    if item.subject is not None:
        instances = (item.subject,)
    if (not instances and sample.instances is None) or any(one.mask is None for one in instances):
        raise DataError("masks are scored on images whose masks are known", where=item.key)
    truth = np.zeros(sample.size, dtype=bool)
    for one in instances:
        if one.mask is not None and (not options or one.category in options):
            truth |= one.mask()
    return truth, everywhere


def intersection_over_union(predicted: Array, truth: Array) -> float:
    """Of two bool masks; 1 for two empty ones."""
    union = np.count_nonzero(predicted | truth)
    return np.count_nonzero(predicted & truth) / union if union else 1.0


def dice(predicted: Array, truth: Array) -> float:
    """Twice the intersection over the sum of two bool masks' pixels; 1 for two empty ones."""
    total = np.count_nonzero(predicted) + np.count_nonzero(truth)
    return 2 * np.count_nonzero(predicted & truth) / total if total else 1.0


def boundary_f(predicted: Array, truth: Array, tolerance: float = TOLERANCE) -> float:
    """F-measure of two bool masks' boundaries, matched within `tolerance` of the diagonal; 1 for two without any."""
    edges = [_boundary(mask) for mask in (predicted, truth)]
    counts = [int(edge.sum()) for edge in edges]
    if not all(counts):
        return float(counts[0] == counts[1])
    radius = int(np.ceil(tolerance * np.hypot(*predicted.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    near = [cv2.dilate(edge.astype(np.uint8), disc).astype(bool) for edge in edges]
    precision = (edges[0] & near[1]).sum() / counts[0]
    recall = (edges[1] & near[0]).sum() / counts[1]
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def _boundary(mask: Array) -> Array:
    """bool: pixels of the mask beside one that is not of it; the image's border is no boundary."""
    eroded = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(mask & ~eroded.astype(bool))


def _split(sums: Array) -> tuple[Array, Array, Array]:
    """(..., 3 num_classes) -> right, predicted and true pixels, (..., num_classes) each."""
    right, predicted, true = np.split(sums, 3, axis=-1)
    return right, predicted, true


def _ious(sums: Array) -> Array:
    right, predicted, true = _split(sums)
    return ratio(right, predicted + true - right)


def _recalls(sums: Array) -> Array:
    right, _, true = _split(sums)
    return ratio(right, true)


def _pixel_accuracy(sums: Array) -> Array:
    right, _, true = _split(sums)
    return ratio(right.sum(-1), true.sum(-1))


_REDUCE: dict[Measure, Callable[[Array], Array]] = {
    "miou": lambda sums: mean_of_known(_ious(sums)),
    "pixel-accuracy": _pixel_accuracy,
    "class-accuracy": lambda sums: mean_of_known(_recalls(sums)),
}
_MASKS: dict[MaskMeasure, Callable[[Array, Array], float]] = {
    "iou": intersection_over_union, "dice": dice, "boundary-f": boundary_f
}  # fmt: skip
