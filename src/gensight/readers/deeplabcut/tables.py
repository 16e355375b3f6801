"""DeepLabCut's label tables: CollectedData_*.csv, or .h5 read without unpickling anything."""

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import DataError
from gensight.files.images import IMAGE_SUFFIXES
from gensight.readers.shared.pickles import RefusedPickleError, read_pickle
from gensight.samples import Array

Column = tuple[str, str]
SINGLE = ""  # the individual's name in a single-animal table
EXPORT = "export the labels as csv (in DeepLabCut or pandas: `pandas.read_hdf(file).to_csv(...)`) beside it"

_DECIMAL_COMMA = re.compile(r"^\s*([+-]?\d+),(\d+)\s*$")


@dataclass(frozen=True, eq=False)
class LabelTable:
    """One CollectedData file.

    Attributes:
        path: The file.
        images: Path of each row's image as the file names it, with forward slashes.
        columns: (individual, bodypart) of each point.
        points: float64 (num_rows, num_columns, 2), (x, y) in DeepLabCut's convention, NaN where not labelled.
        first_row: Number of the first row in the file, for messages.
        confidence: float64 (num_rows, num_columns), a prediction's `likelihood`; None for labels.
        scorer: Who set the points.
    """

    path: Path
    images: list[str]
    columns: list[Column]
    points: Array
    first_row: int = 1
    confidence: Array | None = None
    scorer: str = ""

    def row(self, index: int) -> str:
        return f"{self.path}, row {self.first_row + index}"


def read_table(path: Path) -> LabelTable:
    """Reads a csv or h5 label table.

    Raises:
        DataError: Naming the file and the row: a cell that is no number, an infinite or half-given point, too few
            or too many cells, an image that is named twice, a layout that can't be read.
    """
    table = _read_csv(path) if path.suffix == ".csv" else _read_h5(path)
    infinite = np.isinf(table.points).any((1, 2))
    if infinite.any():
        raise DataError("an infinite coordinate", where=table.row(int(infinite.argmax())), hint="leave the cell empty")
    half = np.isnan(table.points[..., 0]) != np.isnan(table.points[..., 1])
    if half.any():
        row, column = np.argwhere(half)[0]
        what = f"keypoint `{table.columns[column][1]}` has one coordinate instead of two"
        raise DataError(what, where=table.row(int(row)), hint="give both, or leave both empty")
    first: dict[str, int] = {}
    for index, image in enumerate(table.images):
        if image in first:
            what = f"image `{image}` has two rows, the other is row {table.first_row + first[image]}"
            raise DataError(what, where=table.row(index), hint="remove one of them")
        first[image] = index
    return table


def _columns(labels: list[tuple[str, ...]], path: Path) -> tuple[list[Column], list[int], list[int]]:
    """From (scorer, [individual,] bodypart, coordinate) labels: columns, where x and y of each lie, in turn, and where
    the likelihood of each does, if all have one."""
    places: dict[Column, dict[str, int]] = {}
    for index, label in enumerate(labels):
        column = (label[1] if len(label) == 4 else SINGLE, label[-2])
        coordinates = places.setdefault(column, {})
        if label[-1] in coordinates:
            what = f"keypoint `{' '.join(column).strip()}` has two columns for {label[-1]}"
            raise DataError(what, where=path, hint="remove one of them")
        coordinates[label[-1]] = index
    for column, coordinates in places.items():
        if not {"x", "y"} <= set(coordinates):
            what = f"keypoint `{' '.join(column).strip()}` lacks an x or a y column"
            raise DataError(what, where=path, hint="the header needs `x` and `y` for every keypoint")
    order = [places[column][name] for column in places for name in ("x", "y")]
    sure = [place["likelihood"] for place in places.values() if "likelihood" in place]
    return list(places), order, sure if len(sure) == len(places) else []


# --- csv ---


def is_label_table(path: Path) -> bool:
    """Whether a csv has DeepLabCut's header rows and its first row names an image: labels, not predictions."""
    try:
        with path.open("rb") as file:
            rows = read_rows(file.read(1 << 18), path)
    except (DataError, OSError):
        return False
    return bool(rows) and rows[0][0].strip() == "scorer" and any(_is_image(row) for row in rows[3:6])


def _is_image(row: list[str]) -> bool:
    return any(cell.strip().lower().endswith(tuple(IMAGE_SUFFIXES)) for cell in row[:3])


