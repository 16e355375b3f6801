"""Answers to an instruction on disk, and former answers in the same folder."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gensight.errors import ConfigError
from gensight.prediction.outputs.answers import AnswerFiles
from gensight.samples import Depth, Instance, Prediction

CAT: dict[str, Any] = {"instruction": "segment the cat", "task": "segment", "classes": ["cat"]}


def write(folder: Path, described: dict[str, Any], prediction: Prediction, frames: bool = False) -> dict[str, Any]:
    files = AnswerFiles(folder, described, frames)
    with ExitStack() as stack:
        files.open(stack)
        files.add(prediction)
        files.close()
    answers: dict[str, Any] = json.loads((folder / "answers.json").read_text())
    return answers


def cat(key: str) -> Prediction:
    return Prediction(key, (2, 2), (Instance("cat", mask=lambda: np.ones((2, 2), bool)),))


def test_a_videos_files_are_named_by_their_frames(tmp_path: Path) -> None:
    depth = Depth(np.ones((2, 2), np.float32))
    written = write(tmp_path, {"task": "depth"}, Prediction("clip.mp4#000003", (2, 2), depth=depth), frames=True)
    assert written["answers"][0]["depth"] == "depth/000003.png"
    written = write(tmp_path / "cat", CAT, cat("clip.mp4#000003"), frames=True)
    assert written["answers"][0]["instances"][0]["mask"] == "masks/000003-cat.png"
    assert (tmp_path / "cat/masks/000003-cat.png").is_file()


def test_former_answers_to_the_same_instruction_go(tmp_path: Path) -> None:
    write(tmp_path, CAT, cat("a.png"))
    (tmp_path / "overlays").mkdir()
    (tmp_path / "overlays/a.png.jpg").touch()
    (tmp_path / "masks/mine.txt").touch()
    write(tmp_path, {**CAT, "seed": 3}, cat("b.png"))
    assert {path.name for path in tmp_path.rglob("*.*")} == {"answers.json", "b.png-cat.png", "mine.txt"}


def test_nothing_outside_of_the_folder_goes(tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "precious.png"
    out.mkdir()
    other.touch()
    answer = {"sample_key": "../precious", "instances": [{"mask": "../precious.png"}], "depth": None}
    (out / "answers.json").write_text(json.dumps({**CAT, "answers": [answer]}))
    write(out, CAT, cat("a.png"))
    assert other.is_file()


def test_answers_to_another_instruction_stay(tmp_path: Path) -> None:
    write(tmp_path, CAT, cat("a.png"))
    with pytest.raises(ConfigError, match=r"another instruction: `segment the cat`[\s\S]*--out"):
        write(tmp_path, {**CAT, "instruction": "segment the dog"}, cat("a.png"))
    assert json.loads((tmp_path / "answers.json").read_text())["instruction"] == "segment the cat"
    assert (tmp_path / "masks/a.png-cat.png").is_file()
