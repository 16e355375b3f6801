"""A look at the user's folder: what kind of data set it is, how large its images and subjects are."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gensight.assembly.readers import Splits, build_readers, undivided
from gensight.config.data import Data
from gensight.config.loading.loader import load_data
from gensight.config.loading.overrides import text_override
from gensight.errors import ConfigError, DataError, counted
from gensight.files.images import IMAGE_SUFFIXES, is_turned, page_seconds
from gensight.files.videos.reading import VIDEO_SUFFIXES
from gensight.geometry import points_box
from gensight.readers.annotated.reader import is_described
from gensight.readers.base import Reader
from gensight.readers.deeplabcut.reader import is_project, root_tables
from gensight.readers.faces import is_faces
from gensight.readers.label_files.formats import FORMATS, find_label_files, format_of
from gensight.readers.shared.checking import TURNED
from gensight.readers.shared.label_counts import MOST_SAMPLES, UNLABELLED, look_at_labels
from gensight.readers.shared.listings import MISSING_HINT, below
from gensight.readers.splits import Subset, shared_images
from gensight.samples import Instance, Size
from gensight.verbs.data.coco_files import CocoFile, find_coco_files
from gensight.verbs.data.unread import unread_files

NUM_LOOKED_AT = 200
FEWEST_IMAGES = 8
STRIP = 6  # times as long as wide: several frames side by side, most often


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
        mirror: Each keypoint's left-right partner, see `Skeleton`.
        lacking: Keypoints without any label.
        groups: Videos or other groups that the images belong to, where they are fewer than the images.
        title: What the labels are called, where it isn't the kind of data set.
        notes: What else is worth knowing, one line each: labels that are missing, images in both parts, strips.
        unread: What may be labels and can't be read, and the way out, one line each.
        truths: What the labels hold besides keypoints: `boxes`, `masks`.
        overrides: `data` as `KEY=VALUE` texts, after its kind.
    """

    data: Data
    num_images: int
    image_size: Size | None = None
    subject_size: tuple[float, float] | None = None
    num_subjects: int = 0
    keypoints: tuple[str, ...] = ()
    mirror: tuple[int, ...] = ()
    lacking: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    title: str = ""
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    truths: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()

    @property
    def labelled(self) -> bool:
        return bool(self.keypoints)


def survey(place: Path) -> Survey:
    """Looks at a folder, a video file or a label file.

    Raises:
        ConfigError: If nothing there can be read.
        DataError: If the labels are there but wrong.
    """
    place = place.expanduser()
    if place.is_file() and place.suffix.lower() in VIDEO_SUFFIXES:
        return Survey(load_data("video", [text_override("path", place), "step=5"]), 1)
    if place.is_file() and (name := format_of(place)) is not None:
        return _tool(place, name)
    if not place.is_dir():
        what = "is neither a folder, a video nor a label file" if place.exists() else "there is no such folder"
        raise ConfigError(what, where=place, hint="name the folder that holds your images or labels")
    if is_project(place):
        title = "DeepLabCut" if (place / "labeled-data").is_dir() and not root_tables(place) else "lightning-pose"
        return _labelled("deeplabcut", [text_override("root", place)], title, _others(find_label_files(place)))
    if is_described(place):
        return _labelled("annotated", [text_override("root", place)], "labels of `gensight annotate`")
    if is_faces(place):
        advice = "landmarks learned without labels can be scored on them: gensight landmarks fit-keypoints RUN faces "
        source = shlex.quote(f"root={place}")
        return _labelled("faces", [text_override("root", place)], "faces with 68 points", [advice + source])
    files, lost = find_coco_files(place)
    known = {file.annotations for file in files}
    if any(file.has_keypoints for file in files):
        chosen = [file for file in files if file.has_keypoints]
        return _labelled("coco", _coco(place, chosen), "COCO json", (*lost, *_others(find_label_files(place))))
    found = _best(place)
    if files and not (found and found.labelled):
        found = _labelled("coco", _coco(place, files), "COCO json")
    found = found or _unlabelled(place)
    return replace(found, unread=(*lost, *([] if found.labelled else unread_files(place, known))))


def _best(root: Path) -> Survey | None:
    """Of the formats of tools the one with keypoints, and then with the most images; the others are named."""
    files = find_label_files(root)
    surveys: dict[str, Survey] = {}
    wrong: list[DataError] = []
    for name in files:
        try:
            surveys[name] = _tool(root, name)
        except DataError as error:
            wrong.append(error)
    if wrong and not any(one.labelled for one in surveys.values()):
        raise wrong[0]
    if not surveys:
        return None
    best = max(surveys, key=lambda name: (surveys[name].labelled, surveys[name].num_images))
    others = _others({name: some for name, some in files.items() if name != best})
    return replace(surveys[best], notes=(*surveys[best].notes, *others))


