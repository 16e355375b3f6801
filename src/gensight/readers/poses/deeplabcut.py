"""DeepLabCut's tables of a video's keypoints, csv and h5; with more than one possible subject four header rows.

Cells without a value are written as `NaN`: an empty first row would be taken for a line of index names by pandas.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gensight.files.atomic import atomic_path
from gensight.readers.deeplabcut.reader import OFFSET
from gensight.readers.deeplabcut.tables import SINGLE, read_table
from gensight.readers.poses.table import PoseFrame, PoseTable, Subject, located, required
from gensight.samples import Array
from gensight.skeletons import Skeleton

LEVELS = ("scorer", "individuals", "bodyparts", "coords")
KEY = "df_with_missing"  # DeepLabCut's name of the table in an h5 file


def write_csv(table: PoseTable, path: Path) -> None:
    """One row per frame: its number, or the image's key, then x, y and likelihood of each keypoint."""
    columns = _columns(table)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        for level, name in enumerate(LEVELS):
            if table.individuals or name != "individuals":
                rows.writerow([name, *(column[level] for column in columns)])
        for frames, values in _blocks(table):
            for frame, row in zip(frames, values, strict=True):
                cells = ["NaN" if np.isnan(value) else f"{value:.3f}" for value in row]
                rows.writerow([frame.key if frame.frame is None else frame.frame, *cells])


def can_write_h5() -> bool:
    """Whether the packages are there that `write_h5` needs."""
    from importlib.util import find_spec

    return find_spec("tables") is not None and find_spec("pandas") is not None


def write_h5(table: PoseTable, path: Path) -> None:
    """The same as a pandas table, which `pandas.read_hdf` reads. Raises ConfigError without PyTables."""
    required("tables", "tables", "DeepLabCut's h5")
    import pandas as pd

    columns, names = _columns(table), list(LEVELS)
    if not table.individuals:
        columns, names = [(column[0], *column[2:]) for column in columns], [LEVELS[0], *LEVELS[2:]]
    header = pd.MultiIndex.from_tuples(columns, names=names)
    longest = max((len(frame.key.encode()) for frame in table.frames()), default=1)
    with atomic_path(path) as temporary, pd.HDFStore(str(temporary), "w") as store:
        for frames, values in _blocks(table):
            index: list[Any] = [frame.key if frame.frame is None else frame.frame for frame in frames]
            size = None if frames[0].frame is not None else {"index": longest}
            block = pd.DataFrame(values, index, header)
            # Without an index of rows and times of creation the same table is the same bytes.
            store.put(KEY, block, "table", index=False, append=True, min_itemsize=size, track_times=False)


def _columns(table: PoseTable) -> list[tuple[str, ...]]:
    return [
        (table.scorer, individual, part, axis)
        for individual in table.names
        for part in table.skeleton.keypoints
        for axis in ("x", "y", "likelihood")
    ]


def _blocks(table: PoseTable) -> Iterator[tuple[Sequence[PoseFrame], Array]]:
    for frames, values in table.blocks():
        yield frames, (values - [OFFSET, OFFSET, 0.0]).reshape(len(frames), -1)


def read(path: Path) -> PoseTable:
    """Labels or predictions of DeepLabCut. Raises DataError for what is no such table."""
    found = read_table(path)
    individuals = tuple(dict.fromkeys(name for name, _ in found.columns))
    parts = tuple(dict.fromkeys(part for _, part in found.columns))
    skeleton, place = Skeleton(path.stem, parts), {column: index for index, column in enumerate(found.columns)}
    order = [place.get((name, part), -1) for name in individuals for part in parts]
    several = individuals != (SINGLE,)
    is_video = all(key.isdigit() for key in found.images)

    def frames() -> Iterator[PoseFrame]:
        for row, key in enumerate(found.images):
            points = np.vstack([found.points[row], np.full((1, 2), np.nan)])[order].reshape(-1, len(parts), 2) + OFFSET
            sure = None if found.confidence is None else np.append(found.confidence[row], np.nan)[order]
            sures = [None] * len(points) if sure is None else list(sure.reshape(len(points), -1))
            subjects = tuple(
                Subject(number, located(skeleton, own, sures[number]), _score(own, sures[number]))
                for number, own in enumerate(points)
                if np.isfinite(own).any()
            )
            yield PoseFrame(key, subjects, int(key) if is_video else None)

    return PoseTable(skeleton, frames, len(found.images), individuals if several else (), found.scorer)


def _score(points: Array, confidence: Array | None) -> float:
    return 1.0 if confidence is None else float(np.mean(confidence[np.isfinite(points).all(1)]))
