"""ADE20K: SceneParsing with 150 classes, and the full data set of 2021.

SceneParsing (ADEChallengeData2016): images/{training,validation}/NAME.jpg, annotations/{training,validation}/NAME.png
(0 ignored, 1 to 150 the rows of objectInfo150.txt), sceneCategories.txt. The full layout (ADE20K_2021_17_01):
images/ADE/{training,validation}/KIND/SCENE/NAME.{jpg,json}, NAME_seg.png (class = red // 10 * 256 + green) and
NAME/instance_*.png (255 seen, 128 hidden). Its index is a pickle, which isn't read; the json files hold the same.
"""

from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from gensight.errors import DataError
from gensight.files.images import image_size, read_image
from gensight.files.strangers import decode_json
from gensight.geometry import clip_box
from gensight.readers.base import Reader
from gensight.readers.shared.class_maps import SEGMENTATION, ClassMap
from gensight.readers.shared.label_maps import LabelMask, read_label_map
from gensight.readers.shared.listings import (
    Missing,
    files_by_stem,
    image_sample,
    keep_present,
    read_list,
    read_text,
    require_folder,
)
from gensight.samples import Array, Instance, Sample, Size

UNLABELLED = "unlabelled"
_OBJECTS, _SCENES = "objectInfo150.txt", "sceneCategories.txt"
_SEEN = 255


class SceneParsingReader(Reader):
    """The images of one part, with the class of every pixel (150 classes) and the kind of scene as `Sample.label`.

    Keys are names without suffix. `categories` are the first names in objectInfo150.txt, `synonyms` the others;
    `Sample.extras["segmentation"]` is a `ClassMap` whose 0 is ignored.

    Args:
        root: The folder, such as ADEChallengeData2016.
        part: `training` or `validation`.
        missing: Refuse (`error`) images without an annotation, or leave out and count (`drop`).

    Raises:
        DataError: Naming the file and row that is wrong.
    """

    name = "ade20k"

    def __init__(self, root: str | Path, part: str = "training", *, missing: Missing = "error") -> None:
        self.root, self._part = Path(root), part
        images = self.root / "images" / part
        require_folder(images, "folder of the images", "name the folder that holds images and annotations")
        names = _class_names(self.root / _OBJECTS)
        self.categories = tuple(of[0] for of in names)
        self.synonyms = {of[0]: of[1:] for of in names if len(of) > 1}
        self._files = files_by_stem(images)
        labelled = files_by_stem(self.root / "annotations" / part, (".png",))
        self._names, self.dropped = keep_present(
            list(self._files), labelled.__contains__, "annotations", images, missing
        )
        self._scenes = _scenes(self.root / _SCENES)

    def __len__(self) -> int:
        return len(self._names)

    def sample(self, index: int) -> Sample:
        name = self._names[index]
        path = self.root / "images" / self._part / self._files[name]
        size = image_size(path)
        numbers = partial(read_label_map, self.root / "annotations" / self._part / f"{name}.png", size)
        extras = {SEGMENTATION: ClassMap(numbers, (UNLABELLED, *self.categories), (0,))}
        return image_sample(name, path, size, label=self._scenes.get(name), extras=extras)

    def group(self, index: int) -> str:
        return self._names[index]


def _class_names(path: Path) -> list[tuple[str, ...]]:
    """Names of each class, the usual one first, in the order of their numbers."""
    found: list[tuple[str, ...]] = []
    for row, line in enumerate(read_list(path), start=1):
        columns = line.split("\t")
        if columns[0].strip().lower() == "idx":
            continue
        names = tuple(dict.fromkeys(name.strip() for name in columns[-1].split(",") if name.strip()))
        if len(columns) < 2 or columns[0].strip() != str(len(found) + 1) or not names:
            hint = "rows are a number, shares and counts, and names, separated by tabs"
            raise DataError(f"no row of class {len(found) + 1}: {line}", where=f"{path}, row {row}", hint=hint)
        found.append(names)
    return _distinct(dict(enumerate(found, start=1)))


def _scenes(path: Path) -> dict[str, str]:
    """Name of image -> kind of scene; {} without the file."""
    if not path.is_file():
        return {}
    pairs = (line.split() for line in read_text(path).splitlines() if line.strip())
    return {words[0]: words[-1].replace("_", " ") for words in pairs}


class _Parts(msgspec.Struct):
    part_level: int = 0


class _Object(msgspec.Struct):
    id: int
    name: str
    name_ndx: int
    instance_mask: str = ""
    parts: _Parts = msgspec.field(default_factory=_Parts)
    polygon: dict[str, list[float]] = msgspec.field(default_factory=dict)


class _Annotation(msgspec.Struct):
    filename: str
    imsize: list[int]
    scene: list[str] = []
    object: list[_Object] = []


class _File(msgspec.Struct):
    annotation: _Annotation


