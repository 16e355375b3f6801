"""A look at the user's folder: what kind of data set it is, how large its images and subjects are."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gensight.assembly.readers import build_readers
from gensight.config.data import AnnotatedData, CocoData, Data, DeepLabCutData, OrderSplit
from gensight.config.loading.loader import load_data
from gensight.config.loading.overrides import text_override
from gensight.errors import ConfigError, DataError
from gensight.files.images import IMAGE_SUFFIXES
from gensight.files.videos import VIDEO_SUFFIXES
from gensight.geometry import points_box
from gensight.readers.annotated.reader import is_described
from gensight.readers.base import Reader
from gensight.readers.shared.label_counts import LabelCounts
from gensight.samples import Instance, Size

NUM_LOOKED_AT = 200
MOST_FOLDERS = 2000
FEWEST_IMAGES = 8


@dataclass(frozen=True)
class Survey:
    """What a folder holds.

    Attributes:
        data: The `data` section that reads it.
        num_images: Number of images (or videos, where `data` is of videos).
        image_size: Median (height, width) of the images; None for videos.
        subject_size: Median (height, width) of the subjects in pixels; None without labels.
        num_subjects: Largest number of subjects in one image, of those looked at.
        keypoints: Names of the keypoints; empty without labels.
        mirrored: Whether some keypoints are left-right pairs.
        groups: Videos or other groups that the images belong to, where they are fewer than the images.
        notes: What is odd about the labels, one line each.
    """

    data: Data
    num_images: int
    image_size: Size | None = None
    subject_size: tuple[float, float] | None = None
    num_subjects: int = 0
    keypoints: tuple[str, ...] = ()
    mirrored: bool = False
    groups: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def labelled(self) -> bool:
        return bool(self.keypoints)


def survey(place: Path) -> Survey:
    """Looks at a folder or a video file.

    Raises:
        ConfigError: If nothing there can be read.
        DataError: If the labels are there but wrong.
    """
    place = place.expanduser()
    if place.is_file() and place.suffix.lower() in VIDEO_SUFFIXES:
        return Survey(load_data("video", [text_override("path", place), "step=5"]), 1)
    if not place.is_dir():
        what = "is neither a folder nor a video" if place.exists() else "there is no such folder"
        raise ConfigError(what, where=place, hint="name the folder that holds your images or labels")
    if (place / "config.yaml").is_file() and (place / "labeled-data").is_dir():
        return _labelled(load_data("deeplabcut", [text_override("root", place)]))
    if is_described(place):
        return _labelled(load_data("annotated", [text_override("root", place)]))
    files = find_coco_files(place)
    if files:
        return _labelled(_coco(place, files))
    return _unlabelled(place)


# --- COCO


class _Category(msgspec.Struct):
    name: str = ""
    keypoints: list[str] = []


class _Image(msgspec.Struct):
    file_name: str


class _Header(msgspec.Struct):
    images: list[_Image]
    categories: list[_Category]


@dataclass(frozen=True)
class CocoFile:
    """A COCO keypoint json and the folder in which its images lie, both relative to the data set's."""

    annotations: str
    images: str
    categories: tuple[str, ...]

    @property
    def role(self) -> str:
        """`train`, `validation` or `test`, from its name."""
        name = self.annotations.lower()
        return next((role for word, role in (("train", "train"), ("val", "validation"), ("test", "test"))
                     if word in name), "train")  # fmt: skip


