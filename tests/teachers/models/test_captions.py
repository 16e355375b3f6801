import shutil

import pytest

from gensight.errors import RunError
from gensight.teachers.models.captions import CaptionTeacher
from tests.teachers.images import sample

WORDS = {"a", "cat", "dog", "on", "the", "red", "mat", "<image>"}


@pytest.mark.parametrize("family", ["blip", pytest.param("blip-2", marks=pytest.mark.slow)])
def test_two_images_get_the_same_sentence_each_time(tiny_model, family):
    teacher = CaptionTeacher(str(tiny_model(family)), device="cpu", max_tokens=5)
    samples = [sample(), sample((33, 21), seed=1)]
    labels = teacher.label(samples)
    for label in labels:
        assert set(label.caption.split()) <= WORDS
        assert len(label.caption.split()) <= 5
        assert 0 < label.confidence <= 1
    again = CaptionTeacher(str(tiny_model(family)), device="cpu", max_tokens=5).label(samples[1:])[0]
    assert (again.caption, again.confidence) == (labels[1].caption, labels[1].confidence)


def test_a_folder_without_a_vocabulary(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model("blip"), tmp_path / "mute")
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(RunError, match="the model has no vocabulary") as caught:
        CaptionTeacher(str(folder), device="cpu").prepare()
    assert "copy its tokenizer_config.json and tokenizer.json (or vocab.txt) there" in str(caught.value)
