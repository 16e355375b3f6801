"""Detection: average precision of boxes by COCO's rules, and by PASCAL VOC's of 2007 and 2012.

- `coco-box`: AP over IoU 0.50 to 0.95 and categories, at most 100 boxes of a category in an image, crowds and areas as
  pycocotools has them (Lin et al., "Microsoft COCO", ECCV 2014); a test holds the numbers equal to 1e-6.
- `voc07`, `voc12`: AP at IoU 0.5; each box goes to the object that it overlaps most, a second box on one object is
  false, difficult objects don't count. `voc07` averages precision over 11 levels of recall, `voc12` takes the
  whole area (Everingham et al., IJCV 2010; the devkit of 2012).

Every predicted box counts, with its score, in every image: nothing is dropped for the truth's sake. An image on which
nothing was found needs a prediction without instances.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from gensight.errors import DataError
from gensight.metrics.base import Result
from gensight.metrics.bootstrap import mean_of_known, ratio
from gensight.metrics.coco.average_precision import ApMetric, Detection, mean_over_categories, parts_by_area
from gensight.metrics.coco.matching import Matches, Scored, Table, build_table, match_image
from gensight.samples import Array, Prediction, Sample

AREAS = {
    "all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)
}  # fmt: skip
MAX_DETECTIONS = (1, 10, 100)
_CHUNK = 500_000


@dataclass(frozen=True, eq=False)
class _Truth:
    category: str
    box: Array  # (4,)
    area: float
    is_crowd: bool
    is_difficult: bool


@dataclass(frozen=True, eq=False)
class _Found(Detection):
    category: str
    box: Array


_Detections = list[tuple[dict[str, Any], list[_Found], list[_Truth]]]


def box_overlaps(found: Array, truths: Array, crowds: Array) -> Array:
    """float64 (D, G): intersection over union of boxes (n, 4); over the found box's area where the truth is a crowd."""
    low = np.maximum(found[:, None, :2], truths[None, :, :2])
    high = np.minimum(found[:, None, 2:], truths[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (found, truths)]
    union = np.where(crowds[None], areas[0][:, None], areas[0][:, None] + areas[1][None] - shared)
    return np.nan_to_num(ratio(shared, union))


class BoxMetric(ApMetric[_Found, _Truth]):
    """What the protocols share: boxes of every category, collected by image.

    Args:
        categories: Which are scored; None: all that the truth shows or a prediction names. Categories that the truth
            never shows have no precision and don't enter the mean, as in the published protocols.
        seed: Seeds the bootstrap.
    """

    def __init__(self, categories: Sequence[str] | None = None, seed: int = 0) -> None:
        super().__init__(seed)
        self.categories = None if categories is None else tuple(categories)

    def truths(self, sample: Sample) -> list[_Truth]:
        """Raises DataError for an image whose objects nobody marked, or an object without a box."""
        if sample.instances is None:
            raise DataError(f"`{self.protocol}` needs images whose objects are marked", where=sample.key)
        flags = sample.extras.get("voc_flags") or (None,) * len(sample.instances)
        truths = []
        for one, flag in zip(sample.instances, flags, strict=True):
            if not self._wanted(one.category):
                continue
            if one.box is None:
                raise DataError(f"`{self.protocol}` needs the box of every object", where=sample.key)
            box = np.asarray(one.box, dtype=np.float64)
            area = float(np.prod(box[2:] - box[:2])) if one.area is None else one.area
            truths.append(_Truth(one.category, box, area, one.is_crowd, bool(getattr(flag, "difficult", False))))
        return truths

    def found(self, prediction: Prediction) -> list[_Found]:
        return [
            _Found(float(one.confidence), one.category, np.asarray(one.box, dtype=np.float64))
            for one in prediction.instances
            if one.box is not None and self._wanted(one.category)
        ]

    def _wanted(self, category: str) -> bool:
        return self.categories is None or category in self.categories


def _of_category(images: _Detections, category: str) -> list[tuple[list[_Found], list[_Truth]]]:
    """Of each image the boxes of a category: found by falling score, and true."""
    return [
        ([one for one in found if one.category == category], [one for one in truths if one.category == category])
        for _, found, truths in images
    ]


def _categories(images: _Detections) -> list[str]:
    named: set[str] = set()
    for _, found, truths in images:
        named |= {one.category for one in found} | {one.category for one in truths}
    return sorted(named)


def _boxes(of: Sequence[_Found] | Sequence[_Truth]) -> Array:
    return np.array([one.box for one in of], dtype=np.float64).reshape(-1, 4)


def _row(head: dict[str, Any], right: int, predicted: int, truths: int) -> dict[str, Any]:
    """`score` is the F-measure of the image's boxes at IoU 0.5."""
    total = predicted + truths
    score = 2 * right / total if total else None
    return head | {"score": score, "num_truths": truths, "num_detections": predicted, "num_found": right}


class CocoBox(BoxMetric):
    """`value` is AP; `parts` has AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs, ARm, ARl, and AP/CATEGORY."""

    protocol = "coco-box"

    def result(self, measure: str) -> Result:
        images = self.detections()
        scored = {name: [_scored(*of) for of in _of_category(images, name)] for name in _categories(images)}
        matches = {
            area: {name: [match_image(one, limits) for one in of] for name, of in scored.items()}
            for area, limits in AREAS.items()
        }
        tables = {area: [build_table(of) for of in by_name.values()] for area, by_name in matches.items()}
        rows = []
        for place, (head, _, _) in enumerate(images):
            counts = np.array([_counts(of[place]) for of in matches["all"].values()], dtype=int).reshape(-1, 3)
            rows.append(_row(head, *counts.sum(0).tolist()))
        return self.ap_result(partial(_mean_precision, tables["all"]), _parts(tables, matches["all"]), rows)


def _scored(found: list[_Found], truths: list[_Truth]) -> Scored:
    found = found[: MAX_DETECTIONS[-1]]
    boxes = _boxes(found)
    crowds = np.array([truth.is_crowd for truth in truths], dtype=bool)
    return Scored(
        similarities=box_overlaps(boxes, _boxes(truths), crowds),
        scores=np.array([one.score for one in found], dtype=np.float64),
        areas=np.prod(boxes[:, 2:] - boxes[:, :2], axis=1),
        truth_areas=np.array([truth.area for truth in truths], dtype=np.float64),
        truth_ignored=crowds,
        truth_crowds=crowds,
    )


def _parts(tables: dict[str, list[Table]], matches: dict[str, list[Matches]]) -> dict[str, float]:
    precision, recall = (
        {area: np.array([of(table) for table in by_name]).reshape(-1, 10) for area, by_name in tables.items()}
        for of in (Table.whole_precision, Table.whole_recall)
    )
    parts = parts_by_area("AP", precision)
    for most in MAX_DETECTIONS:
        few = [build_table([_first(one, most) for one in of]).whole_recall() for of in matches.values()]
        parts[f"AR{most}"] = float(mean_of_known(np.array(few).ravel()))
    parts |= {name: value for name, value in parts_by_area("AR", recall).items() if name in ("ARs", "ARm", "ARl")}
    return parts | {f"AP/{name}": float(of.mean()) for name, of in zip(matches, precision["all"], strict=True)}


def _first(matches: Matches, most: int) -> Matches:
    return Matches(matches.scores[:most], matches.hits[:, :most], matches.ignored[:, :most], matches.best)


def _counts(matches: Matches) -> tuple[int, int, int]:
    """(right, predicted, true) at IoU 0.5, without ignored boxes."""
    return int(matches.hits[0].sum()), int((~matches.ignored[0]).sum()), len(matches.best)


def _mean_precision(tables: list[Table], weights: Array) -> Array:
    return mean_over_categories([table.average_precision(weights).mean(1) for table in tables], len(weights))


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

    def result(self, measure: str) -> Result:
        images = self.detections()
        by_name = {name: _of_category(images, name) for name in _categories(images)}
        scored_hits = {name: [_voc_hits(*of) for of in by_image] for name, by_image in by_name.items()}
        tables = {name: _voc_table(of, [truths for _, truths in by_name[name]]) for name, of in scored_hits.items()}
        eleven, once = self.protocol == "voc07", np.ones((1, len(images)))
        rows = []
        for place, (head, _, truths) in enumerate(images):
            hits = [hit for of in scored_hits.values() for _, hit in of[place]]
            rows.append(_row(head, sum(hits), len(hits), sum(not truth.is_difficult for truth in truths)))
        parts = {f"AP/{name}": float(table.average_precision(once, eleven)[0]) for name, table in tables.items()}
        return self.ap_result(partial(_mean_voc, list(tables.values()), eleven), parts, rows)


def _voc_hits(found: list[_Found], truths: list[_Truth]) -> list[tuple[float, bool]]:
    """(score, right) of an image's boxes that count, by falling score."""
    taken = np.zeros(len(truths), dtype=bool)
    overlaps = box_overlaps(_boxes(found), _boxes(truths), np.zeros(len(truths), dtype=bool))
    scored_hits = []
    for one, row in zip(found, overlaps, strict=True):
        best = int(row.argmax()) if len(row) else -1
        hit = best >= 0 and row[best] >= 0.5
        if hit and truths[best].is_difficult:
            continue
        scored_hits.append((one.score, bool(hit and not taken[best])))
        if hit:
            taken[best] = True
    return scored_hits


def _voc_table(scored_hits: list[list[tuple[float, bool]]], truths: list[list[_Truth]]) -> _VocTable:
    images = np.repeat(np.arange(len(scored_hits)), [len(of) for of in scored_hits])
    scores = np.array([score for of in scored_hits for score, _ in of], dtype=np.float64)
    hits = np.array([hit for of in scored_hits for _, hit in of], dtype=bool)
    order = np.argsort(-scores, kind="stable")
    num = np.array([sum(not truth.is_difficult for truth in of) for of in truths], dtype=np.float64)
    return _VocTable(images[order], hits[order], num)


def _mean_voc(tables: list[_VocTable], eleven_points: bool, weights: Array) -> Array:
    return mean_over_categories([table.average_precision(weights, eleven_points) for table in tables], len(weights))
