"""Baselines of gaze: on heads whose bright side shows where they look, each predicts what its input allows."""

import numpy as np
import pytest

from gensight.encodings.gaze import GazeMap
from gensight.loading.cases import Cases
from gensight.loading.gaze_views import GazeViews
from gensight.prediction.baselines.gaze import GazeBaseline
from gensight.readers.base import Reader, Summary
from gensight.samples import Gaze, Instance, Sample

SIZE = (48, 64)


class _Heads(Reader):
    """Heads of 16 x 16 px: the right half is white where the target lies right of it, the left half where left."""

    def __init__(self, count: int, seed: int, away: bool = False) -> None:
        self.away = away
        rng = np.random.default_rng(seed)
        self.samples = [self._sample(index, rng) for index in range(count)]

    def _sample(self, index: int, rng: np.random.Generator) -> Sample:
        x, y, right = int(rng.integers(20, 28)), int(rng.integers(10, 22)), bool(rng.integers(2))
        image = rng.integers(60, 120, (*SIZE, 3)).astype(np.uint8)
        half = slice(x + 8, x + 16) if right else slice(x, x + 8)
        image[y : y + 16, half] = 250
        eye, target = np.array([x + (13 if right else 3), y + 8.0]), np.array([58.0 if right else 6.0, y + 8.0])
        gaze = Gaze(np.zeros((0, 2)), in_frame=False) if self.away else Gaze(target[None], in_frame=True, eye=eye)
        subject = Instance("person", head_box=np.array([x, y, x + 16, y + 16], float), gaze=gaze)
        return Sample(f"{index}.png", SIZE, lambda: image, (subject,))

    def __len__(self) -> int:
        return len(self.samples)

    def sample(self, index: int) -> Sample:
        return self.samples[index]

    def check(self) -> Summary:
        return Summary(len(self), len(self), ("gaze",))


def _cases(count: int, seed: int, away: bool = False) -> Cases:
    return Cases(_Heads(count, seed, away), GazeMap(), GazeViews((48, 64), "stretched-frame"))


TRAINING, TEST = _cases(200, 0), _cases(40, 1)


def _distance(name: str) -> float:
    baseline = GazeBaseline(name, TRAINING)
    errors = []
    for index in range(len(TEST)):
        item = TEST.item(index)
        (subject,) = baseline(item).instances
        errors.append(np.linalg.norm(subject.gaze.points[0] - item.subject.gaze.points[0]))
    return float(np.mean(errors))


def test_what_the_head_shows_is_found_and_what_is_not_looked_at_is_not() -> None:
    distances = {name: _distance(name) for name in ("centre-gaze", "mean-gaze", "eye-point")}
    assert 24 < distances["centre-gaze"] < 32  # targets lie 26 px left or right of the centre
    assert 24 < distances["mean-gaze"] < 30
    assert 18 < distances["eye-point"] < 30
    assert _distance("head-pixels") < 8
    assert _distance("head-direction") < 8


@pytest.mark.parametrize("name", ["mean-gaze", "head-pixels", "head-direction"])
def test_nobody_who_looks_into_the_image_leaves_the_centre(name: str) -> None:
    answer = GazeBaseline(name, _cases(3, 2, away=True))(TEST.item(0))
    assert answer.instances[0].gaze.points[0].tolist() == [32, 24]
    assert answer.instances[0].gaze.in_frame_probability == 0