def read_rows(data: bytes, path: Path) -> list[list[str]]:
    """Cells of a csv, whose columns a comma, semicolon or tab separates; without empty rows."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            if error.end < len(data) - 3 or "end of data" not in error.reason:
                hint = "save it as UTF-8 (in Excel: `CSV UTF-8 (Comma delimited)`)"
                what = f"not a csv file in UTF-8: byte {error.start} is 0x{data[error.start]:02x}"
                raise DataError(what, where=path, hint=hint) from error
            text = data.decode("utf-8-sig", errors="ignore")
    if "\0" in text:
        hint = "save it as UTF-8 (in Excel: `CSV UTF-8 (Comma delimited)`)"
        raise DataError("not a csv file in UTF-8: it holds zero bytes, as UTF-16 does", where=path, hint=hint)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(row)]
    if delimiter == ";":  # of systems whose numbers have a decimal comma
        rows = [[_DECIMAL_COMMA.sub(r"\1.\2", cell) for cell in row] for row in rows]
    return rows


def _read_csv(path: Path) -> LabelTable:
    rows = read_rows(path.read_bytes(), path)
    num_headers = next((i + 1 for i, row in enumerate(rows[:5]) if row[0] == "coords"), 0)
    if num_headers not in (3, 4) or rows[0][0] != "scorer" or "x" not in rows[num_headers - 1]:
        raise DataError(
            "not a table of DeepLabCut labels", where=path,
            hint="the header rows are scorer, (individuals,) bodyparts and coords",
        )  # fmt: skip
    num_index = rows[num_headers - 1].index("x")  # 1: the image's path; 3: labeled-data, video, image
    labels = list(zip(*(row[num_index:] for row in rows[:num_headers]), strict=False))
    columns, order, sure = _columns(labels, path)
    named = num_headers < len(rows) and not any(rows[num_headers][num_index:]) and not _is_image(rows[num_headers])
    num_headers += named  # a row with the names of the index, which pandas writes
    images, values = [], np.full((len(rows) - num_headers, len(order) + len(sure)), np.nan)
    for number, row in enumerate(rows[num_headers:]):
        where = f"{path}, row {number + num_headers + 1}"
        if len(row) != num_index + len(labels):
            what = f"{len(row) - num_index} values, but the header names {len(labels)}"
            raise DataError(what, where=where, hint="every row has an x and a y for each keypoint; empty if unlabelled")
        images.append("/".join(cell for cell in row[:num_index] if cell).replace("\\", "/"))
        values[number] = _numbers([row[num_index + place] for place in (*order, *sure)], where)
    points = values[:, : len(order)].reshape(len(images), len(columns), 2)
    confidence = values[:, len(order) :] if sure else None
    return LabelTable(path, images, columns, points, num_headers + 1, confidence, labels[0][0])


def _numbers(cells: list[str], where: str) -> list[float]:
    try:
        return [float(cell) if cell.strip() else np.nan for cell in cells]
    except ValueError as error:
        wrong = str(error).rpartition(": ")[2]
        raise DataError(f"not a number: {wrong}", where=where, hint="leave the cell empty if unlabelled") from error


# --- h5: the two layouts that pandas writes ---


def _read_h5(path: Path) -> LabelTable:
    import h5py  # most projects have csv tables too, which are read instead

    try:
        with h5py.File(path) as file:
            groups = [group for group in file.values() if "pandas_type" in group.attrs]
            if len(groups) != 1:
                raise _unsafe(path, f"{len(groups)} pandas tables instead of one")
            kind = _text(groups[0].attrs["pandas_type"])
            if kind == "frame":
                images, labels, values = _fixed_layout(groups[0], path)
            elif kind == "frame_table":
                images, labels, values = _table_layout(groups[0], path)
            else:
                raise _unsafe(path, f"layout `{kind}`")
    except (OSError, KeyError, ValueError, UnicodeDecodeError, AttributeError) as error:
        raise _unsafe(path, str(error)) from error
    if values.shape != (len(images), len(labels)) or values.dtype.kind not in "fi":
        raise _unsafe(path, f"{values.shape} values for {len(images)} rows and {len(labels)} columns")
    if any(len(label) not in (3, 4) for label in labels):
        raise _unsafe(path, "columns are not (scorer, (individual,) bodypart, coordinate)")
    columns, order, sure = _columns(labels, path)
    points = values[:, order].astype(np.float64).reshape(len(images), len(columns), 2)
    confidence = values[:, sure].astype(np.float64) if sure else None
    images = [image.replace("\\", "/") for image in images]
    return LabelTable(path, images, columns, points, 1, confidence, labels[0][0])


def _unsafe(path: Path, what: str) -> DataError:
    return DataError(f"this h5 file can't be read without running code from it: {what}", where=path, hint=EXPORT)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _fixed_layout(group: Any, path: Path) -> tuple[list[str], list[tuple[str, ...]], Array]:
    """`to_hdf(format="fixed")`: axes and blocks as plain arrays; axis 0 are the columns, axis 1 the rows."""
    if "block1_values" in group:
        raise _unsafe(path, "columns of several types")
    labels = _axis(group, "block0_items", path)
    images = ["/".join(row) for row in _axis(group, "axis1", path)]
    return images, labels, group["block0_values"][()]


def _axis(group: Any, name: str, path: Path) -> list[tuple[str, ...]]:
    """An index of one or several levels, as a tuple per entry."""
    if name in group:
        return [(text,) for text in _strings(group[name], path)]
    entries, level = [], 0
    while f"{name}_level{level}" in group:
        choices = _strings(group[f"{name}_level{level}"], path)
        entries.append([choices[code] for code in group[f"{name}_label{level}"][()]])
        level += 1
    return list(zip(*entries, strict=True))


def _strings(dataset: Any, path: Path) -> list[str]:
    if dataset.dtype.kind != "S":  # anything else is a pickled object
        raise _unsafe(path, f"`{dataset.name}` holds objects instead of text")
    return [value.decode() for value in dataset[()]]


def _table_layout(group: Any, path: Path) -> tuple[list[str], list[tuple[str, ...]], Array]:
    """`to_hdf(format="table")`: one compound data set; column labels lie in an attribute as a pickled list of names."""
    table = group["table"]
    fields = table.dtype.names
    blocks = [name for name in fields if name.startswith("values_block_")]
    if len(blocks) != 1 or set(fields) != {"index", *blocks} or table.dtype["index"].kind not in "Si":
        raise _unsafe(path, f"table fields {', '.join(fields)}")
    try:
        labels = read_pickle(bytes(table.attrs[f"{blocks[0]}_kind"]), {})
    except RefusedPickleError as error:
        raise _unsafe(path, f"a pickle of column names {error}") from error
    if not isinstance(labels, list) or not all(
        isinstance(label, tuple) and all(isinstance(name, str) for name in label) for label in labels
    ):
        raise _unsafe(path, "column names that are not text")
    return [_text(value) for value in table["index"]], labels, table[blocks[0]]
