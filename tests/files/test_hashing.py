"""Hashes: known values, independent of the order of keys."""

import hashlib

import pytest

from gensight.errors import DataError
from gensight.files.hashing import file_hash, value_hash


def test_file_hash_is_sha256(tmp_path):
    data = bytes(range(256)) * 5000
    (tmp_path / "data.bin").write_bytes(data)
    assert file_hash(tmp_path / "data.bin") == hashlib.sha256(data).hexdigest()


def test_missing_file_is_reported(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        file_hash(tmp_path / "none")


def test_value_hash_depends_on_values_and_not_on_the_order_of_keys():
    assert value_hash({"a": 1, "b": [1, 2]}) == value_hash({"b": [1, 2], "a": 1})
    assert value_hash({"a": 1, "b": [1, 2]}) != value_hash({"a": 1, "b": [2, 1]})
    assert value_hash(1) != value_hash("1")
