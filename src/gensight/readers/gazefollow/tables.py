"""GazeFollow's annotation files: the comma-separated ones of the extended release, and the original .mat.

Rows have no header. Columns of both parts: path, id, body box (x, y, width, height), eye (x, y), gaze (x, y), head box
(x_min, y_min, x_max, y_max); then inout, source, meta in the training file (17 columns), source, meta in the test file
(16 columns), which has one row per annotator. Body, eye and gaze are fractions of the image, head boxes are pixels.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import DataError
from gensight.readers.shared.gaze_annotations import Person, Tally, sound_corners
from gensight.readers.shared.listings import read_text
from gensight.readers.shared.mat_files import read_mat
from gensight.samples import Array

TRAIN_COLUMNS, TEST_COLUMNS = 17, 16
_IN, _OUT, _INVALID = 1.0, 0.0, -1.0
_MAT_KEYS = ("test_path", "test_gaze", "test_eyes", "test_bbox")


def read_annotations(path: Path, tally: Tally) -> list[Person]:
    """The persons of a training or test file (recognised by the number of columns), or of a .mat file.

    Raises:
        DataError: The file is missing, is none of these, or a row of it isn't.
    """
    if path.suffix == ".mat":
        return _mat_persons(path, tally)
    rows = list(csv.reader(io.StringIO(read_text(path))))  # read_text drops the byte order mark
    rows = [row for row in rows if row]
    if not rows:
        raise DataError("the annotation file holds no rows", where=path, hint="was it cut short? Download it again")
    columns = len(rows[0])
    if columns not in (TRAIN_COLUMNS, TEST_COLUMNS):
        raise DataError(
            f"GazeFollow's rows have {TRAIN_COLUMNS} columns (train) or {TEST_COLUMNS} (test), these have {columns}",
            where=f"{path}, row 1",
            hint="use the extended release's train_annotations_release.txt or test_annotations_release.txt",
        )
    odd = next((number for number, row in enumerate(rows, 1) if len(row) != columns), None)
    if odd is not None:
        raise DataError(f"{len(rows[odd - 1])} columns instead of {columns}", where=f"{path}, row {odd}")
    table = _numbers(rows, columns, path)
    paths = [row[0].replace("\\", "/") for row in rows]
    persons = _train_persons if columns == TRAIN_COLUMNS else _test_persons
    return [person for person in persons(paths, table, path, tally) if person is not None]


def _numbers(rows: Sequence[Sequence[str]], columns: int, path: Path) -> Array:
    """float64 (rows, 13 or 14): id, body, eye, gaze, head box and, in training files, inout."""
    last = 15 if columns == TRAIN_COLUMNS else 14
    try:
        return np.array([row[1:last] for row in rows], dtype=np.float64)
    except ValueError:
        pass
    for number, row in enumerate(rows, 1):
        try:
            [float(value) for value in row[1:last]]
        except ValueError as error:
            raise DataError(f"a column is no number: {error}", where=f"{path}, row {number}") from None
    raise AssertionError("a table that could not be converted has a row that cannot")


def _train_persons(paths: Sequence[str], table: Array, path: Path, tally: Tally) -> Iterator[Person | None]:
    for number, (name, values) in enumerate(zip(paths, table, strict=True), 1):
        where, inout = f"{path.name}, row {number}", float(values[13])
        if inout == _INVALID:
            tally.drop("marked invalid (inout is -1)", where)
            continue
        if inout not in (_IN, _OUT):
            raise DataError(f"inout is 1, 0 or -1, got {inout:g}", where=f"{path}, row {number}")
        gaze = values[7:9][None] if inout == _IN else np.zeros((0, 2))
        if inout == _IN and not _labelled(gaze[0], where, tally):
            continue
        yield _person(name, number, values, gaze, inout == _IN, where, tally)


def _test_persons(paths: Sequence[str], table: Array, path: Path, tally: Tally) -> Iterator[Person | None]:
    """One person per (path, eye x): several people of one image have rows of their own."""
    groups: dict[tuple[str, float], list[int]] = {}
    for index, (name, values) in enumerate(zip(paths, table, strict=True)):
        if _labelled(values[7:9], f"{path.name}, row {index + 1}", tally):
            groups.setdefault((name, float(values[5])), []).append(index)
    for (name, _), indices in groups.items():
        first = indices[0]
        where = f"{path.name}, row {first + 1}"
        yield _person(name, first + 1, table[first], table[indices, 7:9], True, where, tally)


def _labelled(gaze: Array, where: str, tally: Tally) -> bool:
    """Whether a row has a target. -1 stands for none; a single -1 is a mistake, not a place."""
    missing = int((gaze == -1).sum())
    if missing == 2 or not np.isfinite(gaze).all():
        tally.drop("no gaze target", where)
    elif missing == 1:
        tally.drop("one of the target's two coordinates is -1", where)
    elif ((gaze < 0) | (gaze > 1)).any():
        tally.drop("gaze target outside the image", where)
    else:
        return True
    return False


def _person(
    name: str, number: int, values: Array, gaze: Array, in_frame: bool, where: str, tally: Tally
) -> Person | None:
    head = sound_corners(values[9:13], where, tally)
    if head is None:
        tally.drop("head box without an area", where)
        return None
    eye = values[5:7]
    return Person(
        path=name,
        gaze=np.clip(gaze, 0, 1),
        in_frame=bool(in_frame),
        eye=eye if np.isfinite(eye).all() and (eye != -1).all() else None,
        body=values[1:5],
        head=head,
        number=int(values[0]),
        row=number,
    )


def _mat_persons(path: Path, tally: Tally) -> list[Person]:
    """The persons of the original test2_annotations.mat. It has no head boxes."""
    columns = [column.ravel() for column in read_mat(path, _MAT_KEYS)]
    persons = []
    for number, (name, gaze, eye, body) in enumerate(zip(*columns, strict=True), 1):
        points = np.asarray(gaze, dtype=np.float64).reshape(-1, 2)
        kept = [_labelled(point, f"{path.name}, person {number}", tally) for point in points]
        if any(kept):
            image = str(np.asarray(name).ravel()[0])
            persons.append(Person(image, points[kept], True, _flat(eye, 2), _flat(body, 4), number=number, row=number))
    return persons


def _flat(value: Any, count: int) -> Array:
    return np.asarray(value, dtype=np.float64).reshape(count)


def format_rows(persons: Iterable[Person], part: str) -> str:
    """The text of a training (`train`) or test (`test`) file; the inverse of `read_annotations`."""
    lines = []
    for number, person in enumerate(persons):
        body = person.body if person.body is not None else np.full(4, -1.0)
        eye = person.eye if person.eye is not None else np.full(2, -1.0)
        assert person.head is not None, "GazeFollow's extended files have head boxes"
        head = [f"{value:.17g}" for value in person.head]
        start = [person.path, str(number if person.number is None else person.number)]
        for gaze in person.gaze if len(person.gaze) else np.full((1, 2), -1.0):
            columns = start + [f"{value:.17g}" for value in (*body, *eye, *gaze)] + head
            if part == "train":
                columns.append("1" if person.in_frame else "0")
            lines.append(",".join([*columns, "synthetic", "False"]))
    return "".join(f"{line}\n" for line in lines)
