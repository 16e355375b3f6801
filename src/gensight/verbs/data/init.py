"""`gensight init`: a commented recipe for the user's own images and labels, after a look at them."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from gensight.config.data import Data, LabelFilesData
from gensight.config.fields import Section
from gensight.config.loading.commented import commented_yaml
from gensight.config.loading.loader import load_recipe
from gensight.config.loading.overrides import text_override
from gensight.config.pretrain import PretrainConfig
from gensight.config.schema import RunConfig
from gensight.errors import ConfigError, counted
from gensight.files.atomic import write_text
from gensight.readers.label_files.formats import find_label_files
from gensight.readers.shared.named_keypoints import chosen_keypoints
from gensight.samples import Size
from gensight.skeletons import COCO_17, Skeleton, is_nameless, lone_sides, pairs_text, sides_note
from gensight.verbs.data.fitting import MINUTES, design, fit_to_machine, look_at_layout, rounded, view_size
from gensight.verbs.data.layouts import Recognised, recipe_for, recognise
from gensight.verbs.data.survey import Survey, survey

SHORTEST_SIDE = 128
NAMES_NOTE = (
    "The labels have no names: write them here, in this order. Those of sides, such as left_ear and right_ear, make "
    "pairs; then view.augment.flip=0.5 and evaluation.flip_test=true often help."
)
MANY_IMAGES = 2000


@dataclass(frozen=True)
class Initialised:
    """What `init` did: lines about what it saw, the recipe that it wrote, the command to run next."""

    seen: tuple[str, ...]
    recipe: Path
    next_command: str


def init(
    place: Path,
    out: Path | None = None,
    minutes: float | None = None,
    device: str = "auto",
    perception_only: bool = False,
) -> Initialised:
    """Looks at a folder (or a video) and writes a recipe for it.

    Args:
        place: A folder with labels of any format that is read (docs/own-data.md), images or videos; one label file or
            video; or a data set of a known layout (see `layout` of the sections in `config/data/`).
        out: The recipe; `./NAME.yaml` if None, after the folder.
        minutes: That training may take here; 10 on a CPU and 30 on a GPU if None.
        device: Where a few steps are measured.
        perception_only: Opens the packaged backbone faster, in a process that does nothing else with it.

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
    if known is not None and not (known.kind == "image-folders" and find_label_files(place.expanduser())):
        return _as_known(known, place, name, recipe)
    found = survey(place)
    if found.truths and not found.labelled:
        return _regions(found, name, recipe, minutes or MINUTES)
    seen = _seen(found)
    if found.labelled:
        config, notes, measured = _training(
            found, name, partial(fit_to_machine, minutes=minutes, device=device, perception_only=perception_only)
        )
        seen = (*seen, *measured)
    else:
        config, notes = _pretraining(found, name)
    verb = "train" if found.labelled else "pretrain"
    command = f"gensight {verb} {shlex.quote(str(recipe))}"
    write_text(recipe, _header(command, seen) + commented_yaml(config, notes))
    if found.labelled:
        return Initialised(seen, recipe, f"{command} --dry-run, then {command}")
    what = "its labels can't be read (see above)" if found.unread else "no keypoint labels here"
    hint = f"{what}: this recipe makes a backbone from the pixels; label some frames to train on it"
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


def _regions(found: Survey, name: str, recipe: Path, minutes: float) -> Initialised:
    """Masks and boxes without keypoints are learned by instructions, from a pool of pictures that is built first."""
    seen, tasks = _seen(found), ["segment"] * ("masks" in found.truths) + ["detect"] * ("boxes" in found.truths)
    pool = Path("runs") / f"{name}-pool"
    share = _validation_share(found.num_images)
    overrides = [*map(_unquoted, found.overrides)]
    if found.data.kind == "coco":
        overrides.append(f"validation_share={share}")
    elif not any(text.startswith("split.") for text in overrides):
        overrides += [f"split.train={0.8 - share:.2f}", f"split.validation={share}"]
    else:
        overrides.append(f"split.validation={share}")
    source = shlex.join([found.data.kind, *overrides])
    quoted = f'"{source}"' if not set(source) & set('"$`\\!') else shlex.quote(source)
    build = f"gensight datasets build-instruct --from {quoted} --tasks {','.join(tasks)} --size 128"
    command = f"{build} --out {pool}, then gensight train {shlex.quote(str(recipe))}"
    protocols = ["seg"] * ("segment" in tasks) + ["coco-box", "voc12"] * ("detect" in tasks)
    changes = [text_override("data.root", pool), f"encoding.tasks=[{','.join(tasks)}]",
               f"encoding.max_boxes={min(124, max(2, found.num_subjects))}", f"training.max_minutes={minutes}",
               f"evaluation.protocols=[{','.join(protocols)}]"]  # fmt: skip
    config = load_recipe("instruct-puppets-one-step", changes)
    described = f"{' and '.join(found.truths)} of {name}, by instructions"
    config = config.model_copy(update={"name": name, "description": described})
    write_text(recipe, _header(command, seen) + commented_yaml(config, {}))
    return Initialised(seen, recipe, command)


