"""Several runs as one score, worked out by hand."""

from typing import Any

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.metrics.pooling import pool, pooled_difference


def rows(errors: dict[str, list[float]], shift: float = 0.0) -> list[dict[str, Any]]:
    """One row per image: two keypoints, of which the second may be unlabelled."""
    return [
        {
            "sample_key": key,
            "group": "video",
            "score": float(np.mean(of)) + shift,
            "errors": {f"k{i}": [error + shift] for i, error in enumerate(of)},
        }
        for key, of in errors.items()
    ]


FIRST = {"a": [1.0, 3.0], "b": [5.0]}
SECOND = {"a": [3.0, 5.0], "b": [7.0]}


def test_pixels_are_pooled_over_keypoints_and_averaged_over_seeds() -> None:
    runs = [rows(FIRST), rows(SECOND)]
    assert pool("mean-px", runs, False, "px").value == pytest.approx((2 + 4 + 6) / 3)
    assert pool("rmse-px", runs, False, "px").value == pytest.approx(np.sqrt((5 + 17 + 37) / 3))
    assert pool("median-px", runs, False, "px").value == pytest.approx(np.median([1, 3, 5, 3, 5, 7]))


def test_a_repeat_is_no_further_image() -> None:
    errors = {str(n): [float(n)] for n in range(30)}
    once, thrice = (pool("mean-px", [rows(errors)] * n, False, "px") for n in (1, 3))
    assert (thrice.value, thrice.interval, thrice.num_images) == (once.value, once.interval, 30)


def test_folds_are_put_together_in_any_order() -> None:
    a, b = rows({"a": [1.0]}), rows({"b": [4.0]})
    assert pool("mean-px", [a + b], False, "px").interval == pool("mean-px", [b + a], False, "px").interval


def test_other_protocols_average_their_images_and_say_so() -> None:
    result = pool("pck-box@0.10", [[{"sample_key": "a", "score": 0.5}, {"sample_key": "b", "score": None}]], True, "%")
    assert (result.protocol, result.value, result.num_images) == ("pck-box@0.10 (mean over images)", 0.5, 1)


def test_differences_are_paired_and_on_common_images() -> None:
    errors = {str(n): [float(n)] for n in range(20)}
    fewer = {key: of for key, of in errors.items() if key != "0"}
    difference = pooled_difference("mean-px", [rows(errors, 1.0)], [rows(fewer)], False, "px")
    assert difference.num_images == 19
    assert difference.value == pytest.approx(1.0)
    assert difference.interval == pytest.approx((1.0, 1.0))


def test_an_image_in_two_folds_and_rows_without_scores_are_refused() -> None:
    with pytest.raises(DataError, match="tested by two folds of one seed"):
        pool("mean-px", [rows(FIRST) + rows(FIRST)], False, "px")
    with pytest.raises(DataError, match="no score for each image"):
        pool("depth", [[{"sample_key": "a"}]], False, "")
    with pytest.raises(DataError, match="no errors in pixels"):
        pool("mean-px", [[{"sample_key": "a", "score": 1.0}]], False, "px")
