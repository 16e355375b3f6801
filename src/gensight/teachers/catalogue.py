"""The teachers that are models of the transformers library, and how the command line names them.

`KIND` or `KIND:MODEL`, where MODEL is a hub id or a folder as `save_pretrained` of transformers writes it; `choose`
has the other teachers.

- `pose`: ViTPose; keypoints of the boxes that an image already has. Default: usyd-community/vitpose-base-simple.
- `depth`: Depth Anything, DPT, ZoeDepth. Default: depth-anything/Depth-Anything-V2-Small-hf.
- `masks`: Segment Anything (1, 2, HQ), of boxes; with `prompts=grid` of everything. Default: facebook/sam-vit-base.
- `detect`: RT-DETR, RF-DETR, DETR and their like. Default: PekingU/rtdetr_v2_r50vd.
- `caption`: BLIP, BLIP-2. Default: Salesforce/blip-image-captioning-large.

The default models were not run by this project's tests, which build tiny models of the same families instead.
"""

import inspect
from collections.abc import Mapping
from types import NoneType
from typing import Any, get_args, get_type_hints

from gensight.errors import ConfigError, did_you_mean
from gensight.teachers.models.captions import CaptionTeacher
from gensight.teachers.models.depth import DepthTeacher
from gensight.teachers.models.detection import DetectionTeacher
from gensight.teachers.models.masks import BoxMaskTeacher, GridMaskTeacher
from gensight.teachers.models.pose import PoseTeacher
from gensight.teachers.models.pretrained import PretrainedTeacher

TEACHERS: dict[str, type[PretrainedTeacher]] = {  # by the word before the colon
    "caption": CaptionTeacher,
    "depth": DepthTeacher,
    "detect": DetectionTeacher,
    "masks": BoxMaskTeacher,
    "pose": PoseTeacher,
}
_MASK_PROMPTS: dict[str, type[PretrainedTeacher]] = {"boxes": BoxMaskTeacher, "grid": GridMaskTeacher}


def load_teacher(name: str, settings: Mapping[str, Any] | None = None) -> PretrainedTeacher:
    """The teacher of this name; its weights are loaded by `prepare`.

    Args:
        name: `KIND` or `KIND:MODEL`.
        settings: Arguments of the teacher's class, such as `threshold`; for `masks` also `prompts`: `boxes` or `grid`.

    Raises:
        ConfigError: There is no such teacher, or it takes no such setting, or not this value of it.
    """
    kind, _, model = name.partition(":")
    if kind not in TEACHERS:
        raise ConfigError(
            f"there is no teacher called {kind!r}",
            where=name,
            choices=sorted(TEACHERS),
            hint=did_you_mean(kind, TEACHERS) or "name one of these, and its model after a colon",
        )
    given = dict(settings or {})
    make = TEACHERS[kind]
    if kind == "masks":
        prompts = given.pop("prompts", "boxes")
        if prompts not in _MASK_PROMPTS:
            raise ConfigError(
                f"masks can't be prompted with {prompts!r}", where=f"{name}: prompts", choices=_MASK_PROMPTS
            )
        make = _MASK_PROMPTS[prompts]
    known = [parameter for parameter in inspect.signature(make).parameters if parameter != "source"]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ConfigError(
            f"the teacher `{kind}` has no setting {unknown[0]!r}",
            where=name,
            choices=[*known, "prompts"] if kind == "masks" else known,
            hint=did_you_mean(unknown[0], known),
        )
    hints = get_type_hints(make.__init__)
    for key, value in given.items():
        if not _is_of(value, hints[key]):
            named = " or ".join("nothing" if kind is NoneType else kind.__name__ for kind in _types(hints[key]))
            raise ConfigError(f"the setting {key} is {value!r}", where=name, hint=f"it takes a value of type {named}")
    return make(model, **given)


def _types(hint: Any) -> tuple[type, ...]:
    return get_args(hint) or (hint,)


def _is_of(value: object, hint: Any) -> bool:
    """Whether a setting's value is of its argument's type; whole numbers will do for others."""
    types = _types(hint)
    if isinstance(value, bool):
        return bool in types
    return isinstance(value, types) or (float in types and isinstance(value, int))