def _unquoted(override: str) -> str:
    """`KEY=VALUE` without the quotes that a plain word doesn't need."""
    word = re.sub(r"""(["'])(/?[A-Za-z][\w./-]*)\1""", r"\2", override)
    return override if re.search(r"[=\[, ](true|false|null|yes|no|on|off|y|n)\b", word, re.IGNORECASE) else word


def _seen(found: Survey) -> tuple[str, ...]:
    unit = "video" if found.data.kind in ("videos", "video") else "image"
    size = f" of {found.image_size[0]} x {found.image_size[1]} px (height x width, median)" if found.image_size else ""
    lines = [f"found {found.title and f'{found.title}: '}{counted(found.num_images, unit)}{size}"]
    if found.groups:
        lines.append(f"from {counted(len(found.groups), 'video')}")
    if found.subject_size and not found.labelled:
        height, width = found.subject_size
        lines.append(f"{' and '.join(found.truths)} without keypoints, about {height:.0f} x {width:.0f} px each")
    elif found.subject_size:
        height, width = found.subject_size
        subjects = "one subject" if found.num_subjects == 1 else f"up to {found.num_subjects} subjects"
        lines.append(
            f"{counted(len(found.keypoints), 'keypoint')} ({_some(found.keypoints)}) of {subjects} per image, "
            f"about {height:.0f} x {width:.0f} px each"
        )
    return (*lines, *found.notes, *found.unread)


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")


def _header(command: str, seen: tuple[str, ...]) -> str:
    lines = ["A recipe that `gensight init` wrote, having looked at the data:", *seen, "",
             f"command:  {command}", "expected: not yet run", ""]  # fmt: skip
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


# --- labelled data: a recipe to train


def _training(
    found: Survey, name: str, fit: Callable[[RunConfig, float], tuple[RunConfig, str]]
) -> tuple[Section, dict[str, str], list[str]]:
    """The recipe, notes on its keys, and lines about pairs and times."""
    data = found.data.model_dump(mode="json")
    notes = {
        "training.steps": "",
        "training.batch_size": "",
        "training.learning_rate": "",
        "method.loss": "",
        "training.max_minutes": "The best checkpoint so far is kept.",
    }
    if found.data.kind == "deeplabcut" or (found.groups and data.get("split", {}).get("kind") == "seed"):
        data["split"], notes["data.split.kind"] = _split(found)
        if data["split"]["kind"] == "blocks":
            notes |= {"data.split.num_blocks": "", "data.split.test_block": "", "data.split.validation": ""}
        if found.data.kind == "deeplabcut":
            notes["data.num_labels"] = "Set it to learn how few labels would do."
    elif isinstance(found.data, LabelFilesData) and data["split"]["kind"] == "seed":
        share = _validation_share(found.num_images)
        data["split"] |= {"train": round(0.8 - share, 2), "validation": share}
    elif isinstance(found.data, LabelFilesData):
        data["split"]["validation"] = _validation_share(found.num_images)
    elif found.data.kind == "coco":
        data["validation_share"] = _validation_share(found.num_images)
    found = _keypoints(found, name, data, notes)
    named = found.keypoints == COCO_17.keypoints
    seen, flips = _sides(found, name)
    shared = {"name": name, "description": f"{len(found.keypoints)} keypoints of {name}", "data": data}
    if found.num_subjects > 1:
        layout, (made, made_notes) = None, _cropped(found, flips)
    else:
        layout = look_at_layout(TypeAdapter[Data](Data).validate_python(data))
        assert found.subject_size is not None and found.image_size is not None
        size = view_size(found.image_size, max(found.subject_size), layout.nearest)
        made, made_notes = design(size, layout, flips), _whole_frame_notes(found)
    made["encoding"]["skeleton"] = COCO_17.name if named else "data"
    made["evaluation"]["protocols"] = ["coco-oks", "pck-box"] if named else ["mean-px", "median-px", "rmse-px"]
    if data["kind"] == "faces":
        made["evaluation"]["protocols"] = ["nme-inter-ocular", "mean-px"]
    config = RunConfig.model_validate(shared | made)
    nearest = np.inf
    if layout is not None and found.image_size is not None:
        scale = min(side / full for side, full in zip(config.view.size, found.image_size, strict=True))
        nearest = scale * layout.nearest
    config, measured = fit(config, nearest)
    seen.append(f"measured: {measured}")
    if layout is not None:
        made_notes["view.size"] = _size_note(config, found)
    if flips:
        notes["view.augment.flip"] = "Some keypoints are left-right pairs."
    notes |= made_notes | {"encoding.skeleton": "", "evaluation.protocols": "", "evaluation.baselines": ""}
    return config, notes, seen


