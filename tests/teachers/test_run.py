"""A trained run as a teacher: it completes boxes, gives its confidence, and leaves out unsure keypoints."""

from pathlib import Path

import numpy as np
import pytest

from gensight.errors import RunError
from gensight.samples import Instance, Keypoints, Prediction, Sample, Visibility
from gensight.teachers.run import RunTeacher
from gensight.verbs.train import train
from tests.contracts.teacher import TeacherContract
from tests.teachers.samples import Pixels, picture
from tests.verbs.small_recipe import small_recipe


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    changes = {"evaluation": {"protocols": ["mean-px"], "baselines": ["mean-position"]}, "training": {"steps": 1}}
    return train(small_recipe(folder, **changes), folder / "pose")


def boxed(number: int) -> Sample:
    boxes = [Instance("person", np.array([4.0, 4, 40, 60]), id=3, identity="ann"), Instance("tree", id=4)]
    return Sample(f"{number}.png", (64, 64), Pixels(picture(number, (64, 64))), instances=tuple(boxes))


class TestRunTeacher(TeacherContract):
    @pytest.fixture
    def teacher(self, run):
        return RunTeacher(str(run), "cpu")

    @pytest.fixture
    def samples(self):
        return [boxed(0), boxed(1)]

    @pytest.fixture
    def sure(self, monkeypatch):
        """A run of one step finds nothing: this one finds everything, ever more surely."""

        def predict(self, items):
            skeleton = self.encoding.skeleton
            confidence = np.linspace(0, 1, len(skeleton)).astype(np.float32)
            points = np.arange(2.0 * len(skeleton)).reshape(-1, 2)
            visibility = np.full(len(skeleton), Visibility.VISIBLE, dtype=np.int8)
            found = Instance("person", keypoints=Keypoints(skeleton, points, visibility, confidence))
            return [Prediction(item.sample.key, item.sample.size, (found,)) for item in items]

        monkeypatch.setattr("gensight.prediction.predictor.Predictor.answer_items", predict)

    def test_a_box_is_completed(self, teacher, samples, sure):
        [found] = teacher.label(samples[:1])[0].instances
        assert (found.id, found.identity, found.category) == (3, "ann", "person")
        assert found.box is samples[0].instances[0].box
        assert found.keypoints.skeleton.name == "openpose-18"
        assert found.provenance.source == f"run:pose@{teacher.version}"

    def test_a_bare_image_is_one_subject(self, teacher, sure):
        bare = Sample("a.png", (64, 64), Pixels(picture(5, (64, 64))))
        [found] = teacher.label([bare])[0].instances
        assert found.id is None

    def test_nothing_was_found_before(self, teacher):
        empty = Sample("a.png", (64, 64), Pixels(picture(5, (64, 64))), instances=())
        assert teacher.label([empty])[0].instances == ()

    def test_what_it_doubts_stays_unlabelled(self, run, samples, sure):
        [found] = RunTeacher(str(run), "cpu", threshold=0.5).label(samples[:1])[0].instances
        keypoints = found.keypoints
        doubted = keypoints.confidence < 0.5
        assert 0 < doubted.sum() < len(doubted)
        assert (keypoints.visibility[doubted] == Visibility.UNLABELLED).all()
        assert np.isnan(keypoints.points[doubted]).all()
        assert keypoints.located[~doubted].all()
        assert found.confidence == pytest.approx(keypoints.confidence[~doubted].mean())


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(RunError, match="this folder holds no trained run"):
        RunTeacher(str(tmp_path)).fingerprint()
