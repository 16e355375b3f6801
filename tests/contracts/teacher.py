"""Contract tests of teachers: inherit `TeacherContract`, give it `teacher` and `samples` fixtures, and get these tests.

A teacher's test class gives:
- `teacher`: a fixture; a fresh one for each test.
- `samples`: a fixture with at least two samples that have what it needs; a video's frames in order where it wants one.
"""

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from gensight.samples import Sample
from gensight.teachers.base import Labels, Teacher
from gensight.teachers.labelling.labeller import Labeller
from gensight.teachers.labelling.sources import DataSource
from gensight.teachers.models.pretrained import PretrainedTeacher
from tests.teachers.samples import ListReader
from tests.teachers.samples import sample as small_sample


class TeacherContract:
    """Tests that every teacher inherits."""

    @pytest.fixture
    def teacher(self) -> Teacher:
        raise NotImplementedError("a teacher's test class gives a `teacher` fixture")

    @pytest.fixture
    def samples(self) -> list[Sample]:
        raise NotImplementedError("a teacher's test class gives a `samples` fixture")

    def test_its_metadata(self, teacher):
        assert teacher.name
        assert teacher.version
        assert teacher.labels
        assert teacher.source == f"{teacher.name}@{teacher.version}"
        json.dumps(dict(teacher.settings()), allow_nan=False)
        assert len(teacher.fingerprint()) == 16

    def test_it_travels_before_it_is_prepared(self, teacher):
        copy = pickle.loads(pickle.dumps(teacher))
        assert copy.fingerprint() == teacher.fingerprint()

    def test_labels_are_of_the_image(self, teacher, samples):
        teacher.prepare()
        labels = teacher.label(samples)
        assert len(labels) == (1 if teacher.unit == "video" else len(samples))
        for sample, labelled in zip(samples, labels, strict=False):
            self.check(sample, labelled, teacher, len(samples))

    def check(self, sample: Sample, labelled: Labels, teacher: Teacher, num_frames: int) -> None:
        filled = {name for name in vars(labelled) if name != "confidence" and getattr(labelled, name) is not None}
        assert filled
        assert filled <= set(teacher.labels)
        assert 0 <= labelled.confidence <= 1
        if labelled.edges is not None:
            assert labelled.edges.dtype == np.float32
            assert labelled.edges.shape == sample.size
            assert labelled.edges.min() >= 0
            assert labelled.edges.max() <= 1
        if labelled.depth is not None:
            assert labelled.depth.values.dtype == np.float32
            assert labelled.depth.values.shape == sample.size
        for picture in labelled.variants or ():
            assert picture.dtype == np.uint8
            assert picture.shape == (*sample.size, 3)
        for instance in labelled.instances or ():
            assert 0 <= instance.confidence <= 1
            assert instance.provenance.source == teacher.source
        frames = 0
        for track in labelled.tracks or ():
            assert track.start == frames
            frames += len(track.points)
            assert track.points.dtype == track.confidence.dtype == np.float32
            assert track.visible.dtype == bool
            assert track.points.shape == (*track.visible.shape, 2) == (*track.confidence.shape, 2)
            assert track.queries.shape == track.visible.shape[1:]
            assert np.isfinite(track.points[track.visible]).all()
        assert frames == (num_frames if labelled.tracks is not None else 0)

    def test_the_same_sample_gets_the_same_labels_alone(self, teacher, samples, tmp_path: Path):
        """What is written is the same bytes, whatever else is in the batch."""
        if teacher.unit == "video":
            pytest.skip("a video has no batch")
        source = DataSource([ListReader(samples)])
        together = Labeller(source, teacher, tmp_path / "a").run(range(len(samples)))
        alone = Labeller(source, teacher, tmp_path / "b").run([len(samples) - 1])
        assert alone["rows"][-1] == together["rows"][-1]
        for path in (tmp_path / "b").rglob("*.png"):
            assert path.read_bytes() == (tmp_path / "a" / path.relative_to(tmp_path / "b")).read_bytes()


class PretrainedContract(TeacherContract):
    """Tests that every teacher of the transformers library inherits, run with the tiny model of each of `families`.

    Attributes:
        kind: Its class.
        families: Names in `tests.teachers.tiny_models`.
        settings: Arguments of the class.
    """

    kind: ClassVar[type[PretrainedTeacher]]
    families: ClassVar[Sequence[Any]]
    settings: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def teacher(self, tiny_model, family) -> PretrainedTeacher:
        return self.kind(str(tiny_model(family)), device="cpu", **self.settings)

    @pytest.fixture
    def samples(self) -> list[Sample]:
        return [small_sample(), small_sample((33, 21), seed=1)]
