"""Panels: a prediction beside its ground truth, and the error that ranks it."""

import numpy as np
import pytest

from gensight.encodings.depth import DepthImage, DepthMap
from gensight.encodings.edge_image import EdgeImage
from gensight.encodings.pairs.appearance import Appearance
from gensight.encodings.pairs.correspondence import Correspondence
from gensight.samples import Depth, Item, Matches, Prediction, Relation, Sample, ScoreMap, View

SIZE = (24, 32)
VIEW = View(SIZE, SIZE, np.eye(3))


class Picture:
    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __call__(self) -> np.ndarray:
        return self.values


class Deep:
    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __call__(self) -> Depth:
        return Depth(self.values.astype(np.float32), "metric")


def sample(key: str = "a", **fields: object) -> Sample:
    pixels = np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    return Sample(key, SIZE, Picture(pixels), **fields)  # type: ignore[arg-type]


def test_depth_is_measured_relative_to_the_truth_where_both_are_known() -> None:
    truth = np.full(SIZE, 2.0)
    truth[0] = np.nan
    item = Item((sample(depth=Deep(truth)),))
    found = DepthMap().panel(Prediction("a", SIZE, depth=Depth(np.full(SIZE, 2.5, np.float32), "metric")), item)
    assert found is not None
    assert found.error == pytest.approx(0.25)
    assert found.unit == "relative error"


def test_affine_depth_is_aligned_first() -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(1, 5, SIZE)
    inverse = 3 / truth - 0.4
    item = Item((sample(depth=Deep(truth)),))
    found = DepthImage().panel(Prediction("a", SIZE, depth=Depth(inverse.astype(np.float32), "affine")), item)
    assert found is not None
    assert found.error == pytest.approx(0, abs=1e-4)


def test_edges_matches_and_similarities() -> None:
    edges = np.zeros(SIZE, np.float32)
    edges[5] = 1
    item = Item((sample(edges=Picture(edges)),))
    drawn = EdgeImage().panel(Prediction("a", SIZE, maps={"edges": ScoreMap(edges[None], VIEW)}), item)
    tracks = np.array([[[4.0, 4.0], [9.0, 9.0], [np.nan, np.nan]], [[6.0, 4.0], [9.0, 9.0], [1.0, 1.0]]])
    pair = Item((sample(), sample("b")), relation=Relation("tracks", tracks))
    found = Matches(np.array([[6.0, 7.0], [9.0, 10.0], [np.nan, np.nan]]), np.ones(3, np.float32))
    matched = Correspondence().panel(Prediction("a", SIZE, matches=found), pair)
    triplet = Item((sample(), sample("b"), sample("c")), relation=Relation("triplet"))
    compared = Appearance().panel(Prediction("a", SIZE, similarities=(0.9, 0.4)), triplet)
    assert drawn is not None
    assert drawn.error == pytest.approx(0, abs=1e-6)
    assert matched is not None
    assert (matched.error, matched.unit) == (pytest.approx(2.0), "px")
    assert compared is not None
    assert compared.error == pytest.approx(-0.5)
