"""Pieces of tar files are read in place."""

import io
import tarfile
from pathlib import Path

import pytest

from gensight.errors import DataError
from gensight.files.stored import Stored, tar_members


def write(path: Path, **contents: bytes) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    return path


def test_members_are_read_in_place(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", one=b"first", two=b"", three=b"x" * 2000)
    members = {one.name: one for one in tar_members(path)}
    assert {name: one.read() for name, one in members.items()} == {"one": b"first", "two": b"", "three": b"x" * 2000}
    assert Stored(path).read() == path.read_bytes()
    assert str(members["one"]) == f"{path}, one"


def test_unreadable_files_are_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", one=b"x" * 4000)
    [member] = tar_members(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match="the file was cut short"):
        member.read()
    with pytest.raises(DataError, match="not a tar file that can be read"):
        list(tar_members(path))
    (tmp_path / "b.tar").write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(DataError, match="not a tar file that can be read"):
        list(tar_members(tmp_path / "b.tar"))
    with pytest.raises(DataError, match="cannot be read"):
        Stored(tmp_path / "none").read()
