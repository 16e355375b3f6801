"""Files that look like labels and are not read, and the way out for each kind."""

from collections.abc import Collection
from pathlib import Path

from gensight.errors import DataError
from gensight.readers.deeplabcut.tables import read_rows
from gensight.readers.label_files.formats import format_of
from gensight.readers.label_files.records import read_json_file
from gensight.readers.shared.listings import below

COMMON = "export the labels as COCO json or csv from the tool that made them"
WAYS_OUT = {
    ".mat": "write its points as a csv with the columns image, keypoint, x, y",
    ".pkl": "nothing is unpickled, since a pickle can run code: save the labels as csv",
    ".pickle": "nothing is unpickled, since a pickle can run code: save the labels as csv",
    ".npy": "write its points as a csv with the columns image, keypoint, x, y",
    ".npz": "write its points as a csv with the columns image, keypoint, x, y",
    ".nwb": "`sio convert` of sleap-io writes its poses as .slp, which is read",
    ".h5": "labels of DeepLabCut are read as labeled-data/VIDEO/CollectedData_NAME.h5 or csv, SLEAP's as analysis h5",
    ".pts": "write the points as a csv with the columns image, keypoint, x, y",
    ".json": COMMON,
    ".xml": COMMON,
    ".csv": "a csv is read with the columns image, keypoint, x, y, or image, NAME_x, NAME_y ...",
    ".txt": "YOLO needs lines of a class number and shares of the image's sides",
}


def unread_files(root: Path, known: Collection[str] = ()) -> list[str]:
    """A line for each kind of file that may hold labels and that no parser reads; `known` files are left out."""
    counts: dict[str, list[str]] = {}
    lines: list[str] = []
    images = {Path(name).stem for name in below(root, {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"})}
    for name in below(root, set(WAYS_OUT)):
        suffix = Path(name).suffix.lower()
        if name in known:
            continue
        if suffix == ".txt" and Path(name).stem not in images:
            continue  # notes and lists
        if suffix == ".json" and _is_empty(root / name):
            continue
        if suffix == ".csv" and (problem := csv_problem(root / name)) is not None:
            lines.append(f"{name} can't be read: {problem}")
        elif format_of(root / name) is None:
            counts.setdefault(suffix, []).append(name)
    return lines + [
        f"{len(names)} {suffix} {'file is' if len(names) == 1 else 'files are'} here that may hold labels and can't be "
        f"read, such as {names[0]}: {WAYS_OUT[suffix]}"
        for suffix, names in counts.items()
    ]


def _is_empty(path: Path) -> bool:
    """Whether a json holds nothing in its lists and objects: settings, or an empty export."""
    try:
        value = read_json_file(path)
    except DataError:
        return False
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not any(isinstance(part, dict | list) and part for part in parts)


def csv_problem(path: Path) -> str | None:
    """Why the text of a csv can't be read, and in which encoding to save it; None where it can."""
    try:
        read_rows(path.read_bytes(), path)
    except DataError as error:
        return f"{error.what}; {error.hint}"
    return None
