"""YOLO's text files: a line of shares of the image's sides per subject - a box, a box and keypoints, or an outline."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from gensight.errors import DataError
from gensight.files.images import IMAGE_SUFFIXES
from gensight.readers.label_files.records import LabelledImage, LabelledSubject, LabelSet, number
from gensight.readers.shared.listings import below, read_text
from gensight.samples import Visibility
from gensight.skeletons import numbered_names

LARGEST_SHARE = 2.0  # beyond it, the numbers are pixels
_NO_LABELS = {"classes.txt", "obj.names", "notes.txt", "train.txt", "val.txt", "test.txt", "requirements.txt"}
_FLAGS = {0: Visibility.UNLABELLED, 1: Visibility.OCCLUDED, 2: Visibility.VISIBLE}


def is_yolo(path: Path) -> bool:
    """Whether a text file begins with a class number and shares."""
    if path.name.lower() in _NO_LABELS:
        return False
    try:
        with path.open(encoding="utf-8") as file:
            words = next((line.split() for line in file if line.strip()), [])
        values = [float(word) for word in words]
    except (OSError, ValueError):
        return False
    return len(values) >= 5 and values[0].is_integer() and values[0] >= 0 and all(abs(v) <= 1e4 for v in values[1:])


def read_yolo(root: Path, files: Sequence[Path]) -> LabelSet:
    """All images that have a label file, and those of folders with label files that have none: nothing is in them.

    `data.yaml` (or `dataset.yaml`) names classes, keypoints (`kpt_shape`, `kpt_names`, `flip_idx`) and parts.
    """
    settings = _settings(root)
    shape = settings.get("kpt_shape") or _keypoint_shape(files)
    names = _keypoint_names(settings, shape)
    images, folders = [], {path.parent for path in files}
    for name in below(root, IMAGE_SUFFIXES):
        stem = name.rpartition(".")[0]
        candidates = [stem, *(_swapped(stem, place) for place in range(stem.count("/") + 1))]
        paths = [root / f"{one}.txt" for one in candidates]
        path = next((one for one in paths if one.parent in folders and one.is_file()), None)
        if path is None and not any(one.parent in folders for one in paths[1:]):
            continue
        subjects = () if path is None else _subjects(path, settings, shape, names)
        source = path or root / name
        images.append(LabelledImage(name, source, subjects, fractions=True, part=_part(name, settings)))
    partners = settings.get("flip_idx")
    partners = {names[i]: names[j] for i, j in enumerate(partners or ())} if _is_flip(partners, names) else None
    return LabelSet(images, tuple(names), partners=partners)


def _swapped(stem: str, place: int) -> str:
    """A path whose folder `images` at a place is called `labels`."""
    parts = stem.split("/")
    return "/".join("labels" if i == place and part == "images" else part for i, part in enumerate(parts))


def _is_flip(partners: Any, names: Sequence[str]) -> bool:
    return isinstance(partners, list) and sorted(map(str, partners)) == sorted(map(str, range(len(names))))


def _settings(root: Path) -> dict[str, Any]:
    """`data.yaml`, with `names` as a list of texts by number."""
    settings: Any = {}
    paths = [path for path in sorted(root.glob("*.y*ml")) if path.suffix in (".yaml", ".yml")]
    for path in paths:
        try:
            settings = yaml.safe_load(read_text(path))
        except (yaml.YAMLError, RecursionError) as error:
            raise DataError(f"not valid YAML: {' '.join(str(error).split())}", where=path) from error
        if isinstance(settings, dict) and "names" in settings:
            break
        settings = {}
    names = settings.get("names")
    if isinstance(names, Mapping):
        settings["names"] = {int(key): str(value) for key, value in names.items() if str(key).isdecimal()}
    elif isinstance(names, list):
        settings["names"] = dict(enumerate(map(str, names)))
    else:
        lists = [path for name in ("classes.txt", "labels/classes.txt", "obj.names") if (path := root / name).is_file()]
        settings["names"] = dict(enumerate(read_text(lists[0]).split("\n"))) if lists else {}
    shape = settings.get("kpt_shape")
    if shape is not None and not (isinstance(shape, list) and len(shape) == 2 and shape[1] in (2, 3)):
        raise DataError(f"`kpt_shape` is {shape}", where=root, hint="write [number of keypoints, 2 or 3]")
    return settings


def _keypoint_shape(files: Sequence[Path]) -> list[int] | None:
    """Number of keypoints, and numbers of each, as lines alone show it: all as long, and each third number a flag."""
    lengths, flags = set(), set[str]()
    for path in files[:50]:
        for words in (line.split() for line in read_text(path).splitlines() if line.strip()):
            lengths.add(len(words))
            flags |= {word.partition(".")[0] if float(word).is_integer() else word for word in words[7::3]}
    length = lengths.pop() if len(lengths) == 1 else 0
    return [(length - 5) // 3, 3] if length > 5 and (length - 5) % 3 == 0 and flags <= {"0", "1", "2"} else None


def _keypoint_names(settings: Mapping[str, Any], shape: Sequence[int] | None) -> list[str]:
    if shape is None:
        return []
    known = settings.get("kpt_names") or settings.get("keypoint_names")
    if isinstance(known, Mapping):
        known = next(iter(known.values()), None)
    if isinstance(known, list) and len(known) == shape[0]:
        return [str(name) for name in known]
    return list(numbered_names(shape[0]))


def _part(name: str, settings: Mapping[str, Any]) -> str:
    for part in ("train", "val", "test"):
        folders = settings.get(part)
        for folder in [folders] if isinstance(folders, str) else folders or ():
            end = str(folder).replace("\\", "/").removeprefix("./").lstrip("./").rstrip("/")
            if end and f"/{end}/" in f"/{name}":
                return part
    return ""


def _subjects(
    path: Path, settings: Mapping[str, Any], shape: Sequence[int] | None, names: Sequence[str]
) -> tuple[LabelledSubject, ...]:
    found = []
    for line, text in enumerate(read_text(path).splitlines(), start=1):
        if not text.strip():
            continue
        where = f"{path}, line {line}"
        values = [number(word, where, "a word") for word in text.split()]
        category = settings["names"].get(int(values[0]), f"class_{int(values[0])}")
        shares = values[1:]
        far = [share for share in shares if abs(share) > LARGEST_SHARE]
        if far:
            hint = "divide x by the image's width and y by its height"
            raise DataError(f"{far[0]:g} is no share of the image", where=where, hint=hint)
        expected = 4 + shape[0] * shape[1] if shape else None
        if expected and len(shares) in (expected, expected + 1):
            keypoints = _keypoints(shares[4:expected], shape, names)  # type: ignore[arg-type]
            found.append(LabelledSubject(category, keypoints, _box(shares), where=where))
        elif len(shares) in (4, 5):
            found.append(LabelledSubject(category, {}, _box(shares), where=where))
        elif len(shares) >= 6 and len(shares) % 2 == 0 and not shape:
            corners = tuple(zip(shares[::2], shares[1::2], strict=True))
            xs, ys = shares[::2], shares[1::2]
            box = (min(xs), min(ys), max(xs), max(ys))
            found.append(LabelledSubject(category, {}, box, (corners,), where=where))
        else:
            what = f"{len(values)} numbers, which are neither a box (5) nor " + (
                f"a box and {shape[0]} keypoints ({expected + 1})" if shape and expected else "an outline (7, 9, ...)"
            )
            raise DataError(what, where=where, hint="write data.yaml with `kpt_shape: [number of keypoints, 2 or 3]`")
    return tuple(found)


def _box(shares: Sequence[float]) -> tuple[float, float, float, float]:
    x, y, width, height = shares[:4]
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _keypoints(
    values: Sequence[float], shape: Sequence[int], names: Sequence[str]
) -> dict[str, tuple[float, float, int]]:
    step, found = shape[1], {}
    for place, name in enumerate(names):
        x, y, *flag = values[place * step : (place + 1) * step]
        visibility = _FLAGS.get(int(flag[0]), Visibility.VISIBLE) if flag else Visibility.VISIBLE
        if visibility and (x, y) != (0, 0):
            found[name] = (x, y, int(visibility))
    return found
