"""Gaze baselines that ignore the scene: the centre, the mean, the eye, and the head alone."""

from collections.abc import Callable

import numpy as np

from gensight.encodings.gaze import map_name
from gensight.encodings.heatmap import gaussians
from gensight.geometry import warp_image
from gensight.loading.cases import Cases
from gensight.samples import Array, Gaze, Instance, Item, Prediction, ScoreMap
from gensight.transforms.views import stretched_box, stretched_frame

GRID, SIGMA = (64, 64), 3.0
_CLOSE_UP = (16, 16)
_READ_AT_MOST = 4000  # close-ups: decoding more images is not worth what a linear reading gains


class GazeBaseline:
    """A predictor of one point, as a Gaussian around it; its in/out probability is the training part's share.

    - `centre-gaze`: the image's centre.
    - `mean-gaze`: the mean target of the training part.
    - `eye-point`: the eye itself, or the head's centre where no eye is known.
    - `head-direction`: ridge regression on the head's centre and size and on where the annotated eye lies in the head's
      box, which shows which way the head is turned: oracle input, not available to the models.
    - `head-pixels`: ridge regression on the head's centre and size and on its close-up in 16 x 16 colours, each
      channel's mean and deviation over the close-up removed: the same, read off the image.

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
        self.regression: tuple[Callable[[Item], Array], Array] | None = None
        if name in _REGRESSIONS and inside:
            describe, ridge = _REGRESSIONS[name]
            inside, targets = inside[:_READ_AT_MOST], targets[:_READ_AT_MOST]
            inputs = np.stack([describe(item) for item in inside])
            gram = inputs.T @ inputs + ridge * np.eye(inputs.shape[1])
            self.regression = describe, np.linalg.solve(gram, inputs.T @ (targets - self.mean))

    def __call__(self, item: Item) -> Prediction:
        size, scale = item.sample.size, np.array(item.sample.size[::-1], dtype=np.float64)
        point = np.clip(self._point(item), 0, 1)
        values = gaussians(point[None] * np.array(GRID[::-1]), GRID, SIGMA)
        subject = item.subject
        gaze = Gaze(point[None] * scale, self.in_frame >= 0.5, in_frame_probability=self.in_frame)
        person = Instance("person", head_box=None if subject is None else subject.head_box, gaze=gaze)
        maps = {map_name(item): ScoreMap(values, stretched_frame(size, GRID))}
        return Prediction.of(item, instances=(person,), maps=maps)

    def _point(self, item: Item) -> Array:
        if self.name == "centre-gaze":
            return np.full(2, 0.5)
        if self.name == "eye-point":
            return _eye(item)
        if self.regression is None:
            return self.mean
        describe, weights = self.regression
        found: Array = self.mean + describe(item) @ weights
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


def _place(item: Item) -> Array:
    """float64 (5,): 1, the head's centre and size."""
    box = _box(item)
    return np.concatenate([[1.0], (box[:2] + box[2:]) / 2 - 0.5, np.maximum(box[2:] - box[:2], 1e-6)])


def _turned(item: Item) -> Array:
    """float64 (7,): the head's place, and the eye's in its box from -1 to 1."""
    place, box = _place(item), _box(item)
    turned = 2 * (_eye(item) - (box[:2] + box[2:]) / 2) / place[3:]
    return np.concatenate([place, np.clip(turned, -1.5, 1.5)])


def _pixels(item: Item) -> Array:
    """float64 (5 + 16 * 16 * 3,): the head's place, and its standardised close-up."""
    subject = item.subject
    assert subject is not None and subject.head_box is not None  # the encoding makes items of such only
    view = stretched_box(item.sample.size, subject.head_box, _CLOSE_UP)
    colours = warp_image(item.sample.image(), view).astype(np.float64) / 255
    colours = (colours - colours.mean((0, 1))) / (colours.std((0, 1)) + 1e-3)
    return np.concatenate([_place(item), colours.ravel()])


_REGRESSIONS: dict[str, tuple[Callable[[Item], Array], float]] = {  # name -> (inputs, strength of the ridge)
    "head-direction": (_turned, 1e-3),
    "head-pixels": (_pixels, 100.0),
}