def find_coco_files(root: Path) -> list[CocoFile]:
    """Every COCO keypoint json up to three folders deep whose images can be found."""
    folders = [root, *islice((path for path in sorted(root.glob("**/")) if path != root and _visible(path, root)),
                             MOST_FOLDERS)]  # fmt: skip
    found = []
    for path in sorted(path for depth in ("*", "*/*", "*/*/*") for path in root.glob(f"{depth}.json")):
        header = _header(path)
        if header is None:
            continue
        names = [image.file_name for image in header.images[:: max(1, len(header.images) // 5)][:5]]
        home = next((folder for folder in folders if all((folder / name).is_file() for name in names)), None)
        if home is not None:
            categories = tuple(category.name for category in header.categories if category.keypoints)
            found.append(CocoFile(path.relative_to(root).as_posix(), home.relative_to(root).as_posix(), categories))
    return found


def _visible(path: Path, root: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(root).parts)


def _header(path: Path) -> _Header | None:
    """The head of a COCO keypoint json; None for any other json."""
    try:
        header = msgspec.json.decode(path.read_bytes(), type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return header if header.images and any(category.keypoints for category in header.categories) else None


def _coco(root: Path, files: list[CocoFile]) -> Data:
    roles: dict[str, CocoFile] = {}
    for file in files:
        roles.setdefault(file.role, file)
    if "train" not in roles:
        roles = {"train": next(iter(roles.values()))}
    # Of two parts, the second is scored; validation is then taken from training.
    if "test" not in roles and "validation" in roles:
        roles["test"] = roles.pop("validation")
    overrides: list[str] = [text_override("root", root), f"categories={list(roles['train'].categories)}"]
    for part in ("train", "validation", "test"):
        if part in roles:
            overrides += [text_override(f"{part}.images", roles[part].images),
                          text_override(f"{part}.annotations", roles[part].annotations)]  # fmt: skip
        elif part == "test":
            overrides.append("test=null")
    return load_data("coco", overrides)


# --- measuring


def _labelled(data: Data) -> Survey:
    splits = build_readers(_undivided(data))
    reader = splits.train
    sizes, subjects, counts = _measure(reader)
    groups = sorted({group for part in splits.parts for group in part.groups})
    num_images = sum(len(part) for part in splits.parts)
    if num_images < FEWEST_IMAGES:
        what = f"only {num_images} labelled images: some must train, some validate, some be scored"
        raise DataError(what, where=reader.folder, hint=f"label at least {FEWEST_IMAGES}")
    skeleton = reader.skeleton
    if skeleton is None or not subjects:
        raise DataError("the labels hold no keypoints", where=reader.folder, hint="label some keypoints first")
    return Survey(
        data,
        num_images,
        _median_size(sizes),
        (float(np.median([height for height, _ in subjects])), float(np.median([width for _, width in subjects]))),
        max(counts),
        skeleton.keypoints,
        any(partner != index for index, partner in enumerate(skeleton.mirror)),
        tuple(groups) if len(groups) < num_images else (),
        tuple(f"warning: {what} ({where})" for what, where in LabelCounts.of_samples(reader).warnings()),
    )


def _undivided(data: Data) -> Data:
    """The same data without shares taken from training, which few images could not give."""
    match data:
        case DeepLabCutData() | AnnotatedData():
            return data.model_copy(update={"split": OrderSplit(train=1, validation=0, test=0)})
        case CocoData():
            return data.model_copy(update={"validation_share": 0.0, "test_share": 0.0})
    return data


def _measure(reader: Reader) -> tuple[list[Size], list[tuple[float, float]], list[int]]:
    """Image sizes, subject sizes and numbers of subjects, of samples evenly spaced over a reader."""
    sizes, subjects, counts = [], [], []
    for index in range(0, len(reader), max(1, len(reader) // NUM_LOOKED_AT)):
        sample = reader[index]
        sizes.append(sample.size)
        found = [size for one in sample.instances or () if not one.is_crowd and (size := _subject_size(one))]
        subjects += found
        counts.append(len(found))
    return sizes, subjects, counts


def _subject_size(instance: Instance) -> tuple[float, float] | None:
    """(height, width) of a subject's box, or of its located keypoints' extent; None if it has neither."""
    box: Any = instance.box
    if box is None and instance.keypoints is not None and instance.keypoints.located.sum() >= 2:
        box = points_box(instance.keypoints.points[instance.keypoints.located])
    if box is None or not np.isfinite(box).all():
        return None
    return float(box[3] - box[1]), float(box[2] - box[0])


def _median_size(sizes: list[Size]) -> Size:
    return int(np.median([height for height, _ in sizes])), int(np.median([width for _, width in sizes]))


def _unlabelled(root: Path) -> Survey:
    files = [path for path in root.rglob("*") if path.is_file() and _visible(path, root)]
    images = sum(path.suffix.lower() in IMAGE_SUFFIXES for path in files)
    videos = sum(path.suffix.lower() in VIDEO_SUFFIXES for path in files)
    if images:
        data = load_data("folder", [text_override("root", root)])
        sizes, _, _ = _measure(build_readers(data).train)
        return Survey(data, images, _median_size(sizes))
    if videos:
        return Survey(load_data("videos", [text_override("root", root), "step=5"]), videos)
    raise ConfigError(
        "nothing here that gensight can read: no DeepLabCut project, no COCO keypoint json, no images, no videos",
        where=root,
        hint="name the folder that holds them; `gensight datasets list` shows the formats",
    )
