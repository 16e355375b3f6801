"""PASCAL VOC -> one COCO instances file that names VOC's own images, which stay where they are."""

from pathlib import Path
from typing import Any, Literal

from gensight.files.atomic import write_json
from gensight.files.progress import progress
from gensight.readers.coco.writer import annotation
from gensight.readers.voc.reader import VocReader
from gensight.readers.voc.xml import VocFlags
from gensight.samples import Instance

Task = Literal["Main", "Segmentation"]
Difficult = Literal["keep", "ignore", "drop"]
FLAGS = ("difficult", "truncated", "occluded")


def voc_to_coco(
    root: str | Path,
    out: str | Path,
    part: str = "trainval",
    task: Task = "Main",
    difficult: Difficult = "keep",
) -> tuple[int, int]:
    """Writes the objects of one list of a VOC folder as a COCO instances file, atomically.

    Boxes become continuous ones (VOC's first pixel is 1, and its boxes include their last pixel), masks compressed
    runs, for images in SegmentationObject; `area` is the mask's, else the box's. Images are numbered from 1 in the
    order of the list and named as in JPEGImages, categories from 1 in VOC's order. Attributes that COCO lacks are kept
    beside its own fields: `difficult`, `truncated` and `occluded` (0 or 1), and `pose` where the annotation has one.

    Args:
        root: The folder that holds JPEGImages, such as `VOCdevkit/VOC2012`.
        out: The json file.
        part: The list: `train`, `val`, `trainval`, or any other.
        task: Folder of the lists: `Main`, or `Segmentation` for images that have masks.
        difficult: Objects that VOC's evaluation ignores: `keep` them as ordinary ones; `ignore`: mark them `iscrowd`,
            which COCO's evaluation ignores and training leaves out; or `drop` them.

    Returns:
        The numbers of images and of annotations.

    Raises:
        DataError: Naming the file and the row or object that is wrong.
    """
    reader = VocReader(root, part, task=task)
    numbers = {name: number for number, name in enumerate(reader.categories, start=1)}
    images: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    for sample in progress(reader, len(reader), "convert"):
        assert sample.path is not None  # VOC's images are files
        height, width = sample.size
        images.append({"id": len(images) + 1, "file_name": Path(sample.path).name, "height": height, "width": width})
        for instance, flags in zip(sample.instances or (), sample.extras["voc_flags"], strict=True):
            if flags.difficult and difficult == "drop":
                continue
            ids = {"id": len(entries) + 1, "image_id": len(images), "category_id": numbers[instance.category]}
            entries.append(_annotation(instance, flags, difficult == "ignore") | ids)
    value = {
        "info": {"description": f"PASCAL VOC, ImageSets/{task}/{part}.txt"},
        "images": images,
        "annotations": entries,
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
    }
    write_json(out, value)
    return len(images), len(entries)


def _annotation(instance: Instance, flags: VocFlags, ignore: bool) -> dict[str, Any]:
    more = {"iscrowd": int(ignore and flags.difficult), **{name: int(getattr(flags, name)) for name in FLAGS}}
    return annotation(instance) | more | ({"pose": flags.pose} if flags.pose else {})
