"""Teachers by name: every mistake is reported with what is valid."""

import pytest

from gensight.errors import ConfigError
from gensight.teachers.choose import choose_teacher
from gensight.teachers.models.edges import EdgeTeacher
from gensight.teachers.models.tracks import TrackTeacher


def test_by_name():
    assert isinstance(choose_teacher("edges"), EdgeTeacher)
    assert choose_teacher("edges", {"resolution": 256}).settings()["resolution"] == 256
    assert isinstance(choose_teacher("tracks", {"grid": 5}), TrackTeacher)
    assert choose_teacher("variants", device="cpu").name == "variants:tiny"
    assert choose_teacher("run:here/there").name == "run:there"


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("edgs", {}, r"there is no teacher called `edgs`\n  valid: edges, tracks, .*\n.*did you mean `edges`\?"),
        ("edges", {"resolutoin": 3}, r"has no setting `resolutoin`\n.*\n  valid: resolution, blur\n.*`resolution`"),
        ("edges:canny", {}, "the teacher `edges` has no choice of models"),
        ("run", {}, r"needs a model\n.*\n.*run:FOLDER"),
        ("edges", {"resolution": "large"}, "a setting of the teacher `edges` has the wrong type"),
    ],
)
def test_mistakes(name, settings, message):
    with pytest.raises(ConfigError, match=message):
        choose_teacher(name, settings)
