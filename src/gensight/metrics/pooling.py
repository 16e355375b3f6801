"""Several runs as one score: the test parts of all folds together, each image averaged over the seeds first.

Cross-validation tests every image once per seed. Repeats of an image are no further evidence, so the images are what
is resampled, never the runs: the interval is over images; the variation over
seeds is reported separately.

Pixel protocols are pooled from the single errors, and mean over all keypoints what they mean in one run (a median is
that of the errors of all seeds). Of any other protocol the images' own scores are averaged, which is another number
than one run's where the protocol is no mean over images (`pck-box` averages over joints first, `coco-oks` is a
precision): its name then says so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gensight.errors import DataError
from gensight.metrics.base import Result
from gensight.metrics.bootstrap import Difference, make_result, mean_of_sums, paired_difference
from gensight.metrics.keypoints import error_sums, root_mean_of_sums, weighted_median
from gensight.samples import Array

Rows = Sequence[Mapping[str, Any]]
OVER_IMAGES = " (mean over images)"
_PIXELS = ("mean-px", "median-px", "rmse-px")


def pool(protocol: str, repeats: Sequence[Rows], higher_is_better: bool, unit: str, seed: int = 0) -> Result:
    """One result of several runs.

    Args:
        protocol: What all of them were scored by.
        repeats: For each seed the rows of all its folds, as `Result.rows` has them.
        higher_is_better: Direction of the score.
        unit: As in Result.
        seed: Seeds the bootstrap.

    Raises:
        DataError: If an image stands twice in one repeat, or a row has no score.
    """
    images = sorted(_by_image(protocol, repeats).items())
    statistics = reduce = reweigh = None
    scores = [float(np.mean([row["score"] for row in of])) for _, of in images]
    if protocol in _PIXELS:
        errors = [[_errors(row, key) for row in of] for key, of in images]
        if protocol == "median-px":
            reweigh = weighted_median([np.concatenate(of) for of in errors])
        else:
            power, reduce = (1, mean_of_sums) if protocol == "mean-px" else (2, root_mean_of_sums)
            statistics = np.array([error_sums(of, power).mean(0) for of in errors]).reshape(-1, 2)
    else:
        protocol += OVER_IMAGES
    return make_result(
        protocol,
        statistics=statistics,
        reduce=reduce,
        reweigh=reweigh,
        rows=[
            {"sample_key": key, "group": of[0].get("group", key), "score": score, "num_runs": len(of)}
            for (key, of), score in zip(images, scores, strict=True)
        ],
        higher_is_better=higher_is_better,
        unit=unit,
        seed=seed,
    )


def pooled_difference(
    protocol: str, ours: Sequence[Rows], theirs: Sequence[Rows], higher_is_better: bool, unit: str
) -> Difference:
    """The paired difference of two sets of runs, ours minus theirs, on the images that both were tested on."""
    common = set(_by_image(protocol, ours)) & set(_by_image(protocol, theirs))
    first, second = (
        pool(protocol, [[row for row in rows if row["sample_key"] in common] for rows in side], higher_is_better, unit)
        for side in (ours, theirs)
    )
    return paired_difference(first, second)


def _by_image(protocol: str, repeats: Sequence[Rows]) -> dict[str, list[Mapping[str, Any]]]:
    """Image -> its row of each repeat. Images without a score (nothing was labelled) are left out."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for rows in repeats:
        seen: set[str] = set()
        for row in rows:
            if "sample_key" not in row or "score" not in row:
                raise DataError(f"`{protocol}` has no score for each image, so runs cannot be pooled")
            key = row["sample_key"]
            if key in seen:
                raise DataError("this image is tested by two folds of one seed", where=key)
            seen.add(key)
            if row["score"] is not None:
                found.setdefault(key, []).append(row)
    return found


def _errors(row: Mapping[str, Any], key: str) -> Array:
    if "errors" not in row:
        raise DataError("the row has no errors in pixels", where=key, hint="run `gensight evaluate` again")
    return np.array([error for of in row["errors"].values() for error in of], dtype=np.float64)
