"""The F-measure of boundaries: thresholds of the data set and of each image."""

from functools import partial

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.metrics.edges import Choice, EdgeF
from gensight.samples import Item, Prediction, Sample, ScoreMap
from gensight.transforms.views import whole_frame
from tests.contracts.metric import MetricContract, score, scores
from tests.metrics.subjects import as_prediction, given, no_image

SIZE = (40, 60)


def line(column: int, rows: int = SIZE[0], strength: float = 1.0) -> np.ndarray:
    """A vertical line from the top of the image down."""
    edges = np.zeros(SIZE, np.float32)
    edges[:rows, column] = strength
    return edges


def item(key: str, edges: np.ndarray) -> Item:
    return Item((Sample(key, SIZE, no_image, edges=partial(given, edges), group=key),))


def answer(of: Item, edges: np.ndarray) -> Prediction:
    maps = {"edges": ScoreMap(edges[None], whole_frame(SIZE, SIZE))}
    return as_prediction(of, maps=maps)


class _Edges(MetricContract):
    best, worst = 1.0, 0.0
    choice: Choice = "ods"

    def metric(self) -> EdgeF:
        return EdgeF((self.choice,))

    def answers(self, kind: str) -> list[tuple[Prediction, Item]]:
        found = []
        for number in range(6):
            of = item(f"image{number}", line(20 + number))
            other = {
                "perfect": line(20 + number),
                "worst": line(5),
                "mixed": line(20 + number, 30 - 4 * number) + line(5, 4 * number),
            }[kind]
            found.append((answer(of, other), of))
        return found


class TestOds(_Edges):
    pass


class TestOis(_Edges):
    choice = "ois"


def test_each_image_has_its_own_best_threshold() -> None:
    """One image's edges are faint, another has faint edges where there are none: no one threshold suits both."""
    faint, noisy = item("a", line(20)), item("b", line(20))
    predictions = [
        (answer(faint, line(20, strength=0.3)), faint),
        (answer(noisy, line(20) + line(40, strength=0.6)), noisy),
    ]
    results = scores(EdgeF(), predictions)
    assert list(results) == ["edges-f/ods", "edges-f/ois"]
    assert results["edges-f/ois"].value == pytest.approx(1)
    assert results["edges-f/ods"].value < 0.9
    for name, result in results.items():
        assert score(EdgeF((name.split("/")[1],)), predictions).to_json() == result.to_json()


def test_refusals() -> None:
    bare = Item((Sample("a", SIZE, no_image),))
    with pytest.raises(DataError, match="whose edges are known"):
        EdgeF().update(Prediction("a", SIZE), bare)
