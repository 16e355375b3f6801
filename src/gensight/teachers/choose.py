"""Which teachers there are, and how the command line names them: KIND, or KIND:MODEL for those with a choice.

- `edges`: Canny's edges as a soft map. `tracks`: points through videos by optical flow.
- `variants`: other pictures with the same layout, by SDEdit; MODEL is `tiny`, a folder or a hub id.
- `run`: a trained gensight run; MODEL is its folder.
- Models of the transformers library; MODEL is a hub id, or a folder as `save_pretrained` writes it; each class has a
  `default`. `pose`: ViTPose, keypoints of the boxes that an image already has. `depth`: Depth Anything, DPT, ZoeDepth.
  `masks`: Segment Anything (1, 2, HQ), of boxes; with `prompts=grid` of everything. `detect`: RT-DETR, RF-DETR, DETR
  and their like. `caption`: BLIP, BLIP-2.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from gensight.errors import ConfigError, did_you_mean
from gensight.teachers.base import ModelTeacher, Teacher

TEACHERS = {  # module and class, imported once chosen, since some of them load much
    "edges": ("models.edges", "EdgeTeacher"),
    "tracks": ("models.tracks", "TrackTeacher"),
    "variants": ("models.variants", "VariantTeacher"),
    "run": ("run", "RunTeacher"),
    "caption": ("models.captions", "CaptionTeacher"),
    "depth": ("models.depth", "DepthTeacher"),
    "detect": ("models.detection", "DetectionTeacher"),
    "masks": ("models.masks", "BoxMaskTeacher"),
    "pose": ("models.pose", "PoseTeacher"),
}


def choose_teacher(name: str, settings: Mapping[str, Any] | None = None, device: str = "auto") -> Teacher:
    """The teacher of this name; its weights are loaded by `prepare`.

    Args:
        name: `KIND` or `KIND:MODEL`.
        settings: Arguments of the teacher's class, such as `grid`; for `masks` also `prompts`: `boxes` or `grid`.
        device: Where it runs, if it is a network: `auto`, `cpu`, `cuda` ...

    Raises:
        ConfigError: There is no such teacher, it takes no such setting or value, or it takes no model (or needs one).
    """
    kind, _, model = name.partition(":")
    if kind not in TEACHERS:
        raise ConfigError(f"there is no teacher called `{kind}`", choices=TEACHERS,
                          hint=did_you_mean(kind, TEACHERS) or "write KIND or KIND:MODEL")  # fmt: skip
    given = dict(settings or {})
    module, title = TEACHERS[kind]
    if kind == "masks" and given.get("prompts") == "grid":
        title = "GridMaskTeacher"
    make: type[Teacher] = getattr(import_module(f"gensight.teachers.{module}"), title)
    for key, value in given.items():
        if key not in make.setting_names():
            raise ConfigError(f"the teacher `{kind}` has no setting `{key}`", where=name, choices=make.setting_names(),
                              hint=did_you_mean(key, make.setting_names()))  # fmt: skip
        given[key] = make.checked(key, value)
    if issubclass(make, ModelTeacher):
        return make(model, device, **given)
    if model:
        raise ConfigError(f"the teacher `{kind}` has no choice of models", where=name, hint=f"write `{kind}`")
    return make(**given)
