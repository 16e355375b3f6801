"""Shared by readers of folders: lists of names, the files that a folder holds, images of a stated size."""

import os
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from gensight.errors import DataError, did_you_mean
from gensight.files.images import IMAGE_SUFFIXES, VARIABLE, image_size, is_turned, read_image
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


def image_files(root: Path) -> list[Path]:
    """Every image below a folder, without hidden ones. What is no regular file is none: a folder or pipe `x.jpg`."""
    return [
        path
        for path in root.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
        and path.is_file()
    ]


def files_by_stem(folder: Path, suffixes: Collection[str] = IMAGE_SUFFIXES) -> dict[str, str]:
    """Name without suffix -> file name, of a folder's files of some kinds, in order. The folder is listed once."""
    found: dict[str, str] = {}
    for name in folder_names(folder):
        stem, dot, suffix = name.rpartition(".")
        if dot and f".{suffix.lower()}" in suffixes and (folder / name).is_file():
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


def find_files(
    names: Sequence[str], root: Path, suffixes: Collection[str] = IMAGE_SUFFIXES, least: int = 1
) -> dict[str, str]:
    """Where the files lie that labels name: name -> path below a root, with forward slashes, of those that are there.

    A name is that path itself; or it differs from it in backslashes, in case or in the form of its accents, as other
    systems write it; or in the folders that it begins with, as on another machine (all names of one folder are then
    found in one folder). A name that fits several files equally well is not there.

    Args:
        names: The labels' names of files, relative to the root, or absolute on any machine.
        root: The folder below which they are.
        suffixes: Of the files that are looked for, where a name itself is none.
        least: How many parts of a path, from its end, must agree.
    """
    present = files_present(names, root)
    found = {name: name for name in names if not name.startswith("/") and present(name)}
    lost = [name for name in names if name not in found]
    if not lost:
        return found
    known: dict[str, list[tuple[list[str], str]]] = {}
    for path in below(root, suffixes):
        parts = _plain(path).split("/")
        known.setdefault(parts[-1], []).append((parts, path))
    moved: dict[str, set[str]] = {}
    matches: dict[str, str] = {}
    for name in lost:
        parts = [part for part in _plain(name).split("/") if part not in ("", ".")]
        scores = [(_common_end(parts, other), path) for other, path in known.get(parts[-1] if parts else "", ())]
        best = max((score for score, _ in scores), default=0)
        fitting = [path for score, path in scores if score == best]
        if best >= min(least, len(parts)) and best > 0 and len(fitting) == 1:
            matches[name] = fitting[0]
            moved.setdefault(_folder(name), set()).add(_folder(fitting[0]))
    sources: dict[str, set[str]] = {}
    for name, path in (found | matches).items():
        sources.setdefault(path, set()).add(name)
    return found | {
        name: path for name, path in matches.items() if len(moved[_folder(name)]) == 1 and len(sources[path]) == 1
    }


def plain_text(text: str) -> str:
    """A name that is the same in any case and form of its accents."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _plain(path: str) -> str:
    return plain_text(path).replace("\\", "/")


def _folder(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[0]


def _common_end(first: Sequence[str], second: Sequence[str]) -> int:
    """How many parts of two paths agree, from the end."""
    pairs = enumerate(zip(reversed(first), reversed(second), strict=False))
    return next((number for number, (one, other) in pairs if one != other), min(len(first), len(second)))


def below(root: Path, suffixes: Collection[str]) -> list[str]:
    """Paths of a folder's files of some kinds, hidden ones left out, sorted; with forward slashes."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names = (name for name in files if not name.startswith(".") and Path(name).suffix.lower() in suffixes)
        start = os.path.relpath(folder, root).replace(os.sep, "/")
        found += [name if start == "." else f"{start}/{name}" for name in names]
    return sorted(found)


def _file_names(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_file()}


def read_sized(path: Path, size: Size, source: Path) -> Array:
    """The image, which must have the size that `source` states: otherwise its labels belong to other pixels."""
    image = read_image(path)
    if image.shape[:2] == size:
        return image
    found = f"{image.shape[0]} x {image.shape[1]}"
    what = f"the upright image is {found} (height x width), but {source.name} states {size[0]} x {size[1]}"
    hint = "was it resized? Use the image that was labelled"
    if image.shape[1::-1] == size and is_turned(path):
        what = f"{what}, as the image is stored"
        hint = f"set {VARIABLE}=exif=ignore for every command on these images: they are then read as stored"
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
        hint = f"write {count} numbers; was the file cut short?"
        raise DataError(f"not {what}: {len(values)} numbers instead of {count}", where=path, hint=hint)
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
