"""Atomic writes leave the old file or the new one, and JSON errors state the place."""

import ast
import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from gensight.errors import DataError, ResourceError
from gensight.files import atomic
from gensight.files.atomic import (
    atomic_path,
    bulk_writes,
    fitting_name,
    full_disk,
    json_text,
    json_values,
    named_path,
    read_json,
    readable,
    remove_leftovers,
    write_bytes,
    write_json,
    write_text,
)  # fmt: skip


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_whole_file_appears_and_nothing_else(tmp_path):
    write_text(tmp_path / "deep" / "note.txt", "grüße\n")
    assert (tmp_path / "deep" / "note.txt").read_text(encoding="utf-8") == "grüße\n"
    assert names(tmp_path / "deep") == ["note.txt"]


def test_a_failed_write_keeps_the_old_file_and_removes_its_own(tmp_path):
    path = tmp_path / "model.bin"
    write_bytes(path, b"old")

    def write_half() -> None:
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half of the ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["model.bin"]


def test_the_temporary_file_keeps_the_suffix_and_is_hidden(tmp_path):
    with atomic_path(tmp_path / "clip.mp4") as temporary:
        assert temporary.suffix == ".mp4"
        assert temporary.name.startswith(".")
        assert temporary.parent == tmp_path
        temporary.touch()


def test_permissions_of_the_former_file_are_kept(tmp_path):
    write_text(tmp_path / "run.sh", "one")
    (tmp_path / "run.sh").chmod(0o750)
    write_text(tmp_path / "run.sh", "two")
    assert (tmp_path / "run.sh").stat().st_mode & 0o777 == 0o750


def test_a_full_disk_is_reported(tmp_path):
    def fill() -> None:
        with atomic_path(tmp_path / "big.bin") as temporary:
            temporary.write_bytes(b"x")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ResourceError, match="the disk is full") as caught:
        fill()
    assert caught.value.where == str(tmp_path / "big.bin")
    assert names(tmp_path) == []


