"""How image files are read, where there is more than one way: set for a process by GENSIGHT_IMAGES."""

import os
from dataclasses import dataclass, fields
from functools import lru_cache

from PIL import Image

from gensight.errors import ConfigError, did_you_mean

VARIABLE = "GENSIGHT_IMAGES"
_EXAMPLE = f"for example {VARIABLE}=bits=12,max_pixels=400e6"


@dataclass(frozen=True)
class ImageRules:
    """How image files are read; the same for all commands on the same images.

    Attributes:
        bits: Of deep pixels (16 bits in the file): the largest value, white, is 2**bits - 1.
        pages: Of a TIFF or GIF with several pages: the `first`, or `all`, each as a frame of its own.
        exif: Whether the EXIF orientation of a photograph is applied (`apply`) or not (`ignore`); labels are of the
            image so read.
        max_pixels: Files with more pixels are refused. `serve` has its own limits for uploads.
    """

    bits: int = 16
    pages: str = "first"
    exif: str = "apply"
    max_pixels: int = 178_956_970  # twice Pillow's limit, beyond which it refuses


_CHOICES = {"bits": [str(bits) for bits in range(8, 17)], "pages": ["first", "all"], "exif": ["apply", "ignore"]}


def image_rules() -> ImageRules:
    """The rules of this process, and of those that it starts.

    Raises:
        ConfigError: The variable names no rule, or no value of one.
    """
    return _parse(os.environ.get(VARIABLE, ""))


@lru_cache(maxsize=8)
def _parse(text: str) -> ImageRules:
    values: dict[str, int | str] = {}
    names = [field.name for field in fields(ImageRules)]
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        if name not in names:
            hint = did_you_mean(name, names) or _EXAMPLE
            raise ConfigError(f"there is no rule `{name}`", where=VARIABLE, choices=names, hint=hint)
        if name in _CHOICES and value not in _CHOICES[name]:
            raise ConfigError(f"unknown value '{value}'", where=f"{VARIABLE}, {name}", choices=_CHOICES[name])
        try:
            values[name] = int(float(value)) if name in ("bits", "max_pixels") else value
        except (ValueError, OverflowError):
            values[name] = 0
        if name == "max_pixels" and int(values[name]) < 1:
            raise ConfigError(f"`{value}` is no number of pixels", where=f"{VARIABLE}, {name}", hint=_EXAMPLE)
    rules = ImageRules(**values)  # type: ignore[arg-type]
    if "max_pixels" in values:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, rules.max_pixels)  # the rule itself is checked, too
    return rules
