"""The mean position: of points in the view alone."""

import numpy as np

from gensight.encodings.heatmap import Heatmap
from gensight.loading.cases import Cases
from gensight.loading.views import ViewPolicy
from gensight.prediction.baselines.untrained import MeanPosition
from gensight.readers.base import Reader
from gensight.samples import Array, Instance, Keypoints, Sample, Visibility
from gensight.skeletons import Skeleton

SKELETON = Skeleton("two", ("a", "b"))


class _Boxed(Reader):
    """Subjects whose box shows them, but for the last, whose box of 3 px lies elsewhere."""

    skeleton = SKELETON

    def __len__(self) -> int:
        return 4

    def sample(self, index: int) -> Sample:
        box = np.array([40.0, 40, 80, 80]) if index < 3 else np.array([0.0, 0, 3, 3])
        points, seen = np.array([[50.0, 50], [70, 60]]), np.full(2, Visibility.VISIBLE, np.int8)
        subject = Instance(box=box, keypoints=Keypoints(SKELETON, points, seen, np.ones(2, np.float32)))
        return Sample(str(index), (100, 100), _black, (subject,))


def _black() -> Array:
    return np.zeros((100, 100, 3), np.uint8)


def test_a_box_elsewhere_does_not_move_the_mean() -> None:
    cases = Cases(_Boxed(), Heatmap(SKELETON), ViewPolicy((32, 32), "box"))
    answer = MeanPosition(cases, SKELETON)(cases.item(0)).instances[0].keypoints
    assert answer is not None
    np.testing.assert_allclose(answer.points, [[50, 50], [70, 60]])
