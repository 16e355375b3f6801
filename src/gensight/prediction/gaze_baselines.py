"""Where people look, told without looking: the centre, the mean, the eye, and the head's direction."""

import numpy as np

from gensight.encodings.gaze import map_name
from gensight.encodings.heatmap import gaussians
from gensight.loading.cases import Cases
from gensight.samples import Array, Gaze, Instance, Item, Prediction, ScoreMap
from gensight.transforms.views import stretched_frame

GRID, SIGMA = (64, 64), 3.0
_RIDGE = 1e-3


class GazeBaseline:
    """A predictor of one point, as a Gaussian around it; its in/out probability is the training part's share.

    - `centre-gaze`: the image's centre.
    - `mean-gaze`: the mean target of the training part.
    - `eye-point`: the eye itself, or the head's centre where no eye is known.
    - `head-direction`: linear in the head's centre and size and in where the eye lies in the head's box, which tells
      which way the head is turned (ridge regression on the training part).

    Args:
        name: Which one.
        cases: Training cases.
    """

    def __init__(self, name: str, cases: Cases) -> None:
        self.name = name
        items = [cases.item(index) for index in range(len(cases))]
        inside = [item for item in items if _target(item) is not None]
        self.in_frame = len(inside) / max(len(items), 1)
        targets = np.array([_target(item) for item in inside]).reshape(-1, 2)
        self.mean = targets.mean(0) if len(targets) else np.full(2, 0.5)
        inputs = np.array([_head(item) for item in inside]).reshape(-1, 7)
        gram = inputs.T @ inputs + _RIDGE * np.eye(7)
        self.weights: Array = np.linalg.solve(gram, inputs.T @ (targets - self.mean))

    def __call__(self, item: Item) -> Prediction:
        size, scale = item.sample.size, np.array(item.sample.size[::-1], dtype=np.float64)
        point = np.clip(self._point(item), 0, 1)
        values = gaussians(point[None] * np.array(GRID[::-1]), GRID, SIGMA)
        subject = item.subject
        gaze = Gaze(point[None] * scale, self.in_frame >= 0.5, in_frame_probability=self.in_frame)
        return Prediction(
            sample_key=item.sample.key,
            size=size,
            instances=(Instance("person", head_box=None if subject is None else subject.head_box, gaze=gaze),),
            maps={map_name(item): ScoreMap(values, stretched_frame(size, GRID))},
            item_key=item.key,
            group=item.sample.group,
        )

    def _point(self, item: Item) -> Array:
        match self.name:
            case "centre-gaze":
                return np.full(2, 0.5)
            case "mean-gaze":
                return self.mean
            case "eye-point":
                return _eye(item)
            case _:
                found: Array = self.mean + _head(item) @ self.weights
                return found


def _target(item: Item) -> Array | None:
    gaze = None if item.subject is None else item.subject.gaze
    if gaze is None or not len(gaze.points):
        return None
    mean: Array = gaze.points.mean(0) / np.array(item.sample.size[::-1])
    return mean


def _box(item: Item) -> Array:
    subject = item.subject
    assert subject is not None and subject.head_box is not None  # the encoding makes items of such only
    shares: Array = subject.head_box / np.tile(np.array(item.sample.size[::-1]), 2)
    return shares


def _eye(item: Item) -> Array:
    subject, box = item.subject, _box(item)
    gaze = None if subject is None else subject.gaze
    if gaze is None or gaze.eye is None:
        return (box[:2] + box[2:]) / 2
    return gaze.eye / np.array(item.sample.size[::-1])


def _head(item: Item) -> Array:
    """float64 (7,): 1, the head's centre and size, and the eye's place in the box from -1 to 1."""
    box = _box(item)
    centre, sides = (box[:2] + box[2:]) / 2, np.maximum(box[2:] - box[:2], 1e-6)
    turned = np.clip(2 * (_eye(item) - centre) / sides, -1.5, 1.5)
    return np.concatenate([[1.0], centre - 0.5, sides, turned])
