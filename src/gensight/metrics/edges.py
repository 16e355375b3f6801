"""Edges: the F-measure of boundaries, at the best threshold of the data set (ODS) and of each image (OIS).

After Martin, Fowlkes and Malik, "Learning to detect natural image boundaries", TPAMI 2004, and Arbelaez et al.,
"Contour detection and hierarchical image segmentation", TPAMI 2011, with one difference: pixels are matched by
distance, not one to one. A predicted pixel is right where a true one lies within the tolerance, and a true pixel is
found where a predicted one does, so two parallel lines within the tolerance of one true line are not punished.
"""

from typing import Literal, get_args

import cv2
import numpy as np

from gensight.errors import DataError
from gensight.geometry import map_grid_to_image
from gensight.metrics.base import ImageMetric, Result, plain
from gensight.metrics.bootstrap import make_result
from gensight.samples import Array, Item, Prediction, ScoreMap

Choice = Literal["ods", "ois"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
TOLERANCE = 0.0075  # of the image's diagonal
TRUE_FROM = 0.5  # soft truth counts as an edge from here
THRESHOLDS = np.round(np.arange(0.02, 1, 0.04), 2)


def thin(edges: Array, scale: float) -> Array:
    """Soft edges on their ridges alone: 0 where either neighbour across the edge is stronger.

    Args:
        edges: float32 (height, width) in [0, 1].
        scale: Standard deviation in pixels of the blur under which ridges are found, so that flat tops have one.
    """
    smooth = cv2.GaussianBlur(edges.astype(np.float32), (0, 0), scale, borderType=cv2.BORDER_REFLECT)
    # The direction across a ridge is that of its strongest curvature.
    xx, yy = cv2.Sobel(smooth, cv2.CV_32F, 2, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 2)
    angle = 0.5 * np.arctan2(2 * cv2.Sobel(smooth, cv2.CV_32F, 1, 1), xx - yy)
    # Of the two principal directions, the one of the lesser (negative) second derivative.
    across = angle + np.pi / 2
    y, x = np.mgrid[0 : edges.shape[0], 0 : edges.shape[1]].astype(np.float32)
    dx, dy = np.cos(across).astype(np.float32), np.sin(across).astype(np.float32)
    keep = np.ones(edges.shape, dtype=bool)
    for sign in (-1, 1):
        beside = cv2.remap(smooth, x + sign * dx, y + sign * dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        keep &= smooth * 1.001 + 1e-6 >= beside
    return np.where(keep, edges, 0).astype(np.float32)


def boundary_counts(predicted: Array, truth: Array, tolerance: float) -> Array:
    """How predicted boundaries meet true ones at each of `THRESHOLDS`.

    Args:
        predicted: float (height, width), thin soft edges.
        truth: bool (height, width), thin edges.
        tolerance: In pixels.

    Returns:
        float64 (num_thresholds, 4): right predicted pixels, predicted pixels, found true pixels, true pixels.
    """
    near_truth = _distance_to(truth) <= tolerance
    counts = np.zeros((len(THRESHOLDS), 4))
    counts[:, 3] = truth.sum()
    for number, threshold in enumerate(THRESHOLDS):
        chosen = predicted >= threshold
        num = int(chosen.sum())
        if num == 0:
            break  # nor at any higher threshold
        counts[number, :3] = (chosen & near_truth).sum(), num, (truth & (_distance_to(chosen) <= tolerance)).sum()
    return counts


def _distance_to(mask: Array) -> Array:
    """float32 (height, width): each pixel's distance to the nearest one of a mask; infinite where there is none."""
    if not mask.any():
        return np.full(mask.shape, np.inf, dtype=np.float32)
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def _in_image(score: ScoreMap) -> Array:
    """A predicted map in the image frame, thinned: float32 (height, width)."""
    per_cell = score.view.model_size[1] / score.values.shape[2]
    cell = per_cell / float(np.sqrt(abs(np.linalg.det(score.view.matrix[:2, :2]))))  # in image pixels
    return thin(np.clip(map_grid_to_image(score.values[0], score.view), 0, 1), max(1.0, cell / 4))


class EdgeF(ImageMetric[Array]):
    """The F-measure 2 P R / (P + R) of boundaries, from pixel counts added up over images; a result for each choice.

    Predictions are brought to the image's size and thinned; soft truth is thinned and counts from 0.5 on. A pixel is
    right within 0.75 % of the image's diagonal. Images without true edges count by what is predicted in them.

    Args:
        measures: `ods`: one threshold for all images, the best; `ois`: each image's own best.
        seed: Seeds the bootstrap.
    """

    protocol = "edges-f"
    measures = CHOICES
    whole_images = True

    def measure(self, prediction: Prediction, item: Item) -> Array:
        """`boundary_counts`; no map at all is a map without edges. DataError where the image's edges are unknown."""
        sample = item.sample
        if sample.edges is None:
            raise DataError("`edges-f` needs images whose edges are known", where=item.key)
        truth = thin(sample.edges().astype(np.float32), 1.0) >= TRUE_FROM
        score = prediction.maps.get("edges")
        predicted = np.zeros(truth.shape, np.float32) if score is None else _in_image(score)
        if predicted.shape != truth.shape:
            raise DataError(f"predicted edges of {predicted.shape} for an image of {truth.shape}", where=item.key)
        return boundary_counts(predicted, truth, TOLERANCE * float(np.hypot(*sample.size)))

    def result(self, measure: Choice) -> Result:
        images = self.images()
        counts = np.array([of[0] for _, of in images]).reshape(-1, len(THRESHOLDS), 4)
        f = f_measure(counts)
        best = np.nan_to_num(f, nan=-1.0).argmax(1)
        # Where nothing is right at any threshold, the one that predicts least.
        best = np.where(np.nan_to_num(f).max(1, initial=0) > 0, best, len(THRESHOLDS) - 1)
        chosen = counts[np.arange(len(images)), best]
        rows = [
            head | {"score": plain(float(values[place])), "threshold": float(THRESHOLDS[place])}
            for (head, _), values, place in zip(images, f, best.tolist(), strict=True)
        ]
        ods = measure == "ods"
        return make_result(
            f"{self.protocol}/{measure}",
            statistics=counts.reshape(len(images), 4 * len(THRESHOLDS)) if ods else chosen,
            reduce=_best_of_data_set if ods else f_measure,
            rows=rows,
            higher_is_better=True,
            unit="%",
            parts=_parts(counts.sum(0) if ods else chosen.sum(0)[None], measure) if images else {},
            seed=self.seed,
        )


def _parts(sums: Array, choice: Choice) -> dict[str, float]:
    number = int(np.nan_to_num(f_measure(sums)).argmax())
    right, predicted, found, true = sums[number]
    parts = {
        "precision": float(right / predicted) if predicted else 0.0,
        "recall": float(found / true) if true else float("nan"),
    }
    return parts | ({"threshold": float(THRESHOLDS[number])} if choice == "ods" else {})


def f_measure(sums: Array) -> Array:
    """(..., 4) counts as of `boundary_counts` -> (...,): 0 where nothing is right, NaN where there is no true edge."""
    right, predicted, found, true = (np.asarray(sums[..., k], dtype=np.float64) for k in range(4))
    precision = np.divide(right, predicted, out=np.zeros(right.shape), where=predicted > 0)
    recall = np.divide(found, true, out=np.zeros(right.shape), where=true > 0)
    total = precision + recall
    f = np.divide(2 * precision * recall, total, out=np.zeros(right.shape), where=total > 0)
    return np.where(true > 0, f, np.nan)


def _best_of_data_set(sums: Array) -> Array:
    """(..., 4 num_thresholds) -> (...,): the best F over thresholds."""
    best: Array = f_measure(sums.reshape(*sums.shape[:-1], len(THRESHOLDS), 4)).max(-1)
    return best
