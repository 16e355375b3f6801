"""`gensight init`: a commented recipe for the user's own images and labels, after a look at them."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gensight.config.fields import Section
from gensight.config.loading.commented import commented_yaml
from gensight.config.pretrain import PretrainConfig
from gensight.config.schema import RunConfig
from gensight.errors import ConfigError
from gensight.files.atomic import write_text
from gensight.samples import Size
from gensight.skeletons import COCO_17
from gensight.verbs.data.layouts import Recognised, recipe_for, recognise
from gensight.verbs.data.survey import Survey, survey

SUBJECT_SIDE = 64  # model pixels along a subject's longer side: enough to separate its keypoints
LONGEST_SIDE = 640
SHORTEST_SIDE = 128
UNIT = 32  # sides are multiples of it, so that every backbone takes them
MANY_IMAGES = 2000


@dataclass(frozen=True)
class Initialised:
    """What `init` did: lines about what it saw, the recipe that it wrote, the command to run next."""

    seen: tuple[str, ...]
    recipe: Path
    next_command: str


def init(place: Path, out: Path | None = None) -> Initialised:
    """Looks at a folder (or a video) and writes a recipe for it.

    Args:
        place: A DeepLabCut project, a folder with COCO keypoint json, images or videos, one video, or a data set of a
            known layout (see `layout` of the sections in `config/data/`).
        out: The recipe; `./NAME.yaml` if None, after the folder.

    Raises:
        ConfigError: If nothing there can be read, or the recipe exists already.
        DataError: If the labels are there but wrong.
    """
    name = re.sub(r"[^\w.-]+", "-", place.expanduser().resolve().stem) or "recipe"
    recipe = Path(f"{name}.yaml") if out is None else out
    if recipe.exists():
        raise ConfigError("this file exists already, and init never overwrites", where=recipe,
                          hint="choose another file with --out, or delete this one")  # fmt: skip
    known = recognise(place.expanduser())
    if known is not None:
        return _as_known(known, place, name, recipe)
    found = survey(place)
    config, notes = _training(found, name) if found.labelled else _pretraining(found, name)
    verb = "train" if found.labelled else "pretrain"
    command = f"gensight {verb} {shlex.quote(str(recipe))}"
    seen = _seen(found)
    write_text(recipe, _header(command, seen) + commented_yaml(config, notes))
    if found.labelled:
        return Initialised(seen, recipe, f"{command} --dry-run, then {command}")
    hint = "no keypoint labels here: this recipe makes a backbone from the pixels; label some frames to train on it"
    return Initialised((*seen, hint), recipe, command)


def _as_known(found: Recognised, folder: Path, name: str, recipe: Path) -> Initialised:
    config, layout = recipe_for(found, folder, name), found.layout
    command = f"gensight train {shlex.quote(str(recipe))}"
    seen = (
        f"found {layout.title}: the recipe is made after {layout.recipe}",
        *([layout.advice] if layout.advice else []),
    )
    write_text(recipe, _header(command, seen) + commented_yaml(config, {}))
    return Initialised(seen, recipe, f"{command} --dry-run, then {command}")


def _seen(found: Survey) -> tuple[str, ...]:
    unit = {"videos": "videos", "video": "video"}.get(found.data.kind, "images")
    size = f" of {found.image_size[0]} x {found.image_size[1]} px (height x width, median)" if found.image_size else ""
    lines = [f"found {found.data.kind}: {found.num_images} {'labelled ' if found.labelled else ''}{unit}{size}"]
    if found.groups:
        lines.append(f"from {len(found.groups)} {'video' if len(found.groups) == 1 else 'videos'}")
    if found.subject_size:
        height, width = found.subject_size
        subjects = "one subject" if found.num_subjects == 1 else f"up to {found.num_subjects} subjects"
        lines.append(
            f"{len(found.keypoints)} keypoints ({_some(found.keypoints)}) of {subjects} per image, "
            f"about {height:.0f} x {width:.0f} px each"
        )
    return (*lines, *found.notes)


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")


def _header(command: str, seen: tuple[str, ...]) -> str:
    lines = ["A recipe that `gensight init` wrote, having looked at the data:", *seen, "",
             f"command:  {command}", "expected: not yet run", ""]  # fmt: skip
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


# --- labelled data: a recipe to train


def _training(found: Survey, name: str) -> tuple[Section, dict[str, str]]:
    data = found.data.model_dump(mode="json")
    notes = {
        "training.steps": "",
        "training.batch_size": "",
        "training.learning_rate": "",
        "method.loss": "",
        "training.max_minutes": "The best checkpoint so far is kept.",
    }
    if found.data.kind == "deeplabcut":
        data["split"], notes["data.split.kind"] = _split(found)
        if data["split"]["kind"] == "blocks":
            notes |= {"data.split.num_blocks": "", "data.split.test_block": "", "data.split.validation": ""}
        notes["data.num_labels"] = "Set it to learn how few labels would do."
    elif found.data.kind != "annotated":
        data["validation_share"] = _validation_share(found.num_images)
    view, view_notes = _view(found)
    named = found.keypoints == COCO_17.keypoints
    views = max(1, min(12, MANY_IMAGES // found.num_images))
    config = RunConfig.model_validate(
        {
            "name": name,
            "description": f"{len(found.keypoints)} keypoints of {name}",
            "data": data,
            "view": view,
            "encoding": {"kind": "heatmap", "skeleton": COCO_17.name if named else "data", "stride": 4},
            "backbone": {"kind": "tiny"},
            "method": {"kind": "readout", "projection": 64, "bottleneck": 32, "widths": [64, 32], "loss": "softmax"},
            "training": {
                "steps": 2000,
                "max_minutes": 30,
                "batch_size": 8,
                "schedule": "cosine",
                "ema": 0.998,
                "clip": 1.0,
            },
            "cache": {"views": views},
            "evaluation": {
                "protocols": ["coco-oks", "pck-box"] if named else ["mean-px", "median-px", "rmse-px"],
                "baselines": ["mean-position", "random-weights", "scratch"],
            },
        }
    )
    notes |= view_notes | {
        "encoding.skeleton": "",
        "backbone.kind": "Others: diffusers (Stable Diffusion, needs a GPU), scratch.",
        "cache.views": "",
        "evaluation.protocols": "",
        "evaluation.baselines": "",
    }
    return config, notes


def _split(found: Survey) -> tuple[dict[str, Any], str]:
    """How to divide a DeepLabCut project, and why."""
    if len(found.groups) >= 4:
        test = list(found.groups[-max(1, len(found.groups) // 5) :])
        note = f"There are {len(found.groups)} videos: scores on unseen ones estimate those on new videos."
        return {"kind": "videos", "test": test, "validation": _validation_share(found.num_images)}, note
    note = "Frames of one video resemble their neighbours, so parts are contiguous and not sampled at random."
    return {"kind": "blocks", "num_blocks": 5, "test_block": 4, "validation": _validation_share(found.num_images)}, note


def _validation_share(num_images: int) -> float:
    """A tenth of the training part, or what makes it two images."""
    return max(0.1, round(2 / (0.7 * num_images), 2))


def _view(found: Survey) -> tuple[dict[str, Any], dict[str, str]]:
    """The `view` section, and why it is so."""
    assert found.subject_size is not None
    assert found.image_size is not None
    augment: dict[str, Any] = {"rotation": 30, "scale": [0.8, 1.25], "translation": 0.05, "brightness": 0.2,
                               "contrast": 0.2}  # fmt: skip
    notes = {
        "view.augment.rotation": "180 suits subjects seen from above.",
        "view.crop": "",
        "view.size": "",
    }
    if found.mirrored:
        augment["flip"] = 0.5
        notes["view.augment.flip"] = "Some keypoints are left-right pairs."
    if found.num_subjects > 1:
        size = crop_size(*found.subject_size)
        many = f"Here up to {found.num_subjects} subjects share an image"
        notes["view.crop"] = f"{many}, so `predict` needs their boxes (--boxes)."
        return {"size": size, "crop": "box", "augment": augment}, notes
    size = frame_size(found.image_size, max(found.subject_size))
    scale = min(size[0] / found.image_size[0], size[1] / found.image_size[1])
    notes["view.size"] = (
        f"Here a subject of {max(found.subject_size):.0f} px becomes {scale * max(found.subject_size):.0f} px long; "
        "larger is slower and finer."
    )
    return {"size": size, "crop": "frame", "augment": augment}, notes


def frame_size(image_size: Size, subject_side: float) -> Size:
    """A model size with the images' aspect in which the subject is about SUBJECT_SIDE pixels long."""
    longest = max(image_size)
    side = min(longest * SUBJECT_SIDE / max(subject_side, 1.0), LONGEST_SIDE, max(longest, SHORTEST_SIDE))
    scale = max(side, SHORTEST_SIDE) / longest
    return _rounded(scale * image_size[0]), _rounded(scale * image_size[1])


def crop_size(height: float, width: float) -> Size:
    """The model size for crops around subjects of this shape."""
    if height > 1.25 * width:
        return 256, 192
    return (192, 256) if width > 1.25 * height else (224, 224)


def _rounded(side: float) -> int:
    return max(UNIT, round(side / UNIT) * UNIT)


# --- unlabelled data: a recipe to pretrain


def _pretraining(found: Survey, name: str) -> tuple[Section, dict[str, str]]:
    size = (SHORTEST_SIDE, SHORTEST_SIDE)
    if found.image_size:
        scale = SHORTEST_SIDE / min(found.image_size)
        size = (_rounded(scale * found.image_size[0]), _rounded(scale * found.image_size[1]))
    config = PretrainConfig.model_validate(
        {
            "name": name,
            "description": f"A backbone that has seen {name}",
            "data": found.data.model_dump(mode="json"),
            "image_size": size,
            "captions": False,
            "start": {"kind": "tiny"},
            "autoencoder": {"steps": 500, "learning_rate": 1e-4},
            "denoiser": {"steps": 5000, "batch_size": 16, "learning_rate": 2e-4},
            "max_minutes": 30,
        }
    )
    return config, {"image_size": "", "start.kind": "Others: scratch, folder.", "max_minutes": ""}
