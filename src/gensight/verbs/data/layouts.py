"""Data sets that are known by the layout of their folder, and the packaged recipe that fits each."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from gensight.config.loading.loader import load_recipe
from gensight.config.loading.overrides import text_override
from gensight.config.schema import RunConfig
from gensight.errors import ConfigError
from gensight.readers.annotated.reader import is_described, read_description

MOST_FILES = 5000  # looked at, for files that may lie in folders of any depth


@dataclass(frozen=True)
class Layout:
    """How a data set is recognised, and what is learned from it.

    Attributes:
        kind: Of its `data` section.
        title: What it is called.
        marks: Patterns below its folder; each must match something.
        recipe: The packaged recipe that its own is made from; None where none trains on it directly.
        changes: What this data set needs otherwise, as `section.key=value`.
        advice: What else can be done with it.
    """

    kind: str
    title: str
    marks: tuple[str, ...]
    recipe: str | None
    changes: tuple[str, ...] = ()
    advice: str = ""


_DEPTH, _GAZE, _CLASSES = "seven-scenes-depth", "gaze-frozen", "classify-pets-resnet50"
_ROOM = ("encoding.far=10.0",)

# The first that matches is taken.
LAYOUTS = (
    Layout(
        "spair", "SPair-71k", ("PairAnnotation", "Layout", "JPEGImages"), "davis-correspondence",
        ("view.size=[192, 256]", "evaluation.baselines=[no-motion, sift]"),
    ),
    Layout(
        "davis", "DAVIS", ("JPEGImages/*/*/*.jpg", "Annotations/*/*/*.png"), "davis-appearance",
        ("data.year=2017", "data.split.kind=seed"),
        "for the same points in two frames: `gensight annotate tracks`, then the recipe davis-correspondence",
    ),
    Layout(
        "voc", "PASCAL VOC", ("JPEGImages", "Annotations/*.xml", "ImageSets"), None,
        advice="`gensight datasets voc-to-coco` writes its boxes as COCO json",
    ),
    Layout("bbc-pose", "BBC Pose", ("code/bbcpose.mat", "1"), "landmarks-bbc"),
    Layout("gazefollow", "GazeFollow", ("train_annotations_release.txt", "train"), _GAZE),
    Layout("video-attention-target", "VideoAttentionTarget", ("annotations/train/*/*", "images"), _GAZE),
    Layout("nyu", "NYU Depth V2 in pairs", ("nyu_train.txt", "nyu_test.txt"), _DEPTH, _ROOM),
    Layout("sunrgbd", "SUN RGB-D", ("SUNRGBDtoolbox", "SUNRGBD"), _DEPTH, _ROOM),
    Layout(
        "rgbd", "RGB-D frames", ("**/*depth.*", "**/*color.*"), _DEPTH,
        ("data.colour_intrinsics=null", "data.colour_offset=[0, 0, 0]"),
        "7-Scenes itself needs data.colour_intrinsics and data.colour_offset as seven-scenes-depth has them; "
        "where poses are known, seven-scenes-correspondence learns the same points in two frames",
    ),
    Layout("pets", "Oxford-IIIT Pet", ("annotations/trimaps", "annotations/list.txt", "images"), _CLASSES),
    Layout("ade20k", "ADE20K SceneParsing", ("annotations/training", "images/training"), None),
    Layout("image-folders", "images in one folder per class", ("train/*/*", "val/*/*"), _CLASSES),
)  # fmt: skip


def recognise(folder: Path) -> Layout | None:
    """The layout of a folder; None if it is none of those known. DataError: a damaged data set of `annotate`."""
    if is_described(folder):
        return _annotated(read_description(folder))
    return next((layout for layout in LAYOUTS if all(_matches(folder, mark) for mark in layout.marks)), None)


def _matches(folder: Path, pattern: str) -> bool:
    if not pattern.startswith("**/"):
        return next(folder.glob(pattern), None) is not None
    return any(path.match(pattern[3:]) for path in islice(folder.rglob("*"), MOST_FILES))


def _annotated(description: Mapping[str, Any]) -> Layout | None:
    """What `gensight annotate` wrote, by what its teachers told; None for keypoints, which any survey finds."""
    if description["skeletons"]:
        return None
    told = {label for teacher in description["teachers"] for label in teacher.get("labels", ())}
    title = f"labels of teachers ({', '.join(sorted(told)) or 'none'})"
    for label, recipe in (("tracks", "davis-correspondence"), ("depth", "puppets-depth"), ("edges", "puppets-edges")):
        if label in told:
            return Layout("annotated", title, ("dataset.json",), recipe, ("data.split.kind=seed",))
    return Layout("annotated", title, ("dataset.json",), None)


def recipe_for(layout: Layout, folder: Path, name: str) -> RunConfig:
    """The recipe for a data set of a known layout.

    Raises:
        ConfigError: Where no recipe trains on it directly: it says what does.
    """
    if layout.recipe is None:
        hint = (
            f'gensight datasets build-instruct --from "{layout.kind} root={folder}" --out runs/pool, '
            "then gensight train instruct-puppets data.root=runs/pool"
        )
        raise ConfigError(
            f"this is {layout.title}: its masks, boxes and classes are learned together, in words",
            where=folder,
            hint=f"{hint}; {layout.advice}" if layout.advice else hint,
        )
    config = load_recipe(
        layout.recipe, [f"data.kind={layout.kind}", text_override("data.root", folder), *layout.changes]
    )
    return config.model_copy(update={"name": name, "description": f"{layout.title}, after {layout.recipe}"})
