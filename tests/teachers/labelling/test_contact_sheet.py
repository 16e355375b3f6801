"""The contact sheet: self-contained, with all labels, the least confident first on request."""

import re

import pytest

from gensight.errors import ConfigError, DataError
from gensight.readers.annotated.reader import AnnotatedReader
from gensight.teachers.labelling.contact_sheet import write_contact_sheet
from gensight.teachers.labelling.job import run_job
from gensight.teachers.labelling.sources import open_source
from gensight.teachers.models.edges import EdgeTeacher
from gensight.teachers.models.tracks import TrackTeacher
from tests.teachers.samples import QuickTeacher, frames


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sheet")
    source = open_source(frames(folder / "frames", 2, 4), frames=True)
    for teacher in (QuickTeacher(), EdgeTeacher(), TrackTeacher(grid=3)):
        run_job(source, teacher, folder / "out")
    return folder / "out"


def test_all_labels_are_shown(labelled, tmp_path):
    page = write_contact_sheet(labelled, tmp_path / "page.html", num_images=3).read_text()
    assert re.findall("<h2>(.*?)</h2>", page) == ["v0/000.png", "v1/000.png", "v1/003.png"]
    for words in ("quick@1", "edges@1", "tracks@1", "instances: 1 thing", "depth: ", "points seen here", "picture "):
        assert words in page
    assert page.count("<img") == 3 * 4
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "{" not in page.split("</style>")[1]


def test_least_confident_first(labelled, tmp_path):
    page = write_contact_sheet(labelled, tmp_path / "page.html", num_images=8, order="least-confident").read_text()
    shown = [float(number) for number in re.findall(r"least confidence ([\d.]+)", page)]
    assert len(shown) == len(AnnotatedReader(labelled))
    assert shown == sorted(shown)


def test_the_same_page_twice(labelled):
    path = write_contact_sheet(labelled)
    before = path.read_bytes()
    assert write_contact_sheet(labelled).read_bytes() == before


def test_mistakes(labelled, tmp_path):
    with pytest.raises(ConfigError, match="unknown value 'best'"):
        write_contact_sheet(labelled, order="best")
    with pytest.raises(DataError, match="file not found"):
        write_contact_sheet(tmp_path)
