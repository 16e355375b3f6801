"""Samples -> a PASCAL VOC folder, which `VocReader` and other tools read."""

from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import write_text
from gensight.files.images import write_image
from gensight.geometry import points_box
from gensight.readers.shared.label_maps import mask_box, write_label_map
from gensight.readers.shared.listings import plain_names
from gensight.readers.voc.reader import VOC_CLASSES
from gensight.readers.voc.xml import VocFlags
from gensight.samples import Array, Instance, Sample

_LISTS = "ImageSets/Main"


def write_voc(samples: Iterable[Sample], root: str | Path, part: str = "train", image_suffix: str = ".jpg") -> None:
    """Writes one part of a VOC folder: images, annotations, masks where there are some, and its lists.

    A second call with another part adds to the folder; `trainval` lists `train` and `val`. Kept are boxes (the extent
    of the mask or keypoints where there is none), head boxes, masks (where two overlap, the later object's), and the
    flags in `Sample.extras["voc_flags"]`. Objects without any place are left out. Classes that VOC doesn't know get
    numbers above 20 in SegmentationClass.

    Args:
        samples: At least one; their keys name the files.
        root: The folder.
        part: Name of the list.
        image_suffix: `.jpg`, as VOC has it, or `.png`, which keeps pixels exactly.

    Raises:
        DataError: There is no sample, or two would have the same name.
    """
    root, samples = Path(root), list(samples)
    names = plain_names(samples)
    shown: dict[str, set[str]] = {}
    masked = []
    classes = list(VOC_CLASSES)
    for name, sample in zip(names, samples, strict=True):
        write_image(root / "JPEGImages" / f"{name}{image_suffix}", sample.image())
        objects = _objects(sample)
        write_text(root / "Annotations" / f"{name}.xml", _annotation(f"{name}{image_suffix}", sample, objects))
        shown[name] = {one.category for one, _, _ in objects}
        classes += sorted(shown[name] - set(classes))
        if any(one.mask is not None for one, _, _ in objects):
            masked.append(name)
            _write_maps(root, name, sample, [one for one, _, _ in objects], classes)
    _write_lists(root, part, names, shown)
    if masked:
        write_text(root / "ImageSets/Segmentation" / f"{part}.txt", _lines(masked))


def _objects(sample: Sample) -> list[tuple[Instance, Array, VocFlags]]:
    """The instances that have a place, with their boxes and flags."""
    instances = sample.instances or ()
    flags = sample.extras.get("voc_flags") or (VocFlags(),) * len(instances)
    found = []
    for one, flag in zip(instances, flags, strict=True):
        box = one.box
        if box is None and one.mask is not None:
            box = mask_box(one.mask())
        if box is None and one.keypoints is not None and one.keypoints.located.any():
            box = points_box(one.keypoints.points)
        if box is not None:
            found.append((one, box, flag))
    return found


def _annotation(file_name: str, sample: Sample, objects: list[tuple[Instance, Array, VocFlags]]) -> str:
    height, width = sample.size
    lines = [
        "<annotation>",
        f"  <filename>{escape(file_name)}</filename>",
        f"  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>",
        f"  <segmented>{int(any(one.mask is not None for one, _, _ in objects))}</segmented>",
    ]
    for one, box, flags in objects:
        head = "" if one.head_box is None else f"<part><name>head</name>{_box(one.head_box)}</part>"
        lines += [
            f"  <object><name>{escape(one.category)}</name><pose>{escape(flags.pose) or 'Unspecified'}</pose>",
            f"    <truncated>{int(flags.truncated)}</truncated><occluded>{int(flags.occluded)}</occluded>",
            f"    <difficult>{int(flags.difficult)}</difficult>{_box(box)}{head}</object>",
        ]
    return "\n".join([*lines, "</annotation>", ""])


def _box(box: Array) -> str:
    edges = zip(("xmin", "ymin", "xmax", "ymax"), (box + np.array([1, 1, 0, 0])).tolist(), strict=True)
    return "<bndbox>" + "".join(f"<{name}>{value:.17g}</{name}>" for name, value in edges) + "</bndbox>"


def _write_maps(root: Path, name: str, sample: Sample, instances: list[Instance], classes: list[str]) -> None:
    """SegmentationObject and SegmentationClass of an image."""
    if len(instances) > 254 or len(classes) > 254:
        raise DataError("VOC's masks have room for 254 objects and classes", where=sample.key)
    numbers, kinds = np.zeros(sample.size, np.uint8), np.zeros(sample.size, np.uint8)
    for number, one in enumerate(instances, start=1):
        if one.mask is not None:
            mask = one.mask()
            numbers[mask], kinds[mask] = number, classes.index(one.category) + 1
    write_label_map(root / "SegmentationObject" / f"{name}.png", numbers)
    write_label_map(root / "SegmentationClass" / f"{name}.png", kinds)


def _write_lists(root: Path, part: str, names: list[str], shown: dict[str, set[str]]) -> None:
    """PART.txt and CLASS_PART.txt, and trainval.txt of the halves that are there."""
    folder = root / _LISTS
    write_text(folder / f"{part}.txt", _lines(names))
    for category in sorted(set().union(*shown.values())):
        rows = [f"{name} {1 if category in shown[name] else -1:2d}" for name in names]
        write_text(folder / f"{category}_{part}.txt", _lines(rows))
    halves = [folder / f"{half}.txt" for half in ("train", "val")]
    if part in ("train", "val"):
        texts = [half.read_text(encoding="utf-8") for half in halves if half.is_file()]
        write_text(folder / "trainval.txt", "".join(texts))


def _lines(rows: list[str]) -> str:
    return "".join(f"{row}\n" for row in rows)
