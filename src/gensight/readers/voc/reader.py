"""PASCAL VOC 2012: boxes of 20 classes, heads, and masks where there are some.

The layout: JPEGImages/NAME.jpg, Annotations/NAME.xml, ImageSets/Main/PART.txt (names) and CLASS_PART.txt (names and
-1, 0 or 1), SegmentationClass/NAME.png and SegmentationObject/NAME.png. VOC counts pixels from 1 and its boxes include
their last pixel, so 1 is taken from their first edges.
"""

from functools import partial
from pathlib import Path
from typing import Literal

from gensight.errors import DataError
from gensight.files.images import image_size
from gensight.readers.base import Reader
from gensight.readers.shared.class_maps import BACKGROUND, SEGMENTATION, ClassMap
from gensight.readers.shared.label_maps import LabelMask, read_label_map
from gensight.readers.shared.listings import (
    Missing,
    files_by_stem,
    image_sample,
    keep_present,
    read_list,
    require_folder,
)
from gensight.readers.voc.xml import VocObject, read_annotation
from gensight.samples import Instance, Sample

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


class VocReader(Reader):
    """The images of one list of a VOC folder, and their objects.

    Keys are names without suffix (`2007_000027`); images may be PNG as well. `Instance.mask` is there for images in
    SegmentationObject (VOC numbers objects as the annotation lists them; the white rim of 255 belongs to none),
    `head_box` where the annotation has a part of that name. `Sample.extras` holds
    - `voc_flags`: a `VocFlags` for each instance: difficult, truncated, occluded, pose;
    - `segmentation`: for images in SegmentationClass, a `ClassMap`: 0 background, 1 to 20 the classes of `VOC_CLASSES`,
      255 nobody's.

    Args:
        root: The folder that holds JPEGImages, such as `VOCdevkit/VOC2012`.
        part: The list: `train`, `val`, `trainval`, or any other.
        task: Folder of the lists: `Main`, or `Segmentation` for images that have masks.
        missing: Refuse (`error`) listed images or annotations that are not there, or leave out and count (`drop`).

    Raises:
        DataError: Naming the file and the row or object that is wrong.
    """

    name = "voc"

    def __init__(
        self,
        root: str | Path,
        part: str = "trainval",
        task: Literal["Main", "Segmentation"] = "Main",
        *,
        missing: Missing = "error",
    ) -> None:
        self.root = Path(root)
        hint = "name the folder that holds it, such as VOCdevkit/VOC2012"
        require_folder(self.root / "JPEGImages", "folder of the images", hint)
        source = self.root / "ImageSets" / task / f"{part}.txt"
        names = _distinct(read_list(source), source)
        self._files = files_by_stem(self.root / "JPEGImages")
        names, absent = keep_present(names, self._files.__contains__, "images", source, missing)
        labelled = set(files_by_stem(self.root / "Annotations", (".xml",)))
        names, unlabelled = keep_present(names, labelled.__contains__, "annotations", source, missing)
        self.dropped = absent | unlabelled
        self._names = names
        self._files = {name: self._files[name] for name in names}
        self._annotations = {name: read_annotation(self.root / "Annotations" / f"{name}.xml") for name in names}
        self.categories = self._categories()
        self._masked = self._with_maps("SegmentationObject")
        self._segmented = self._with_maps("SegmentationClass")
        others: dict[str, None] = {}  # numbered in the order in which images bring them, as `write_voc` does
        for annotation in self._annotations.values():
            others |= dict.fromkeys(sorted({one.name for one in annotation.objects} - {*VOC_CLASSES, *others}))
        self._class_names = (BACKGROUND, *VOC_CLASSES, *others)

    def _categories(self) -> tuple[str, ...]:
        """VOC's own classes, if there are no others."""
        found = {one.name for annotation in self._annotations.values() for one in annotation.objects}
        return VOC_CLASSES if found <= set(VOC_CLASSES) else tuple(sorted(found))

    def _with_maps(self, folder: str) -> frozenset[str]:
        return frozenset(files_by_stem(self.root / folder, (".png",))) & frozenset(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def sample(self, index: int) -> Sample:
        name = self._names[index]
        annotation = self._annotations[name]
        path = self.root / "JPEGImages" / self._files[name]
        source = self.root / "Annotations" / f"{name}.xml"
        size = annotation.size or image_size(path)
        extras: dict[str, object] = {"voc_flags": tuple(one.flags for one in annotation.objects)}
        if name in self._segmented:
            numbers = partial(read_label_map, self.root / "SegmentationClass" / f"{name}.png", size)
            extras[SEGMENTATION] = ClassMap(numbers, self._class_names)
        instances = tuple(self._instance(name, number, one, size) for number, one in enumerate(annotation.objects, 1))
        return image_sample(name, path, size, source, instances=instances, extras=extras)

    def _instance(self, name: str, number: int, one: VocObject, size: tuple[int, int]) -> Instance:
        mask = None
        if name in self._masked:
            mask = LabelMask(self.root / "SegmentationObject" / f"{name}.png", size, number)
        return Instance(category=one.name, box=one.box.copy(), head_box=one.head_box, mask=mask)

    def group(self, index: int) -> str:
        return self._names[index]


def _distinct(names: list[str], path: Path) -> list[str]:
    """The names, first words of their rows; refused if one comes twice."""
    first = [name.split()[0] for name in names]
    seen: set[str] = set()
    for row, name in enumerate(first, start=1):
        if name in seen:
            raise DataError(f"`{name}` is listed twice", where=f"{path}, row {row}", hint="list every image once")
        seen.add(name)
    return first