def _read_classes(path: Path, size: Size, numbers: tuple[int, ...]) -> Array:
    """NAME_seg.png -> places of the classes in `numbers` (of the data set, rising) from 1, 0 unlabelled."""
    picture = read_image(path)
    if picture.shape[:2] != size:
        raise DataError(f"the class map is {picture.shape[:2]}, its image {size}", where=path)
    classes = picture[..., 0].astype(np.int32) // 10 * 256 + picture[..., 1]
    place = np.searchsorted(numbers, classes)
    known = np.take(np.array([*numbers, -1]), place) == classes
    return np.where(known & (classes > 0), place + 1, 0).astype(np.int32)


class Ade20kReader(Reader):
    """The images of one part of the full data set: objects with masks, the class of every pixel, the kind of scene.

    Keys are paths without suffix (`urban/street/ADE_train_00016869`). Objects that are parts of others are left out;
    masks show what is seen of an object. `categories` are the first names of the classes that this part shows as
    objects, `synonyms` their other names.

    Args:
        root: The folder, such as ADE20K_2021_17_01.
        part: `training` or `validation`.

    Raises:
        DataError: Naming the file that is wrong.
    """

    name = "ade20k"

    def __init__(self, root: str | Path, part: str = "training") -> None:
        self.root = Path(root)
        self._images = self.root / "images" / "ADE" / part
        require_folder(self._images, "folder of the images", "name the folder that holds images/ADE")
        paths = sorted(path for path in self._images.rglob("*.json") if not path.name.startswith("."))
        self._entries = [(path.relative_to(self._images).with_suffix("").as_posix(), _read(path)) for path in paths]
        if not self._entries:
            raise DataError("the folder holds no annotation", where=self._images, hint="was it unpacked completely?")
        names: dict[int, tuple[str, ...]] = {}
        for _, entry in self._entries:
            for one in _wholes(entry):
                names.setdefault(one.name_ndx, tuple(name.strip() for name in one.name.split(",")))
        self._numbers = tuple(sorted(names))
        distinct = _distinct({number: names[number] for number in self._numbers})
        self.categories = tuple(of[0] for of in distinct)
        self.synonyms = {of[0]: of[1:] for of in distinct if len(of) > 1}
        self._names = dict(zip(self._numbers, self.categories, strict=True))

    def __len__(self) -> int:
        return len(self._entries)

    def sample(self, index: int) -> Sample:
        key, entry = self._entries[index]
        path = self._images / key
        size = (entry.imsize[0], entry.imsize[1])
        colours = partial(_read_classes, path.with_name(f"{path.name}_seg.png"), size, self._numbers)
        return image_sample(
            key,
            path.with_name(entry.filename),
            size,
            path.with_suffix(".json"),
            instances=tuple(self._instance(one, path.parent, size) for one in _wholes(entry)),
            label=entry.scene[-1] if entry.scene else None,
            extras={SEGMENTATION: ClassMap(colours, (UNLABELLED, *self.categories), (0,))},
        )

    def _instance(self, one: _Object, folder: Path, size: Size) -> Instance:
        x, y = one.polygon.get("x", []), one.polygon.get("y", [])
        box = clip_box(np.array([min(x), min(y), max(x) + 1, max(y) + 1]), size) if x and y else None
        mask = LabelMask(folder / one.instance_mask, size, _SEEN) if one.instance_mask else None
        return Instance(category=self._names[one.name_ndx], box=box, mask=mask, id=one.id)

    def group(self, index: int) -> str:
        return self._entries[index][0]


def _read(path: Path) -> _Annotation:
    data = path.read_bytes()
    try:
        data.decode()
    except UnicodeDecodeError:
        data = data.decode("latin-1").encode()  # a few of the data set's files are not UTF-8
    try:
        entry = decode_json(data, _File, strict=False).annotation
    except msgspec.MsgspecError as error:
        raise DataError(f"no annotation of ADE20K: {error}", where=path, hint="was the file cut short?") from error
    if len(entry.imsize) < 2 or min(entry.imsize[:2]) < 1:
        raise DataError(f"no image size: {entry.imsize}", where=path)
    named = [entry.filename, *(one.instance_mask for one in entry.object)]
    if any(".." in Path(name).parts or Path(name).is_absolute() for name in named):
        raise DataError("the annotation names a file outside of its folder", where=path)
    return entry


def _wholes(entry: _Annotation) -> list[_Object]:
    return [one for one in entry.object if one.parts.part_level == 0]


def _distinct(names: dict[int, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Each number's names, the first one such that no earlier number has it: a few classes share their first name."""
    taken: set[str] = set()
    distinct = []
    for number, of in names.items():
        first = next((name for name in of if name not in taken), f"{of[0]} ({number})")
        taken.add(first)
        distinct.append((first, *(name for name in of if name != first)))
    return distinct
