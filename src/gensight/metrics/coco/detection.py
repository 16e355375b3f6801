"""Detection: average precision of boxes by COCO's rules, and by PASCAL VOC's of 2007 and 2012.

- `coco-box`: AP over IoU 0.50 to 0.95 and categories, at most 100 boxes of a category in an image, crowds and areas as
  pycocotools has them (Lin et al., "Microsoft COCO", ECCV 2014); a test holds the numbers equal to 1e-6.
- `voc07`, `voc12`: AP at IoU 0.5; each box goes to the object that it overlaps most, a second box on one object is
  false, difficult objects don't count. `voc07` averages precision over 11 levels of recall, `voc12` takes the
  whole area (Everingham et al., IJCV 2010; the devkit of 2012).

Every predicted box counts, with its score, in every image: nothing is dropped for the truth's sake. An image on which
nothing was found needs a prediction without instances.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np

from gensight.errors import ConfigError, DataError
from gensight.metrics.base import NUM_RESAMPLES, Metric, Result
from gensight.metrics.bootstrap import make_result
from gensight.metrics.coco.matching import Matches, Scored, Table, build_table, match_image
from gensight.samples import Array, Instance, Item, Prediction

Protocol = Literal["coco-box", "voc07", "voc12"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
AREAS = {
    "all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)
}  # fmt: skip
MAX_DETECTIONS = (1, 10, 100)
_BUDGET = 30_000_000  # detections x resamples; beyond it fewer resamples are drawn, with a note
_CHUNK = 500_000


@dataclass(frozen=True, eq=False)
class _Truth:
    box: Array  # (4,)
    area: float
    is_crowd: bool
    is_difficult: bool


@dataclass(frozen=True, eq=False)
class _Found:
    box: Array
    score: float


@dataclass(eq=False)
class _Image:
    group: str
    truths: dict[str, list[_Truth]]
    found: dict[str, dict[str, list[_Found]]]  # by the item that they answer, then by category


def box_overlaps(found: Array, truths: Array, crowds: Array) -> Array:
    """float64 (D, G): intersection over union of boxes (n, 4); over the found box's area where the truth is a crowd."""
    low = np.maximum(found[:, None, :2], truths[None, :, :2])
    high = np.minimum(found[:, None, 2:], truths[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (found, truths)]
    union = np.where(crowds[None], areas[0][:, None], areas[0][:, None] + areas[1][None] - shared)
    return np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0)


