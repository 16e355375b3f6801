"""Files that look like labels and are not read, and the way out for each kind."""

from pathlib import Path
from typing import TYPE_CHECKING

from gensight.readers.label_files.formats import format_of
from gensight.readers.shared.listings import below

if TYPE_CHECKING:
    from gensight.verbs.data.survey import Survey

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


def unread_files(root: Path, found: "Survey | None") -> list[str]:
    """A line for each kind of file that may hold labels and that nobody reads, but for those of what was found."""
    if found is not None and found.labelled:
        return []  # settings and results often lie beside labels that are read
    counts: dict[str, list[str]] = {}
    images = {Path(name).stem for name in below(root, {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"})}
    for name in below(root, set(WAYS_OUT)):
        suffix = Path(name).suffix.lower()
        if suffix == ".txt" and Path(name).stem not in images:
            continue  # notes and lists
        if format_of(root / name) is None:
            counts.setdefault(suffix, []).append(name)
    return [
        f"{len(names)} {suffix} {'file is' if len(names) == 1 else 'files are'} here that may hold labels and can't be "
        f"read, such as {names[0]}: {WAYS_OUT[suffix]}"
        for suffix, names in counts.items()
    ]
