"""Teachers by name: every mistake is reported with what is valid."""

import pytest

from gensight.errors import ConfigError
from gensight.teachers.choose import choose_teacher
from gensight.teachers.models.edges import EdgeTeacher
from gensight.teachers.models.masks import BoxMaskTeacher, GridMaskTeacher
from gensight.teachers.models.pose import PoseTeacher
from gensight.teachers.models.pretrained import PretrainedTeacher
from gensight.teachers.models.tracks import TrackTeacher


def test_by_name(tmp_path):
    assert isinstance(choose_teacher("edges"), EdgeTeacher)
    assert choose_teacher("edges", {"resolution": 256}).settings()["resolution"] == 256
    assert isinstance(choose_teacher("tracks", {"grid": 5}), TrackTeacher)
    assert choose_teacher("variants", device="cpu").name == "variants:tiny"
    (tmp_path / "there").mkdir()
    assert choose_teacher(f"run:{tmp_path}/there").name == "run:there"


@pytest.mark.parametrize("kind", ["caption", "depth", "detect", "masks", "pose"])
def test_every_pretrained_kind_has_a_default_and_its_own_name(kind):
    teacher = choose_teacher(kind)
    assert isinstance(teacher, PretrainedTeacher)
    assert teacher.default.count("/") == 1
    assert teacher.name == f"{kind}:{teacher.default}"


def test_a_model_and_settings_are_passed_on(tiny_model):
    teacher = choose_teacher(f"pose:{tiny_model('vitpose')}", {"threshold": 0.1, "flip_test": True}, "cpu")
    assert isinstance(teacher, PoseTeacher)
    assert (teacher.name, teacher.device) == ("pose:vitpose", "cpu")
    assert teacher.settings() == {"category": "person", "threshold": 0.1, "flip_test": True, "expert": 0}


def test_masks_are_prompted_in_two_ways():
    assert isinstance(choose_teacher("masks:some/sam"), BoxMaskTeacher)
    grid = choose_teacher("masks:some/sam", {"prompts": "grid", "num_points": 4})
    assert isinstance(grid, GridMaskTeacher)
    assert grid.settings() == {"prompts": "grid", "num_points": 4, "threshold": 0.88, "stability": 0.95}


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("edgs", {}, r"there is no teacher called `edgs`\n  valid: edges, tracks, .*pose\n.*did you mean `edges`\?"),
        ("poses:some/model", {}, r"there is no teacher called `poses`\n.*\n.*did you mean `pose`\?"),
        ("edges", {"resolutoin": 3}, r"has no setting `resolutoin`\n.*\n  valid: resolution, blur\n.*`resolution`"),
        ("detect", {"treshold": 0.3}, r"no setting `treshold`\n.*\n  valid: category, threshold\n.*`threshold`"),
        ("edges:canny", {}, "the teacher `edges` has no choice of models"),
        ("run", {}, r"needs a model\n.*run:FOLDER"),
        ("edges", {"resolution": "large"}, "the setting resolution is 'large'\n.*\n.*it should be a valid integer"),
        ("masks", {"prompts": "words"}, "the setting prompts is 'words'\n.*\n.*it should be 'boxes' or 'grid'"),
        ("detect", {"threshold": 1.5}, "the setting threshold is 1.5\n.*\n.*it should be less than or equal to 1"),
        ("pose", {"threshold": "high"}, "the setting threshold is 'high'"),
        ("caption", {"max_tokens": 0}, "the setting max_tokens is 0"),
        ("masks", {"prompts": "grid", "num_points": 2.5}, "the setting num_points is 2.5"),
        ("masks", {"prompts": "grid", "stability": -1}, "the setting stability is -1"),
        ("edges", {"resolution": 3}, "the setting resolution is 3"),
        ("variants", {"strength": 0}, "the setting strength is 0"),
        ("tracks", {"grid": 0}, "the setting grid is 0"),
        ("tracks", {"longest": 1}, "the setting longest is 1"),
        ("tracks", {"masks": "none"}, "the setting masks is 'none'\n.*\n.*it should be 'auto' or 'ignore'"),
        ("run:here", {"threshold": 2}, "the setting threshold is 2"),
    ],
)
def test_mistakes(name, settings, message):
    with pytest.raises(ConfigError, match=message):
        choose_teacher(name, settings)


def test_a_whole_number_is_as_good_as_any():
    assert choose_teacher("edges", {"blur": 1}).fingerprint() == choose_teacher("edges").fingerprint()
