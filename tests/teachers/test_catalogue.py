import pytest

from gensight.errors import ConfigError
from gensight.teachers.catalogue import TEACHERS, load_teacher
from gensight.teachers.models.masks import BoxMaskTeacher, GridMaskTeacher
from gensight.teachers.models.pose import PoseTeacher
from gensight.teachers.models.pretrained import PretrainedTeacher

PRETRAINED = {"caption", "depth", "detect", "masks", "pose"}


def test_every_pretrained_kind_has_a_default_and_its_own_name():
    for kind in sorted(PRETRAINED):
        teacher = load_teacher(kind)
        assert isinstance(teacher, PretrainedTeacher)
        assert teacher.default.count("/") == 1
        assert teacher.name == f"{kind}:{teacher.default}"


def test_a_model_and_settings_are_passed_on(tiny_model):
    folder = tiny_model("vitpose")
    teacher = load_teacher(f"pose:{folder}", {"threshold": 0.1, "flip_test": True, "device": "cpu"})
    assert isinstance(teacher, PoseTeacher)
    assert teacher.name == "pose:vitpose"
    assert dict(teacher.settings()) == {"category": "person", "threshold": 0.1, "flip_test": True, "expert": 0}


def test_masks_are_prompted_in_two_ways():
    assert isinstance(load_teacher("masks:some/sam"), BoxMaskTeacher)
    assert isinstance(load_teacher("masks:some/sam", {"prompts": "grid", "num_points": 4}), GridMaskTeacher)
    with pytest.raises(ConfigError, match="can't be prompted with 'words'") as caught:
        load_teacher("masks", {"prompts": "words"})
    assert "valid: boxes, grid" in str(caught.value)


def test_an_unknown_teacher_gets_the_choices():
    with pytest.raises(ConfigError, match="no teacher called 'poses'") as caught:
        load_teacher("poses:some/model")
    assert "did you mean `pose`?" in str(caught.value)
    assert all(kind in str(caught.value) for kind in TEACHERS)


def test_an_unknown_setting_gets_the_choices():
    with pytest.raises(ConfigError, match="`detect` has no setting 'treshold'") as caught:
        load_teacher("detect", {"treshold": 0.3})
    assert "valid: device, local_files_only, category, threshold" in str(caught.value)
    assert "did you mean `threshold`?" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("detect", {"threshold": 1.5}),
        ("pose", {"threshold": "high"}),
        ("caption", {"max_tokens": 0}),
        ("masks", {"prompts": "grid", "num_points": 2.5}),
        ("masks", {"prompts": "grid", "stability": -1}),
    ],
)
def test_a_setting_out_of_its_range_or_of_another_type_is_refused(name, settings):
    key, value = list(settings.items())[-1]
    with pytest.raises(ConfigError, match=f"the setting {key} is {value!r}"):
        load_teacher(name, settings)