class BoxMetric(Metric):
    """What the protocols share: boxes of every category, collected by image.

    Args:
        categories: Which are scored; None: all that the truth shows or a prediction names. Categories that the truth
            never shows have no precision and don't enter the mean, as in the published protocols.
        seed: Seeds the bootstrap.
    """

    def __init__(self, categories: Sequence[str] | None = None, seed: int = 0) -> None:
        self.categories = None if categories is None else tuple(categories)
        self.seed = seed
        self._images: dict[str, _Image] = {}

    def update(self, prediction: Prediction, item: Item) -> None:
        """Adds the prediction's boxes to those of the item's image.

        Raises:
            DataError: An image whose objects nobody marked, an object without a box, or another image's prediction.
        """
        sample = item.sample
        if prediction.sample_key != sample.key:
            raise DataError(f"a prediction of `{prediction.sample_key}` cannot be scored against `{sample.key}`")
        if sample.key not in self._images:
            if sample.instances is None:
                raise DataError(f"`{self.protocol}` needs images whose objects are marked", where=sample.key)
            self._images[sample.key] = _Image(sample.group, self._truths(item), {})
        found: dict[str, list[_Found]] = {}
        for one in prediction.instances:
            if one.box is not None and self._wanted(one.category):
                box = np.asarray(one.box, dtype=np.float64)
                found.setdefault(one.category, []).append(_Found(box, float(one.confidence)))
        self._images[sample.key].found[item.key] = found

    def _truths(self, item: Item) -> dict[str, list[_Truth]]:
        truths: dict[str, list[_Truth]] = {}
        instances = item.sample.instances or ()
        flags = item.sample.extras.get("voc_flags") or (None,) * len(instances)
        for one, flag in zip(instances, flags, strict=True):
            if self._wanted(one.category):
                difficult = bool(getattr(flag, "difficult", False))
                truths.setdefault(one.category, []).append(self._truth(one, difficult, item.sample.key))
        return truths

    def _truth(self, one: Instance, difficult: bool, key: str) -> _Truth:
        if one.box is None:
            raise DataError(f"`{self.protocol}` needs the box of every object", where=key)
        box = np.asarray(one.box, dtype=np.float64)
        area = float(np.prod(box[2:] - box[:2])) if one.area is None else one.area
        return _Truth(box, area, one.is_crowd, difficult)

    def _wanted(self, category: str) -> bool:
        return self.categories is None or category in self.categories

    def merge(self, other: Metric) -> None:
        assert isinstance(other, BoxMetric), "only metrics of one class can be merged"
        assert other.protocol == self.protocol, "only metrics of one class can be merged"
        for key, image in other._images.items():
            self._images.setdefault(key, _Image(image.group, image.truths, {})).found.update(image.found)

    def _named(self) -> list[str]:
        """Categories in order."""
        images = self._images.values()
        shown = {name for image in images for name in image.truths}
        predicted = {name for image in images for of in image.found.values() for name in of}
        return sorted(shown | predicted)

    def _sorted(self, image: _Image, category: str) -> list[_Found]:
        """The image's boxes of a category by falling score; equal scores stay in the order of their items."""
        found = [one for _, of in sorted(image.found.items()) for one in of.get(category, ())]
        return sorted(found, key=lambda one: -one.score)

    def _row(self, key: str, right: int, predicted: int, truths: int) -> dict[str, Any]:
        """`score` is the F-measure of the image's boxes at IoU 0.5."""
        total = predicted + truths
        return {
            "sample_key": key, "group": self._images[key].group, "score": 2 * right / total if total else None,
            "num_truths": truths, "num_detections": predicted, "num_found": right,
        }  # fmt: skip

    def _result(
        self, keys: list[str], reweigh: Callable[[Array], Array], parts: dict[str, float], rows: list[dict[str, Any]]
    ) -> Result:
        num_boxes = sum(row["num_detections"] for row in rows)
        num_resamples = min(NUM_RESAMPLES, max(1_000, _BUDGET // max(1, num_boxes)))
        return make_result(
            self.protocol,
            reweigh=reweigh,
            groups=[self._images[key].group for key in keys],
            rows=rows,
            higher_is_better=True,
            unit="%",
            parts=parts,
            notes=[f"{num_resamples:,} resamples"] if num_resamples < NUM_RESAMPLES else [],
            seed=self.seed,
            num_resamples=num_resamples,
        )


class CocoBox(BoxMetric):
    """`value` is AP; `parts` has AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs, ARm, ARl, and AP/CATEGORY."""

    protocol = "coco-box"

    def compute(self) -> list[Result]:
        keys, names = sorted(self._images), self._named()
        matches = {
            area: {name: [match_image(self._scored(key, name), limits) for key in keys] for name in names}
            for area, limits in AREAS.items()
        }
        tables = {area: [build_table(of) for of in by_name.values()] for area, by_name in matches.items()}
        rows = []
        for place, key in enumerate(keys):
            of = [matches["all"][name][place] for name in names]
            right, predicted, truths = (
                (sum(values) for values in zip(*map(_counts, of), strict=True)) if of else (0, 0, 0)
            )
            rows.append(self._row(key, right, predicted, truths))
        return [self._result(keys, partial(_mean_precision, tables["all"]), self._parts(tables, matches, keys), rows)]

    def _scored(self, key: str, category: str) -> Scored:
        image = self._images[key]
        found, truths = self._sorted(image, category)[: MAX_DETECTIONS[-1]], image.truths.get(category, [])
        boxes = np.array([one.box for one in found]).reshape(-1, 4)
        crowds = np.array([truth.is_crowd for truth in truths], dtype=bool)
        return Scored(
            similarities=box_overlaps(boxes, np.array([truth.box for truth in truths]).reshape(-1, 4), crowds),
            scores=np.array([one.score for one in found], dtype=np.float64),
            areas=np.prod(boxes[:, 2:] - boxes[:, :2], axis=1),
            truth_areas=np.array([truth.area for truth in truths], dtype=np.float64),
            truth_ignored=crowds,
            truth_crowds=crowds,
        )

    def _parts(
        self, tables: dict[str, list[Table]], matches: dict[str, dict[str, list[Matches]]], keys: list[str]
    ) -> dict[str, float]:
        once = np.ones((1, len(keys)))
        precision = {
            area: np.array([of.average_precision(once)[0] for of in tables[area]]).reshape(-1, 10) for area in AREAS
        }
        recall = {area: np.array([of.recall(once)[0] for of in tables[area]]).reshape(-1, 10) for area in AREAS}
        parts = {"AP": _mean(precision["all"]), "AP50": _mean(precision["all"][:, 0]),
                 "AP75": _mean(precision["all"][:, 5])}  # fmt: skip
        parts |= {f"AP{area[0]}": _mean(precision[area]) for area in ("small", "medium", "large")}
        for most in MAX_DETECTIONS:
            few = [build_table([_first(one, most) for one in of]) for of in matches["all"].values()]
            parts[f"AR{most}"] = _mean(np.array([of.recall(once)[0] for of in few]))
        parts |= {f"AR{area[0]}": _mean(recall[area]) for area in ("small", "medium", "large")}
        by_name = zip(matches["all"], precision["all"], strict=True)
        return parts | {f"AP/{name}": float(values.mean()) for name, values in by_name}


def _first(matches: Matches, most: int) -> Matches:
    return Matches(matches.scores[:most], matches.hits[:, :most], matches.ignored[:, :most], matches.best)


def _counts(matches: Matches) -> tuple[int, int, int]:
    """(right, predicted, true) at IoU 0.5, without ignored boxes."""
    return int(matches.hits[0].sum()), int((~matches.ignored[0]).sum()), len(matches.best)


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _mean_known(values: Array) -> Array:
    """Mean over the known values of the first axis."""
    known = np.isfinite(values)
    num = known.sum(0)
    return np.divide(np.where(known, values, 0).sum(0), num, out=np.full(num.shape, np.nan), where=num > 0)


def _mean_precision(tables: list[Table], weights: Array) -> Array:
    if not tables:
        return np.full(len(weights), np.nan)
    return _mean_known(np.stack([table.average_precision(weights).mean(1) for table in tables]))


@dataclass(frozen=True, eq=False)
class _VocTable:
    """A category's boxes in all images by falling score, those on difficult objects left out."""

    images: Array  # int (D,)
    hits: Array  # bool (D,)
    num_truths: Array  # float64 (num_images,)

    def average_precision(self, weights: Array, eleven_points: bool) -> Array:
        """(resamples,) for image weights (resamples, num_images); NaN where no object counts."""
        result = np.full(len(weights), np.nan)
        rows = max(1, _CHUNK // max(1, len(self.images)))
        for start in range(0, len(weights), rows):
            part = weights[start : start + rows]
            truths = part @ self.num_truths
            drawn = part[:, self.images]
            places = np.flatnonzero(self.hits)
            found = np.cumsum(drawn[:, places], axis=1)
            precision = found / np.maximum(np.cumsum(drawn, axis=1)[:, places], 1e-12)
            envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            recall = found / np.maximum(truths, 1)[:, None]
            steps = np.diff(recall, axis=1, prepend=0)
            if eleven_points:
                reached = [np.where(recall >= level, precision, 0).max(1, initial=0) for level in np.arange(11) / 10]
                value = np.mean(reached, axis=0)
            else:
                value = (envelope * steps).sum(1)
            result[start : start + rows] = np.where(truths > 0, value, np.nan)
        return result


class VocBox(BoxMetric):
    """`value` is the mean over categories of AP at IoU 0.5; `parts` has each category's.

    Args:
        protocol: `voc07` or `voc12`.
        categories: As in `BoxMetric`.
        seed: Seeds the bootstrap.
    """

    def __init__(
        self, protocol: Literal["voc07", "voc12"] = "voc12", categories: Sequence[str] | None = None, seed: int = 0
    ) -> None:
        super().__init__(categories, seed)
        self.protocol = protocol

    def compute(self) -> list[Result]:
        keys, names = sorted(self._images), self._named()
        scored_hits = {name: [self._match(key, name) for key in keys] for name in names}
        tables = {name: self._table(of, keys, name) for name, of in scored_hits.items()}
        eleven = self.protocol == "voc07"
        once = np.ones((1, len(keys)))
        rows = []
        for place, key in enumerate(keys):
            of = [hit for name in names for _, hit in scored_hits[name][place]]
            truths = sum(not truth.is_difficult for of_name in self._images[key].truths.values() for truth in of_name)
            rows.append(self._row(key, sum(of), len(of), truths))
        parts = {f"AP/{name}": float(table.average_precision(once, eleven)[0]) for name, table in tables.items()}
        return [self._result(keys, partial(_mean_voc, list(tables.values()), eleven), parts, rows)]

    def _match(self, key: str, category: str) -> list[tuple[float, bool]]:
        """(score, right) of an image's boxes that count, by falling score."""
        image = self._images[key]
        found, truths = self._sorted(image, category), image.truths.get(category, [])
        none = np.zeros(len(truths), dtype=bool)
        overlaps = box_overlaps(
            np.array([one.box for one in found]).reshape(-1, 4),
            np.array([truth.box for truth in truths]).reshape(-1, 4),
            none,
        )
        taken, scored_hits = none.copy(), []
        for one, row in zip(found, overlaps, strict=True):
            best = int(row.argmax()) if len(row) else -1
            hit = best >= 0 and row[best] >= 0.5
            if hit and truths[best].is_difficult:
                continue
            scored_hits.append((one.score, bool(hit and not taken[best])))
            if hit:
                taken[best] = True
        return scored_hits

    def _table(self, scored_hits: list[list[tuple[float, bool]]], keys: list[str], category: str) -> _VocTable:
        images = np.repeat(np.arange(len(scored_hits)), [len(of) for of in scored_hits])
        scores = np.array([score for of in scored_hits for score, _ in of], dtype=np.float64)
        hits = np.array([hit for of in scored_hits for _, hit in of], dtype=bool)
        order = np.argsort(-scores, kind="stable")
        truths = [self._images[key].truths.get(category, []) for key in keys]
        num = np.array([sum(not truth.is_difficult for truth in of) for of in truths], dtype=np.float64)
        return _VocTable(images[order], hits[order], num)


def _mean_voc(tables: list[_VocTable], eleven_points: bool, weights: Array) -> Array:
    if not tables:
        return np.full(len(weights), np.nan)
    return _mean_known(np.stack([table.average_precision(weights, eleven_points) for table in tables]))


def detection_metric(protocol: str, categories: Sequence[str] | None = None, seed: int = 0) -> BoxMetric:
    """The metric of a protocol. Raises ConfigError on other names."""
    match protocol:
        case "coco-box":
            return CocoBox(categories, seed)
        case "voc07":
            return VocBox("voc07", categories, seed)
        case "voc12":
            return VocBox("voc12", categories, seed)
        case _:
            what = f"no detection protocol is called `{protocol}`"
            raise ConfigError(what, where="evaluation.protocols", choices=PROTOCOLS)
