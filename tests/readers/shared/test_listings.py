"""Lists, folders and names that readers and writers share."""

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.readers.shared.listings import (
    files_by_stem,
    folder_names,
    keep_present,
    numbers,
    plain_name,
    plain_names,
    read_list,
)
from gensight.samples import Sample


def test_lists(tmp_path):
    path = tmp_path / "train.txt"
    path.write_bytes("\ufeff a \r\n\r\nb c\n".encode())
    assert read_list(path) == ["a", "b c"]
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="not a text file in UTF-8"):
        read_list(path)
    with pytest.raises(DataError, match="there is no list `val`") as caught:
        read_list(tmp_path / "val.txt")
    assert caught.value.choices == ["train"]
    with pytest.raises(DataError, match="there is no list `val`"):
        read_list(tmp_path / "none" / "val.txt")


def test_files_of_a_folder(tmp_path):
    for name in ("b.jpg", "a.PNG", "a.jpg", "c.txt", ".d.jpg", "e"):
        (tmp_path / name).touch()
    assert files_by_stem(tmp_path) == {"a": "a.PNG", "b": "b.jpg"}
    assert files_by_stem(tmp_path, (".txt",)) == {"c": "c.txt"}
    assert folder_names(tmp_path / "none") == []


def test_what_is_missing_is_named_or_counted(tmp_path):
    names = list("abcdef")
    assert keep_present(names, lambda _: True, "images", tmp_path, "error") == (names, {})
    with pytest.raises(DataError, match=r"4 of 6 images that .* names are missing: b, d, e \.\.\."):
        keep_present(names, "ac".__contains__, "images", tmp_path, "error")
    assert keep_present(names, "ac".__contains__, "images", tmp_path, "drop") == (["a", "c"], {"images missing": 4})
    with pytest.raises(DataError, match="6 of 6 images"):
        keep_present(names, lambda _: False, "images", tmp_path, "drop")


def test_numbers_of_small_files(tmp_path):
    assert numbers("1, 2\n3e1", 3, tmp_path, "x") == [1, 2, 30]
    with pytest.raises(DataError, match="not a pose: 2 numbers instead of 3"):
        numbers("1 2", 3, tmp_path, "a pose")


def test_names_for_files():
    assert plain_name("puppets-0/000001#002") == "puppets-0_000001_002"
    assert plain_name("../../etc/passwd") == "etc_passwd"
    assert plain_name("...") == "_"
    samples = [Sample(key, (1, 1), lambda: np.zeros((1, 1, 3), np.uint8)) for key in ("a/b.PNG", "a.b")]
    assert plain_names(samples) == ["a_b", "a.b"]
    with pytest.raises(DataError, match="two samples would be written to a_b"):
        plain_names([*samples, samples[0]])
    with pytest.raises(DataError, match="no samples to write"):
        plain_names([])
