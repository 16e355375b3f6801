"""Teachers that are called alike, in one data set."""

import shutil
from typing import ClassVar

import pytest

from gensight.readers.annotated.reader import AnnotatedReader
from gensight.teachers.base import Teacher
from gensight.teachers.labelling.job import run_job
from gensight.teachers.labelling.labeller import describe_teacher
from gensight.teachers.labelling.sources import open_source
from gensight.teachers.models.masks import BoxMaskTeacher, GridMaskTeacher
from gensight.teachers.names import named_apart
from tests.teachers.samples import QuickTeacher, pictures


class Alike(Teacher):
    """Called `alike`, with a model and two settings."""

    name = "alike"
    identity_settings: ClassVar[tuple[str, ...]] = ("way",)

    def __init__(self, version: str = "1", model: str | None = "/a/sam", way: str = "boxes", least: float = 0.5):
        self.version, self.model_location, self.way, self.least = version, model, way, least

    def label(self, samples):
        raise NotImplementedError

    def settings(self):
        return {"way": self.way, "least": self.least}


def entries(*teachers: Teacher):
    return [describe_teacher(teacher) for teacher in teachers]


def grid(folder) -> GridMaskTeacher:
    return GridMaskTeacher(str(folder), device="cpu", num_points=2, threshold=0.0, stability=0.0)


def names(folder) -> list[str]:
    return [entry["name"] for entry in AnnotatedReader(folder).description["teachers"]]


@pytest.fixture
def job(tmp_path):
    images = open_source(pictures(tmp_path / "images", 2))
    return lambda teacher: run_job(images, teacher, tmp_path / "out")


def test_two_models_whose_folders_are_called_alike(tiny_model, tmp_path, job):
    first, second = grid(tiny_model("sam")), grid(shutil.copytree(tiny_model("sam2"), tmp_path / "other" / "sam"))
    assert first.name == second.name == "masks:sam"
    job(first)
    before = AnnotatedReader(tmp_path / "out").row(0)["labels"]
    assert job(second).num_labelled == 2
    assert names(tmp_path / "out") == ["masks:sam", "masks:sam#2"]
    labels = AnnotatedReader(tmp_path / "out").row(0)["labels"]
    assert labels[:1] == before
    assert labels[1]["teacher"] == f"masks:sam#2@{second.version}"
    assert [job(teacher).num_labelled for teacher in (first, second, first)] == [0, 0, 0]
    assert second.name == "masks:sam"  # whoever called keeps the teacher as it was


def test_the_two_ways_of_prompting_one_model(tiny_model, tmp_path, job):
    folder = tiny_model("sam")
    job(QuickTeacher())
    boxes = BoxMaskTeacher(str(folder), device="cpu")
    for teacher in (boxes, grid(folder)):
        assert job(teacher).num_labelled == 2
    assert names(tmp_path / "out") == ["quick", "masks:sam", "masks:sam#2"]
    [mask] = [one for one in AnnotatedReader(tmp_path / "out")[0].instances if one.provenance.source == boxes.source]
    assert mask.mask is not None
    assert [job(teacher).num_labelled for teacher in (boxes, grid(folder))] == [0, 0]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({}, "alike"),
        ({"version": "2"}, "alike"),  # the folder holds a newer model
        ({"least": 0.1}, "alike"),
        ({"model": "/moved/sam"}, "alike"),  # the same files
        ({"model": "/b/sam", "version": "2"}, "alike#2"),
        ({"way": "grid"}, "alike#2"),
    ],
)
def test_who_is_another_teacher(change, name):
    assert named_apart(Alike(**change), entries(Alike())).name == name


def test_names_are_counted_on_and_found_again():
    others = [Alike(), Alike("2", "/b/sam"), Alike("3", "/c/sam")]
    listed = []
    for teacher in others:
        listed += entries(named_apart(teacher, listed))
    assert [entry["name"] for entry in listed] == ["alike", "alike#2", "alike#3"]
    assert [named_apart(teacher, listed).name for teacher in others] == ["alike", "alike#2", "alike#3"]
    assert named_apart(Alike("4", "/b/sam"), listed).name == "alike#2"


def test_data_sets_without_the_models_location_keep_their_name():
    old = [{key: value for key, value in entry.items() if key != "model"} for entry in entries(Alike())]
    assert named_apart(Alike("2", "/b/sam"), old).name == "alike"
