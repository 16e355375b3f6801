"""The rules by which images are read are stated in one variable, and wrong ones are refused with the valid ones."""

import pytest
from PIL import Image

from gensight.errors import ConfigError
from gensight.files.images import ImageRules, image_rules


def test_the_variable_states_the_rules(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    monkeypatch.delenv("GENSIGHT_IMAGES", raising=False)
    assert image_rules() == ImageRules()
    monkeypatch.setenv("GENSIGHT_IMAGES", "bits=12, pages=all,exif=ignore,max_pixels=4e8")
    assert image_rules() == ImageRules(12, "all", "ignore", 400_000_000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bit=12", "did you mean `bits`"),
        ("bits=32", "8, 9, 10, 11, 12"),
        ("bits", "unknown value"),
        ("pages=last", "first, all"),
        ("exif=no", "apply, ignore"),
        ("max_pixels=many", "no number of pixels"),
        ("max_pixels=inf", "no number of pixels"),
        ("max_pixels=-5", "no number of pixels"),
        ("max_pixels=nan", "no number of pixels"),
    ],
)
def test_wrong_rules_are_refused(monkeypatch, text, message):
    monkeypatch.setenv("GENSIGHT_IMAGES", text)
    with pytest.raises(ConfigError, match=message):
        image_rules()
