"""Columns: arrays come back as they were, and damage is noticed."""

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.files.columns import cache_folder, read_columns, write_columns

COLUMNS = {
    "box": np.random.default_rng(0).normal(size=(7, 4)),
    "empty": np.zeros((0, 2), np.int32),
    "crowd": np.array([True, False, True]),
    "id": np.arange(1000, dtype=np.int64),
    "scalar": np.array(3.5),
}


def test_round_trip(tmp_path):
    write_columns(tmp_path / "a.columns", COLUMNS, {"names": ["ä", "b"]})
    columns, meta = read_columns(tmp_path / "a.columns")
    assert meta == {"names": ["ä", "b"]}
    assert list(columns) == list(COLUMNS)
    for name, column in COLUMNS.items():
        np.testing.assert_array_equal(columns[name], column)
        assert columns[name].dtype == column.dtype
        assert not columns[name].flags.writeable
        assert columns[name].ctypes.data % 8 == 0


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other", "missing"])
def test_damage_is_noticed(tmp_path, damage):
    path = tmp_path / "a.columns"
    write_columns(path, COLUMNS, None)
    data = bytearray(path.read_bytes())
    match damage:
        case "cut":
            path.write_bytes(data[:-5])
        case "flipped":
            data[-50] ^= 1
            path.write_bytes(data)
        case "empty":
            path.write_bytes(b"")
        case "other":
            path.write_bytes(b"something else entirely")
        case "missing":
            path.unlink()
    with pytest.raises(DataError, match="damaged index"):
        read_columns(path)


def test_cache_folder_is_chosen_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("GENSIGHT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("GENSIGHT_CACHE")
    monkeypatch.setenv("HOME", "/home/someone")
    assert str(cache_folder()) == "/home/someone/.cache/gensight"
