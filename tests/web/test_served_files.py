"""The list of files that visitors get."""

import os
from pathlib import Path

import pytest

from gensight.errors import DataError
from gensight.web import served_files
from gensight.web.served_files import EVERYONE, NOT_TAKEN, ServedFiles
from gensight.web.visitors import NOBODY


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def read(files: ServedFiles, key: str, visitor: str) -> bytes:
    file, _ = files.open(key, visitor)
    with file:
        return file.read()


def refusal(files: ServedFiles, key: str, visitor: str = "a") -> str:
    with pytest.raises(DataError) as caught:
        files.open(key, visitor)
    assert caught.value.where is None
    return str(caught.value)


def test_an_upload_is_its_visitors_alone(tmp_path: Path) -> None:
    files = ServedFiles(tmp_path)
    key = files.add_upload(b"cat", "C:\\my cat.png", "a")

    assert read(files, key, "a") == b"cat"
    assert files.open(key, "a")[1] == "my cat.png"
    assert key.endswith("/my_cat.png")
    assert not files.may_open(key, "b")
    assert not files.may_open(key, NOBODY)
    assert refusal(files, key, "b") == refusal(files, "none/my_cat.png", "b")


def test_uploads_of_programs_and_examples_are_had_by_whoever_has_the_key(tmp_path: Path) -> None:
    files = ServedFiles(tmp_path)
    (tmp_path / "example.png").write_bytes(b"example")

    assert read(files, files.add_upload(b"cat", "cat.png", NOBODY), "b") == b"cat"
    assert read(files, files.add(tmp_path / "example.png", EVERYONE), "b") == b"example"


def test_a_file_has_one_key_for_each_visitor(tmp_path: Path) -> None:
    files = ServedFiles(tmp_path)
    (tmp_path / "answer.png").write_bytes(b"answer")

    assert files.add(tmp_path / "answer.png", "a") == files.add(tmp_path / "answer.png", "a")
    assert files.add(tmp_path / "answer.png", "a") != files.add(tmp_path / "answer.png", "b")


@pytest.mark.parametrize("kind", ["link", "linked folder", "folder", "pipe", "outside", "upwards", "missing", "null"])
def test_what_is_no_plain_file_of_the_folder_is_not_listed(tmp_path: Path, kind: str) -> None:
    own, private = tmp_path / "own", tmp_path / "private"
    private.mkdir()
    (private / "secret").write_bytes(b"secret")
    files = ServedFiles(own)
    (own / "link").symlink_to(private / "secret")
    (own / "linked").symlink_to(private)
    (own / "inner").mkdir()
    os.mkfifo(own / "pipe")
    paths = {"link": own / "link", "linked folder": own / "linked" / "secret", "folder": own / "inner",
             "pipe": own / "pipe", "outside": private / "secret", "upwards": f"{own}/../private/secret",
             "missing": own / "none", "null": f"{own}/a\0b"}  # fmt: skip

    with pytest.raises(DataError, match="only uploaded files are taken"):
        files.add(paths[kind], "a")


@pytest.mark.parametrize("replaced", ["by a link", "by another file", "by nothing"])
def test_a_file_that_was_replaced_is_not_opened(tmp_path: Path, replaced: str) -> None:
    files = ServedFiles(tmp_path / "own")
    key = files.add_upload(b"cat", "cat.png", "a")
    (stored,) = (tmp_path / "own" / "uploads").iterdir()
    (tmp_path / "secret").write_bytes(b"secret")
    stored.rename(tmp_path / "moved")
    if replaced == "by a link":
        stored.symlink_to(tmp_path / "secret")
    elif replaced == "by another file":
        os.link(tmp_path / "secret", stored)

    assert refusal(files, key).startswith(NOT_TAKEN.rstrip(".").lower())


def test_old_uploads_and_too_many_are_removed(tmp_path: Path) -> None:
    clock = Clock()
    files = ServedFiles(tmp_path, uploads=2, seconds=100, clock=clock)
    first, second, third = (files.add_upload(name.encode(), f"{name}.png", "a") for name in ("x", "y", "z"))

    assert not files.may_open(first, "a")
    assert read(files, second, "a") == b"y"
    clock.now = 101
    assert not files.may_open(third, "a")
    fourth = files.add_upload(b"new", "new.png", "a")
    assert [files.may_open(key, "a") for key in (second, third, fourth)] == [False, False, True]
    assert len(list((tmp_path / "uploads").iterdir())) == 1


def test_the_list_stays_short_without_uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_files, "_LISTED", 3)
    files = ServedFiles(tmp_path)
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(b"answer")
    example = files.add(tmp_path / "0.png", EVERYONE)

    keys = [files.add(tmp_path / f"{number}.png", "a") for number in range(1, 6)]

    assert [files.may_open(key, "a") for key in (example, *keys)] == [True, False, False, False, True, True]
