"""h5 label tables in the layouts that pandas writes, and that nothing in them is executed."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from gensight.errors import DataError
from gensight.readers.deeplabcut.tables import is_label_table, read_table

VALUES = np.array([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, np.nan, np.nan], [7.0, 8.0, 9.0, 10.0]])
LABELS = [("me", "nose", "x"), ("me", "nose", "y"), ("me", "ear", "x"), ("me", "ear", "y")]
IMAGES = [f"labeled-data/v/img{i}.png" for i in range(3)]


def write_levels(group: h5py.Group, name: str, entries: list[tuple[str, ...]]) -> None:
    """An index of several levels as pandas' fixed layout keeps it: sorted choices and codes."""
    for level, values in enumerate(zip(*entries, strict=True)):
        choices = sorted(set(values))
        group[f"{name}_level{level}"] = np.array([choice.encode() for choice in choices])
        group[f"{name}_label{level}"] = np.array([choices.index(value) for value in values], np.int8)


def write_fixed(path: Path, levels: bool = True) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_(b"frame")
        if levels:
            write_levels(group, "axis1", [tuple(image.split("/")) for image in IMAGES])
        else:
            group["axis1"] = np.array([image.encode() for image in IMAGES])
        write_levels(group, "block0_items", LABELS)
        group["block0_values"] = VALUES


def write_table(path: Path, kind: bytes) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_(b"frame_table")
        rows = np.zeros(3, dtype=[("index", "S29"), ("values_block_0", "<f8", (4,))])
        rows["index"], rows["values_block_0"] = [image.encode() for image in IMAGES], VALUES
        group["table"] = rows
        group["table"].attrs["values_block_0_kind"] = np.void(kind)


def check(path: Path) -> None:
    table = read_table(path)
    assert table.images == IMAGES
    assert table.columns == [("", "nose"), ("", "ear")]
    np.testing.assert_array_equal(table.points.reshape(3, 4), VALUES)


@pytest.mark.parametrize("levels", [True, False])
def test_fixed_layout(tmp_path, levels):
    write_fixed(tmp_path / "a.h5", levels)
    check(tmp_path / "a.h5")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_table_layout_with_names_of_any_pickle_protocol(tmp_path, protocol):
    write_table(tmp_path / "a.h5", pickle.dumps(LABELS, protocol))
    check(tmp_path / "a.h5")


class Trap:
    """Unpickling one writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_is_executed(tmp_path, protocol):
    write_table(tmp_path / "a.h5", pickle.dumps([Trap(tmp_path / "sprung")], protocol))
    with pytest.raises(DataError, match="can't be read without running code from it") as caught:
        read_table(tmp_path / "a.h5")
    assert "export the labels as csv" in caught.value.hint
    assert not (tmp_path / "sprung").exists()


def test_pickled_index_is_refused(tmp_path):
    write_fixed(tmp_path / "a.h5", levels=False)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["df_with_missing/axis1"]
        file["df_with_missing/axis1"] = np.zeros(3, np.uint8)
    with pytest.raises(DataError, match="holds objects instead of text"):
        read_table(tmp_path / "a.h5")


def test_other_h5_files_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(DataError, match="0 pandas tables instead of one"):
        read_table(tmp_path / "a.h5")
    (tmp_path / "b.h5").write_bytes(b"no h5")
    with pytest.raises(DataError, match="this h5 file can't be read"):
        read_table(tmp_path / "b.h5")


def test_real_h5_equals_real_csv(shared_data):
    folder = shared_data / "openfield_mouse" / "labeled-data" / "m4s1"
    h5, text = (read_table(folder / f"CollectedData_Pranav.{suffix}") for suffix in ("h5", "csv"))
    assert h5.images == text.images
    assert h5.columns == text.columns
    np.testing.assert_array_equal(h5.points, text.points)


CSV = "scorer,me,me\nbodyparts,nose,nose\ncoords,x,y\nlabeled-data/Mäuse/1.png,1.5,2\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters_that_have_one_meaning(tmp_path, encoding, delimiter):
    path = tmp_path / "CollectedData_me.csv"
    text = CSV.replace(",", delimiter)
    path.write_bytes((text.replace("1.5", "1,5") if delimiter == ";" else text).encode(encoding))
    table = read_table(path)
    assert table.images == ["labeled-data/Mäuse/1.png"]
    assert table.points.tolist() == [[[1.5, 2.0]]]
    assert is_label_table(path)


@pytest.mark.parametrize("encoding", ["cp1252", "mac-roman", "utf-16-le"])
def test_other_encodings_name_the_one_to_save_in(tmp_path, encoding):
    path = tmp_path / "CollectedData_me.csv"
    path.write_bytes(CSV.encode(encoding))
    with pytest.raises(DataError, match="not a csv file in UTF-8") as caught:
        read_table(path)
    assert "save it as UTF-8" in caught.value.hint


def test_a_row_of_index_names_and_an_unlabelled_first_row(tmp_path):
    path = tmp_path / "CollectedData_me.csv"
    head, row = CSV[: CSV.index("labeled")], "labeled-data/v/{}.png,{},{}\n"
    path.write_text(head + "image,,\n" + row.format(0, "", "") + row.format(1, 3, 4))
    table = read_table(path)
    assert table.images == ["labeled-data/v/0.png", "labeled-data/v/1.png"]
    assert np.isnan(table.points[0]).all()
    assert table.row(1).endswith("row 6")
    path.write_text(head + row.format(0, "", "") + row.format(1, 3, 4))
    assert read_table(path).images == table.images