def test_kill_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "state.json"
    write_json(path, {"step": 1})
    program = textwrap.dedent(
        f"""
        import os, signal
        from gensight.files.atomic import atomic_path
        with atomic_path({str(path)!r}) as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    assert read_json(path) == {"step": 1}


def test_many_small_files_reach_the_disk_together(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    monkeypatch.setattr(os, "sync", lambda: flushed.append("all"))
    with bulk_writes():
        with bulk_writes():
            write_json(tmp_path / "a.json", 1)
        write_json(tmp_path / "b.json", 2)
        assert flushed == ["all"]
    assert flushed == ["all", "all"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]
    write_json(tmp_path / "a.json", 3)
    assert len(flushed) == 4  # the file and its folder


def test_json_round_trip_of_plain_values(tmp_path):
    value = {"a": np.float32(0.5), "b": np.arange(3), "c": (1, 2), "d": Path("x") / "y", "e": float("nan"), 7: None}
    write_json(tmp_path / "v.json", value, indent=2)
    expected = {"a": 0.5, "b": [0, 1, 2], "c": [1, 2], "d": "x/y", "e": None, "7": None}
    assert read_json(tmp_path / "v.json") == expected


def test_json_refuses_what_it_cannot_represent(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "v.json", {"a": object()})
    assert names(tmp_path) == []


def test_broken_json_names_line_and_column(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text('{"a": 1,\n "b": }')
    with pytest.raises(DataError, match="not valid JSON") as caught:
        read_json(path)
    assert caught.value.where == f"{path}, line 2, column 7"


def test_missing_json_is_reported(tmp_path):
    with pytest.raises(DataError, match="file not found"):
        read_json(tmp_path / "none.json")


@pytest.mark.parametrize("name", ["a" * 255, "a" * 251 + ".png", "鼠" * 83 + ".jpg", "a." + "b" * 250])
def test_names_of_the_greatest_length_are_written(tmp_path, name):
    write_text(tmp_path / name, "x")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with pytest.raises(ResourceError, match="name is too long"):
        write_text(tmp_path / ("aaaa" + name), "x")


@pytest.mark.parametrize("name", ["short.png", "a" * 251 + ".png", "鼠" * 100 + ".depth.png", "\udcfc" * 300])
def test_long_names_are_made_to_fit(name):
    fit = fitting_name(name, 215)
    assert len(os.fsencode(fit)) <= 215
    assert (fit == name) == (len(os.fsencode(name)) <= 215)
    assert fit.endswith(name[-12:])
    assert fit == name or fitting_name("x" + name, 215) != fit


def test_leftovers_of_a_killed_process_are_removed_and_no_others(tmp_path):
    code = f"""
import os, signal
from gensight.files.atomic import atomic_path
with atomic_path({str(tmp_path / "below" / "video.mp4")!r}) as path:
    path.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    (tmp_path / ".hidden.png").write_bytes(b"the user's")
    (tmp_path / ".notes.part").write_bytes(b"the user's")
    with atomic_path(tmp_path / "live.png") as temporary:
        temporary.write_bytes(b"x")
        (left,) = (path for path in (tmp_path / "below").iterdir())
        assert left.name.startswith(".video.")
        assert left.suffix == ".mp4"
        assert remove_leftovers(tmp_path) == 1
        assert temporary.exists()
    names = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert names == [".hidden.png", ".notes.part", "live.png"]


def test_bytes_of_names_that_are_no_text_are_readable_and_found_again(tmp_path):
    name = os.fsdecode(b"bild_\xfc.jpg")
    (tmp_path / name).write_bytes(b"x")
    assert readable(name) == "bild_\\udcfc.jpg"
    assert named_path(tmp_path, readable(name)) == tmp_path / name
    assert readable("bild_ü.jpg") == "bild_ü.jpg"
    assert readable("bild_\udcc3\udcbc.jpg") == "bild_ü.jpg"  # as a locale of ASCII gives it
    assert readable("\ud800") == "\\ud800"
    write_text(tmp_path / "list.txt", name)
    assert (tmp_path / "list.txt").read_text(encoding="utf-8") == "bild_\\udcfc.jpg"
    write_json(tmp_path / "list.json", {"name": name})
    assert read_json(tmp_path / "list.json") == {"name": name}


def test_deep_json_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("[" * 3000 + "]" * 3000)
    with pytest.raises(DataError, match="nested too deeply"):
        read_json(tmp_path / "a.json")


def test_a_full_disk_in_the_files_of_others_is_named(tmp_path):
    with pytest.raises(ResourceError, match="the disk is full") as caught, full_disk(tmp_path / "log"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.where == str(tmp_path / "log")
    with pytest.raises(OSError, match="other"), full_disk(tmp_path / "log"):
        raise OSError(errno.EIO, "other")


def test_json_has_no_bare_nan_and_reads_back_the_same(tmp_path):
    odd = {"a": float("nan"), "b": [np.float32("inf"), np.array([1.5, -np.inf])], "c": (1, None), "d": np.int8(3)}
    plain = {"a": None, "b": [None, [1.5, None]], "c": [1, None], "d": 3}
    write_json(tmp_path / "v.json", odd)
    text = json_text(odd)
    assert json.loads(text, parse_constant=pytest.fail) == json_values(odd) == read_json(tmp_path / "v.json") == plain
    assert json_values(plain) == plain


NOT_WRITTEN = {  # where a module turns a value into JSON itself: hashes, checks, the text of messages and overrides
    "backbones/diffusion.py", "config/loading/overrides.py", "files/atomic.py", "files/hashing.py",
    "prediction/outputs/choice.py", "readers/coco/entries.py", "readers/coco/index.py", "readers/goo/annotations.py",
    "web/payloads.py",
}  # fmt: skip


def test_all_json_is_written_by_one_function():
    package = Path(atomic.__file__).parents[1]
    others = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            dumps = isinstance(node, ast.Attribute) and node.attr in ("dump", "dumps")
            if dumps and isinstance(node.value, ast.Name) and node.value.id in ("json", "orjson"):
                others.add(path.relative_to(package).as_posix())
            if isinstance(node, ast.ImportFrom) and node.module in ("json", "orjson"):
                others.add(path.relative_to(package).as_posix())
    assert others == NOT_WRITTEN
