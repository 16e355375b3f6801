"""Answers to an instruction on disk."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gensight.errors import ConfigError
from gensight.prediction.outputs.answers import AnswerFiles
from gensight.prediction.outputs.writer import Shown
from gensight.samples import Depth, Instance, Prediction

CAT: dict[str, Any] = {"instruction": "segment the cat", "task": "segment", "classes": ["cat"]}


def write(folder: Path, described: dict[str, Any], prediction: Prediction, stem: str) -> dict[str, Any]:
    files = AnswerFiles(described)
    files.check(folder)
    found = [(Shown(prediction.sample_key, prediction.size), files.add(prediction, stem, folder))]
    found.append((Shown("broken.png", (0, 0), problem="cut"), None))
    files.write(lambda: iter(found), None, folder)
    answers: dict[str, Any] = json.loads((folder / "answers.json").read_text())
    return answers


def cat(key: str) -> Prediction:
    return Prediction(key, (2, 2), (Instance("cat", mask=lambda: np.ones((2, 2), bool)),))


def test_answers_name_their_files(tmp_path: Path) -> None:
    depth = Depth(np.ones((2, 2), np.float32))
    key = "clip.mp4#000003"
    written = write(tmp_path, {"task": "depth"}, Prediction(key, (2, 2), depth=depth), "000003")
    assert written["answers"][0]["depth"] == "depth/000003.png"
    written = write(tmp_path / "cat", CAT, cat(key), "000003")
    assert written["instruction"] == "segment the cat"
    assert written["answers"][0]["instances"][0]["mask"] == "masks/000003-cat.png"
    assert (tmp_path / "cat/masks/000003-cat.png").is_file()
    assert written["answers"][1]["problem"] == "cut"


def test_answers_to_another_instruction_stay(tmp_path: Path) -> None:
    write(tmp_path, CAT, cat("a.png"), "a")
    write(tmp_path, CAT, cat("a.png"), "a")
    with pytest.raises(ConfigError, match=r"another instruction: `segment the cat`[\s\S]*--out"):
        write(tmp_path, {**CAT, "instruction": "segment the dog"}, cat("a.png"), "a")
    assert json.loads((tmp_path / "answers.json").read_text())["instruction"] == "segment the cat"
    assert (tmp_path / "masks/a-cat.png").is_file()
