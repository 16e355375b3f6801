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
from functools import partial
from typing import Literal, get_args

import cv2
import numpy as np

from gensight.errors import ConfigError, DataError
from gensight.metrics.base import Metric, Result
from gensight.metrics.bootstrap import make_result
from gensight.readers.shared.class_maps import BACKGROUND, class_map
from gensight.samples import Array, Instance, Item, Prediction

Protocol = Literal["seg", "seg-oracle-classes"]
Measure = Literal["miou", "pixel-accuracy", "class-accuracy"]
MaskMeasure = Literal["iou", "dice", "boundary-f"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
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


class Segmentation(Metric):
    """Measures of the confusion over the data set, a result each.

    Of each image, the pixels of each class that are right, predicted, and true are kept. A row's `score` is the measure
    within the image.

    Args:
        names: The classes that are scored.
        measures: Of `MEASURES`.
        protocol: Of `PROTOCOLS`.
        seed: Seeds the bootstrap.
    """

    def __init__(
        self, names: Sequence[str], measures: Sequence[Measure] = MEASURES, protocol: Protocol = "seg", seed: int = 0
    ) -> None:
        if not names or len(set(names)) < len(names):
            raise ConfigError("segmentation is scored over classes of different names, at least one")
        if protocol not in PROTOCOLS:
            raise ConfigError(f"no segmentation protocol is called `{protocol}`", choices=PROTOCOLS)
        self.names, self.measures, self.seed = tuple(names), tuple(measures), seed
        self.protocol: Protocol = protocol
        self._images: dict[str, Array] = {}  # (3, num_classes)
        self._groups: dict[str, str] = {}
        self._skipped: set[str] = set()

    def update(self, prediction: Prediction, item: Item) -> None:
        """Counts one image's pixels. Images without a labelled pixel are left out and counted in the notes.

        Raises:
            DataError: An image without classes, a mask of another size, or a second prediction of one image.
        """
        sample = item.sample
        if prediction.sample_key != sample.key:
            raise DataError(f"a prediction of `{prediction.sample_key}` cannot be scored against `{sample.key}`")
        if sample.key in self._images or sample.key in self._skipped:
            hint = "merge the answers of an image (merge_predictions) before they are scored"
            raise DataError("two predictions of one image", where=sample.key, hint=hint)
        truth = self._truth(item)
        valid = truth != _UNKNOWN
        if not valid.any():
            self._skipped.add(sample.key)
            return
        predicted = self._predicted_map(prediction, truth, sample.size)
        num = len(self.names)
        right = np.bincount(truth[valid & (predicted == truth)], minlength=num)
        self._images[sample.key] = np.stack(
            [
                right,
                np.bincount(predicted[valid], minlength=num + 1)[:num],
                np.bincount(truth[valid], minlength=num),
            ]
        ).astype(np.float64)
        self._groups[sample.key] = sample.group

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

    def merge(self, other: Metric) -> None:
        assert isinstance(other, Segmentation), "only metrics of one class can be merged"
        self._images.update(other._images)
        self._groups.update(other._groups)
        self._skipped |= other._skipped

    def compute(self) -> list[Result]:
        return [self._result(measure) for measure in self.measures]

    def _result(self, measure: Measure) -> Result:
        keys = sorted(self._images)
        num = len(self.names)
        statistics = np.array([self._images[key].ravel() for key in keys]).reshape(-1, 3 * num)
        reduce = partial(_REDUCE[measure], num=num)
        by_class = _ious(statistics.sum(0)) if measure == "miou" else _recalls(statistics.sum(0))
        notes = [f"{len(self._skipped)} images have no labelled pixel"] if self._skipped else []
        return make_result(
            f"{self.protocol}/{measure}",
            statistics=statistics,
            reduce=reduce,
            groups=[self._groups[key] for key in keys],
            rows=[
                {"sample_key": key, "group": self._groups[key], "score": _plain(float(reduce(row[None])[0]))}
                for key, row in zip(keys, statistics, strict=True)
            ],
            higher_is_better=True,
            unit="%",
            parts={name: float(value) for name, value in zip(self.names, by_class, strict=True)},
            notes=notes,
            seed=self.seed,
        )


def segmentation_metric(protocol: str, names: Sequence[str], seed: int = 0) -> Segmentation:
    """The metric of a protocol: `seg` with all measures, or one (`seg/miou`). Raises ConfigError on other names."""
    family, slash, measure = protocol.partition("/")
    if family not in PROTOCOLS or (slash and measure not in MEASURES):
        choices = [*PROTOCOLS, *(f"{PROTOCOLS[0]}/{one}" for one in MEASURES)]
        raise ConfigError(
            f"no segmentation protocol is called `{protocol}`", where="evaluation.protocols", choices=choices
        )
    return Segmentation(names, [one for one in MEASURES if not slash or one == measure], family, seed)


class MaskScores(Metric):
    """Measures of the masks of items' queries, a result each: the mean over items, images weighted alike.

    The truth is the class in `item.query.options` (several: their union); without a query, the item's instance, or all
    instances. The answer is the union of the predicted masks.

    Args:
        measures: Of `MASK_MEASURES`.
        seed: Seeds the bootstrap.
    """

    protocol = "mask"

    def __init__(self, measures: Sequence[MaskMeasure] = MASK_MEASURES, seed: int = 0) -> None:
        self.measures, self.seed = tuple(measures), seed
        self._images: dict[str, dict[str, dict[MaskMeasure, float]]] = {}
        self._groups: dict[str, str] = {}

    def update(self, prediction: Prediction, item: Item) -> None:
        """Scores one item. DataError for an image without masks, or another item's prediction."""
        sample = item.sample
        if prediction.sample_key != sample.key or (prediction.item_key and prediction.item_key != item.key):
            answered = prediction.item_key or prediction.sample_key
            raise DataError(f"a prediction of `{answered}` cannot be scored against `{item.key}`")
        truth, known = asked_mask(item)
        predicted = np.zeros(sample.size, dtype=bool)
        for one in prediction.instances:
            if one.mask is not None:
                predicted |= one.mask().astype(bool)
        values = {measure: _MASKS[measure](predicted & known, truth & known) for measure in self.measures}
        self._images.setdefault(sample.key, {})[item.key] = values
        self._groups[sample.key] = sample.group

    def merge(self, other: Metric) -> None:
        assert isinstance(other, MaskScores), "only metrics of one class can be merged"
        for key, items in other._images.items():
            self._images.setdefault(key, {}).update(items)
        self._groups.update(other._groups)

    def compute(self) -> list[Result]:
        return [self._result(measure) for measure in self.measures]

    def _result(self, measure: MaskMeasure) -> Result:
        keys = sorted(self._images)
        scores = [float(np.mean([of[measure] for _, of in sorted(self._images[key].items())])) for key in keys]
        return make_result(
            f"{self.protocol}/{measure}",
            statistics=np.column_stack([scores, np.ones(len(scores))]) if scores else np.zeros((0, 2)),
            reduce=_mean,
            groups=[self._groups[key] for key in keys],
            rows=[
                {"sample_key": key, "group": self._groups[key], "score": score, "num_items": len(self._images[key])}
                for key, score in zip(keys, scores, strict=True)
            ],
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


def _ratio(a: Array, b: Array) -> Array:
    return np.divide(a, b, out=np.full(np.shape(b), np.nan), where=b > 0)


def _split(sums: Array, num: int) -> tuple[Array, Array, Array]:
    of = np.asarray(sums, dtype=np.float64).reshape(*np.shape(sums)[:-1], 3, num)
    return of[..., 0, :], of[..., 1, :], of[..., 2, :]


def _ious(sums: Array) -> Array:
    right, predicted, true = _split(sums, np.shape(sums)[-1] // 3)
    return _ratio(right, predicted + true - right)


def _recalls(sums: Array) -> Array:
    right, _, true = _split(sums, np.shape(sums)[-1] // 3)
    return _ratio(right, true)


def _nanmean(values: Array) -> Array:
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0).sum(-1), known.sum(-1))


def _miou(sums: Array, num: int) -> Array:
    return _nanmean(_ious(sums))


def _class_accuracy(sums: Array, num: int) -> Array:
    return _nanmean(_recalls(sums))


def _pixel_accuracy(sums: Array, num: int) -> Array:
    right, _, true = _split(sums, num)
    return _ratio(right.sum(-1), true.sum(-1))


def _mean(sums: Array) -> Array:
    return _ratio(np.asarray(sums[..., 0]), np.asarray(sums[..., 1]))


def _plain(value: float) -> float | None:
    return value if np.isfinite(value) else None


_REDUCE: dict[Measure, Callable[..., Array]] = {
    "miou": _miou, "pixel-accuracy": _pixel_accuracy, "class-accuracy": _class_accuracy
}  # fmt: skip
_MASKS: dict[MaskMeasure, Callable[[Array, Array], float]] = {
    "iou": intersection_over_union, "dice": dice, "boundary-f": boundary_f
}  # fmt: skip