def _sides(found: Survey, name: str) -> tuple[list[str], bool]:
    """Lines about left-right pairs and names, and whether images may be flipped."""
    mirrored = any(partner != index for index, partner in enumerate(found.mirror))
    lone = lone_sides(found.keypoints, found.mirror)
    seen = [f"left-right pairs: {pairs_text(found.keypoints, found.mirror)}"] if mirrored or lone else []
    if is_nameless(found.keypoints):
        seen.append("the labels don't name the keypoints: write their names into data.keypoints of the recipe")
    if lone:
        seen.append(sides_note(Skeleton(name, found.keypoints, mirror=found.mirror)))
    return seen, mirrored and not lone


def _keypoints(found: Survey, name: str, data: dict[str, Any], notes: dict[str, str]) -> Survey:
    """Writes `data.keypoints` and its note where names, or labels of some keypoint, are lacking."""
    if is_nameless(found.keypoints):
        data["keypoints"] = list(found.keypoints)
        notes["data.keypoints"] = NAMES_NOTE
    elif found.lacking:
        data["keypoints"] = [name for name in found.keypoints if name not in found.lacking]
        notes["data.keypoints"] = f"Left out, since nobody labelled it: {', '.join(found.lacking)}."
        skeleton = chosen_keypoints(Skeleton(name, found.keypoints, mirror=found.mirror), data["keypoints"])
        found = replace(found, keypoints=skeleton.keypoints, mirror=skeleton.mirror)
    return found


def _size_note(config: RunConfig, found: Survey) -> str:
    assert found.subject_size is not None and found.image_size is not None
    subject = max(found.subject_size)
    side = config.view.size[0] / found.image_size[0] * subject
    return f"Here a subject of {subject:.0f} px becomes {side:.0f} px long; larger is slower and finer."


def _whole_frame_notes(found: Survey) -> dict[str, str]:
    return {
        "view.augment.rotation": "180 suits subjects seen from above.",
        "view.crop": "",
        "view.size": "",
        "backbone.kind": "Others: imagenet (pip install 'gensight[imagenet]'), tiny (packaged), diffusers.",
        "backbone.widths": "",
    }


def _cropped(found: Survey, flips: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """Sections for several subjects in an image, each seen in its box, and notes on them."""
    assert found.subject_size is not None
    augment: dict[str, Any] = {"rotation": 30, "scale": [0.8, 1.25], "translation": 0.05, "brightness": 0.2,
                               "contrast": 0.2, "flip": 0.5 if flips else 0.0}  # fmt: skip
    made = {
        "view": {"size": crop_size(*found.subject_size), "crop": "box", "augment": augment},
        "encoding": {"kind": "heatmap", "stride": 4},
        "backbone": {"kind": "tiny"},
        "method": {"kind": "readout", "projection": 64, "bottleneck": 32, "widths": [64, 32], "loss": "softmax"},
        "training": {
            "steps": 2000, "batch_size": 8, "schedule": "cosine", "ema": 0.998, "clip": 1.0,
        },
        "cache": {"views": max(1, min(12, MANY_IMAGES // found.num_images))},
        "evaluation": {"baselines": ["mean-position"]},
    }  # fmt: skip
    notes = {
        "view.augment.rotation": "180 suits subjects seen from above.",
        "view.crop": f"Here up to {found.num_subjects} subjects share an image, so `predict` needs their boxes "
        "(--boxes).",
        "view.size": "",
        "backbone.kind": "Others: diffusers (Stable Diffusion, needs a GPU), scratch.",
        "cache.views": "",
    }
    return made, notes


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


def crop_size(height: float, width: float) -> Size:
    """The model size for crops around subjects of this shape."""
    if height > 1.25 * width:
        return 256, 192
    return (192, 256) if width > 1.25 * height else (224, 224)


# --- unlabelled data: a recipe to pretrain


def _pretraining(found: Survey, name: str) -> tuple[Section, dict[str, str]]:
    size = (SHORTEST_SIDE, SHORTEST_SIDE)
    if found.image_size:
        scale = SHORTEST_SIDE / min(found.image_size)
        size = (rounded(scale * found.image_size[0]), rounded(scale * found.image_size[1]))
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