def _others(files: Mapping[str, Sequence[Path]]) -> list[str]:
    """A line for each format whose files are not read, since another one is."""
    return [
        f"also here, and not read: {len(paths)} files of {FORMATS[name].title}, such as {paths[0]}; to read them "
        f"instead, name the file or its folder, or set data.kind={name}"
        for name, paths in files.items()
    ]


def _tool(root: Path, name: str) -> Survey:
    """A survey of one tool's label files."""
    return _labelled(name, [text_override("root", root)], FORMATS[name].title)


# --- COCO


def _coco(root: Path, files: list[CocoFile]) -> list[str]:
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
        else:
            overrides.append(f"{part}=null")
    return overrides


# --- measuring


def _labelled(kind: str, overrides: list[str], title: str = "", notes: Sequence[str] = ()) -> Survey:
    data = load_data(kind, overrides)
    try:
        splits = build_readers(undivided(data))
    except DataError as error:
        if error.hint != MISSING_HINT:
            raise
        overrides.append("missing=drop")  # images that are not there are left out and counted
        data = load_data(kind, overrides)
        try:
            splits = build_readers(undivided(data))
        except DataError as nothing:
            hint = "put the images where the labels name them, or below the folder under the same names"
            raise DataError(nothing.what, where=nothing.where, hint=hint) from error
    reader = splits.train
    own = getattr(_inner(reader), "parts", {})
    if {"train", "val"} <= set(own):
        overrides += ["split.kind=videos", f"split.test=[{'test' if 'test' in own else 'val'}]"]
        data = load_data(kind, overrides)
    measures = _Measures()
    for part in splits.parts:
        measures.look(part)
    if not measures.subjects:
        raise DataError("the labels hold no keypoints, boxes or masks", where=reader.folder, hint="label some first")
    groups = sorted({group for part in splits.parts for group in part.groups})
    num_images = sum(len(part) for part in splits.parts)
    num_labelled = num_images - measures.empty if len(measures.sizes) == num_images else num_images
    if num_labelled < FEWEST_IMAGES:
        what = f"only {counted(num_labelled, 'labelled image')}: some must train, some validate, some be scored"
        more = f"; {measures.pages_note}" if measures.paged else ""
        raise DataError(what, where=reader.folder, hint=f"label at least {FEWEST_IMAGES}{more}")
    skeleton = reader.skeleton
    found = Survey(
        data,
        num_images,
        _median_size(measures.sizes),
        (float(np.median([height for height, _ in measures.subjects])),
         float(np.median([width for _, width in measures.subjects]))),
        max(measures.counts),
        title=title,
        notes=tuple(notes),
        truths=tuple(measures.truths),
        overrides=tuple(overrides),
        groups=tuple(groups) if len(groups) < num_images else (),
    )  # fmt: skip
    counts, lines = look_at_labels(reader)
    if skeleton is not None and any(measures.labelled.values()):
        whole = len(reader) <= MOST_SAMPLES and len(splits.parts) == 1
        lacking = counts.unlabelled if whole else ()
        found = replace(found, keypoints=skeleton.keypoints, mirror=skeleton.mirror, lacking=lacking)
    # `_notes` names the keypoints that nobody labelled.
    odd = [f"warning: {line}" for line in lines if not line.startswith(UNLABELLED)]
    return replace(found, notes=(*_notes(found, splits, measures), *odd, *found.notes))


def _inner(reader: Reader) -> Reader:
    return getattr(reader, "reader", reader)


