"""A local Ray cluster of two workers makes the same data set as one process, whoever dies on the way."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from gensight.errors import DataError, ResourceError
from gensight.samples import Sample
from gensight.teachers.base import Labels
from gensight.teachers.labelling.job import run_job
from gensight.teachers.labelling.ray_engine import RayEngine
from gensight.teachers.labelling.sources import open_source
from tests.teachers.samples import QuickTeacher, pictures, tree


class DyingTeacher(QuickTeacher):
    """Ends its own process without a word when it is first shown a certain image; it leaves a note that it did."""

    def __init__(self, note: Path, victim: str = "05.png") -> None:
        super().__init__()
        self.note, self.victim = note, victim

    def label(self, samples: Sequence[Sample]) -> list[Labels]:
        if self.victim in [sample.key for sample in samples] and not self.note.exists():
            self.note.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().label(samples)


class RefusingTeacher(QuickTeacher):
    def label(self, samples: Sequence[Sample]) -> list[Labels]:
        raise DataError("there are no boxes", hint="detect first")


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'gensight[ray]'")
    root = str(Path(__file__).parents[3])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False,
             runtime_env={"env_vars": {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}})  # fmt: skip
    yield ray
    ray.shutdown()


@pytest.mark.slow
class TestRayEngine:
    def test_one_of_two_workers_is_killed_on_the_way(self, ray, tmp_path):
        images = pictures(tmp_path / "images", 12)
        run_job(open_source(images), QuickTeacher(), tmp_path / "whole", batch_size=2)
        teacher = DyingTeacher(tmp_path / "note")
        done = run_job(open_source(images), teacher, tmp_path / "out", batch_size=2, engine=RayEngine(2))
        assert (tmp_path / "note").read_text().isdecimal()
        assert (done.num_labelled, done.num_left) == (12, 0)
        assert tree(tmp_path / "out") == tree(tmp_path / "whole")

    def test_the_users_mistake_comes_as_it_is(self, ray, tmp_path):
        images = pictures(tmp_path / "images", 2)
        with pytest.raises(DataError, match=r"^there are no boxes\n  next:  detect first$"):
            run_job(open_source(images), RefusingTeacher(), tmp_path / "out", engine=RayEngine(1))

    def test_a_batch_that_always_kills_its_worker_ends_the_job(self, ray, tmp_path):
        images = pictures(tmp_path / "images", 2)
        teacher = DyingTeacher(Path("/nowhere/note"), victim="00.png")
        teacher.note = _Never()
        with pytest.raises(ResourceError, match="a batch lost its Ray actor 3 times in a row"):
            run_job(open_source(images), teacher, tmp_path / "out", engine=RayEngine(1))


class _Never:
    """A note that nobody can leave."""

    def exists(self) -> bool:
        return False

    def write_text(self, text: str) -> None:
        pass


def test_without_ray(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ResourceError, match=r"Ray is not installed\n  next:  pip install 'gensight\[ray\]'"):
        RayEngine()
