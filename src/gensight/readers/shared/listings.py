"""Shared by readers of folders: lists of names, the files that a folder holds, images of a stated size."""

import os
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from gensight.errors import DataError, did_you_mean
from gensight.files.images import IMAGE_SUFFIXES, image_size, read_image
from gensight.samples import Array, Sample, Size

Missing = Literal["error", "drop"]  # what to do with files that are named and not there

MISSING_HINT = "check the folder, or leave them out: data.missing=drop in a recipe, missing='drop' from Python"
_SHOWN = 3


def read_text(path: Path) -> str:
    """A UTF-8 text file. Raises DataError if it is missing or something else."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError("file not found", where=path, hint="check the path") from error
    except UnicodeDecodeError as error:
        raise DataError("not a text file in UTF-8", where=f"{path}, byte {error.start}") from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from error


def read_list(path: Path) -> list[str]:
    """The lines of a list of names, without blank ones.

    Raises:
        DataError: There is no such list (with those that are there), or it names nothing.
    """
    if not path.is_file():
        there = sorted(other.stem for other in path.parent.glob("*.txt")) if path.parent.is_dir() else []
        hint = did_you_mean(path.stem, there) or "check the folder and the name of the part"
        choices = there if 0 < len(there) <= 12 else None
        raise DataError(f"there is no list `{path.stem}`", where=path, choices=choices, hint=hint)
    lines = [line.strip() for line in read_text(path).splitlines()]
    names = [line for line in lines if line]
    if not names:
        raise DataError("the list names nothing", where=path, hint="was it cut short? Write or download it again")
    return names


def require_folder(path: Path, what: str, hint: str = "check the path") -> None:
    """Raises DataError if the folder is not there."""
    if not path.is_dir():
        raise DataError(f"{what} not found", where=path, hint=hint)


def folder_names(folder: Path) -> list[str]:
    """Names in a folder, sorted, without hidden ones; none where there is no such folder."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:  # a hundred thousand Path objects would take half a second
        return sorted(entry.name for entry in entries if not entry.name.startswith("."))


def files_by_stem(folder: Path, suffixes: Collection[str] = IMAGE_SUFFIXES) -> dict[str, str]:
    """Name without suffix -> file name, of a folder's files of some kinds, in order. The folder is listed once."""
    found: dict[str, str] = {}
    for name in folder_names(folder):
        stem, dot, suffix = name.rpartition(".")
        if dot and f".{suffix.lower()}" in suffixes:
            found.setdefault(stem, name)
    return found


def keep_present(
    names: Sequence[str], present: Callable[[str], bool], what: str, source: Path, missing: Missing
) -> tuple[list[str], dict[str, int]]:
    """(the names whose files are there, how many are not by reason).

    Args:
        names: Names, in order.
        present: Whether a name's file is there.
        what: Of what kind they are, in the plural: `images`.
        source: The list or folder that names them.
        missing: Refuse (`error`), or leave out and count (`drop`).

    Raises:
        DataError: Some are missing and that is an error, or all are.
    """
    kept = [name for name in names if present(name)]
    absent = [name for name in names if not present(name)] if len(kept) < len(names) else []
    if absent and (missing == "error" or not kept):
        shown = ", ".join(absent[:_SHOWN]) + (" ..." if len(absent) > _SHOWN else "")
        raise DataError(
            f"{len(absent)} of {len(names)} {what} that {source.name} names are missing: {shown}",
            where=source, hint=MISSING_HINT,
        )  # fmt: skip
    return kept, ({f"{what} missing": len(absent)} if absent else {})


def files_present(names: Iterable[str], root: Path) -> Callable[[str], bool]:
    """Whether a name's file is there, below a root; each folder is listed once, which is faster than a look-up each."""
    folders = {name.rpartition("/")[0] for name in names}
    known = {one: _file_names(root / one) for one in folders}

    def present(name: str) -> bool:
        folder, _, last = name.rpartition("/")
        return last in known[folder]

    return present


def _file_names(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries}


def read_sized(path: Path, size: Size, source: Path) -> Array:
    """The image, which must have the size that `source` states: otherwise its labels belong to other pixels."""
    image = read_image(path)
    if image.shape[:2] == size:
        return image
    found = f"{image.shape[0]} x {image.shape[1]}"
    what = f"the upright image is {found} (height x width), but {source.name} states {size[0]} x {size[1]}"
    hint = "was it resized, or labelled without its EXIF rotation? Use the image that was labelled"
    raise DataError(what, where=path, hint=hint)


def image_sample(key: str, path: Path, size: Size | None = None, source: Path | None = None, **known: Any) -> Sample:
    """The sample of an image file.

    Args:
        key: Its key.
        path: The file.
        size: (height, width), where it has been read or stated; None: read from the file's header.
        source: The file that states the size, which the image must have then.
        known: The other fields of the sample.
    """
    size = size or image_size(path)
    read = partial(read_image, path) if source is None else partial(read_sized, path, size, source)
    return Sample(key, size, read, path=str(path), **known)


def numbers(text: str, count: int, path: Path, what: str) -> list[float]:
    """The numbers of a small text file, separated by blanks. Raises DataError if they are not so many numbers."""
    words = text.replace(",", " ").split()
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise DataError(f"not {what}: {error}", where=path, hint=f"write {count} numbers") from error
    if len(values) != count:
        raise DataError(f"not {what}: {len(values)} numbers instead of {count}", where=path)
    return values


def plain_name(text: str) -> str:
    """A key or group as a file name: everything but letters, digits, `_`, `.` and `-` becomes `_`."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "_"


def plain_names(samples: Iterable[Sample]) -> list[str]:
    """A file name without suffix for each sample's key.

    Raises:
        DataError: There is no sample, or two would be written to one name.
    """
    names = [plain_name(re.sub(r"\.(png|jpe?g)$", "", sample.key, flags=re.IGNORECASE)) for sample in samples]
    if not names:
        raise DataError("there are no samples to write")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"two samples would be written to {name}", hint="keys must differ")
        seen.add(name)
    return names