class _Measures:
    """Sizes and numbers of images and subjects, of samples evenly spaced over the readers."""

    def __init__(self) -> None:
        self.sizes: list[Size] = []
        self.subjects: list[tuple[float, float]] = []
        self.counts: list[int] = []
        self.labelled: dict[str, int] = {}  # keypoint -> how often it is located
        self.truths: dict[str, None] = {}
        self.num_subjects = self.empty = self.turned = 0
        self.paged: dict[str, int] = {}  # image file -> its pages, where it has several

    @property
    def pages_note(self) -> str:
        name, count = next(iter(self.paged.items()))
        return (
            f"of {Path(name).name}, which has {count} pages, only the first is labelled: a csv with the columns image, "
            "frame (the page, from 0), keypoint, x, y labels others"
        )

    def look(self, reader: Reader) -> None:
        if reader.skeleton is not None:
            self.labelled = {name: self.labelled.get(name, 0) for name in reader.skeleton.keypoints}
        for index in range(0, len(reader), max(1, len(reader) // NUM_LOOKED_AT)):
            sample = reader[index]
            self.sizes.append(sample.size)
            if sample.path is not None:
                self.turned += is_turned(sample.path)
                if (pages := len(page_seconds(sample.path, all_pages=True))) > 1:
                    self.paged[sample.path] = pages
            instances = [one for one in sample.instances or () if not one.is_crowd]
            found = [size for one in instances if (size := _subject_size(one))]
            self.subjects += found
            self.counts.append(len(found))
            self.num_subjects += len(instances)
            self.empty += not instances
            for one in instances:
                self._instance(one)

    def _instance(self, instance: Instance) -> None:
        known = {"boxes": instance.box, "masks": instance.mask}
        self.truths |= dict.fromkeys(name for name, value in known.items() if value is not None)
        if instance.keypoints is not None:
            for index in np.flatnonzero(instance.keypoints.located):
                name = instance.keypoints.skeleton.keypoints[index]
                self.labelled[name] = self.labelled.get(name, 0) + 1


def _notes(found: Survey, splits: Splits, measures: _Measures) -> list[str]:
    """What `init` prints besides what it read."""
    looked = len(measures.sizes)
    of = f" of the {looked} images that were looked at" if looked < found.num_images else ""
    points = sum(measures.labelled.values())
    with_points = f" with {counted(points, 'point')}" if points else ""
    lines = [f"labelled: {counted(measures.num_subjects, 'subject')}{with_points}{of}"]
    if measures.empty:
        lines.append(f"without a label: {counted(measures.empty, 'image')}{of}")
    lacking = [name for name, count in measures.labelled.items() if count == 0]
    if found.lacking:
        lines.append(f"nobody labelled {', '.join(found.lacking)}: left out by data.keypoints")
    elif lacking and found.keypoints:
        lines.append(f"nobody labelled {', '.join(lacking)}" + (f" in any{of}" if of else ""))
    for part in splits.parts:
        lines += [f"{reason}: {count}, left out (data.missing: drop)" for reason, count in part.dropped.items()]
        lines += [f"{one.level}: {one.what} ({one.where})" for one in _inner(part).findings()]
    own = getattr(_inner(splits.train), "parts", {})
    twice = shared_images([Subset(_inner(splits.train), one) for one in own.values()] or splits.parts)
    if twice:
        shown = ", ".join(twice[:3]) + (" ..." if len(twice) > 3 else "")
        lines.append(f"in more than one part, so that scores would be too good: {len(twice)} images: {shown}")
    lines += [f"note: {counted(measures.turned, 'image')} {TURNED}"] if measures.turned else []
    lines += [f"note: {measures.pages_note}"] if measures.paged else []
    return [*lines, *_strips(measures.sizes, labelled=True)]


def _strips(sizes: Sequence[Size], labelled: bool = False) -> list[str]:
    """A line about images that are several times as long as wide."""
    long = [size for size in sizes if max(size) >= STRIP * min(size)]
    if not long:
        return []
    height, width = long[0]
    count = round(max(height, width) / min(height, width))
    untile, row = (f"{count}x1", "row") if width > height else (f"1x{count}", "column")
    line = f"{len(long)} of {len(sizes)} images are strips, such as {height} x {width} px (height x width)"
    if labelled:
        return [f"{line}: the recipe keeps their shape; if each is several frames, cut them and label the frames"]
    return [
        f"{line}: if they are frames in a {row}, for example {count} of them, cut them first: "
        f"ffmpeg -i STRIP -vf untile={untile} frame%03d.png"
    ]


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
    images, videos = (len(below(root, suffixes)) for suffixes in (IMAGE_SUFFIXES, VIDEO_SUFFIXES))
    if images:
        overrides = [text_override("root", root)]
        data, measures = load_data("folder", overrides), _Measures()
        measures.look(build_readers(data).train)
        return Survey(data, images, _median_size(measures.sizes), notes=tuple(_strips(measures.sizes)))
    if videos:
        return Survey(load_data("videos", [text_override("root", root), "step=5"]), videos)
    seen = unread_files(root)
    raise ConfigError(
        "nothing here that gensight can read: no DeepLabCut project, no labels of the formats that it knows, no "
        "images, no videos" + (f"; {'; '.join(seen)}" if seen else ""),
        where=root,
        hint="name the folder that holds them; `gensight datasets list` shows the formats",
    )
