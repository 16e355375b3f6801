import shutil

import pytest

from gensight.errors import RunError
from gensight.teachers.models.captions import CaptionTeacher
from tests.contracts.teacher import PretrainedContract

WORDS = {"a", "cat", "dog", "on", "the", "red", "mat", "<image>"}


class TestCaptionTeacher(PretrainedContract):
    kind = CaptionTeacher
    families = ("blip", pytest.param("blip-2", marks=pytest.mark.slow))
    settings = {"max_tokens": 5}  # noqa: RUF012

    def check(self, sample, labelled, teacher, num_frames):
        super().check(sample, labelled, teacher, num_frames)
        assert set(labelled.caption.split()) <= WORDS
        assert len(labelled.caption.split()) <= 5
        assert labelled.confidence > 0


def test_a_folder_without_a_vocabulary(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model("blip"), tmp_path / "mute")
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(RunError, match="the model has no vocabulary") as caught:
        CaptionTeacher(str(folder), device="cpu").prepare()
    assert "copy its tokenizer_config.json and tokenizer.json (or vocab.txt) there" in str(caught.value)
