"""Examples with their boxes and truths."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gensight.errors import ConfigError, DataError
from gensight.files.images import read_image, write_image
from gensight.prediction.trained_run import TrainedRun
from gensight.web import examples
from gensight.web.examples import examples_of, truth_by_digest
from gensight.web.questions import read_boxes
from gensight.web.uploads import Limits


def test_examples_of_the_test_part_have_boxes_and_truth(keypoint_run: Path, tmp_path: Path) -> None:
    trained = TrainedRun.load(keypoint_run, "cpu")
    some = examples_of(trained, tmp_path / "own", Limits(), None)

    assert some
    for one in some:
        image = read_image(one.path)
        assert read_boxes(one.marks, image.shape[:2])
        assert one.truth is not None
        assert one.truth.size == image.shape[:2]
    known = truth_by_digest({"small": some})
    assert known["small", hashlib.sha256(some[0].path.read_bytes()).digest()] is some[0].truth


def test_gaze_has_heads_and_instructions_words(gaze_run: Path, instruct_run: Path, tmp_path: Path) -> None:
    heads = examples_of(TrainedRun.load(gaze_run, "cpu"), tmp_path / "heads", Limits(), None)
    words = examples_of(TrainedRun.load(instruct_run, "cpu"), tmp_path / "words", Limits(), None)

    assert heads[0].marks
    assert words[0].words
    assert not words[0].marks


def test_without_the_data_the_runs_own_pictures_serve(
    keypoint_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(config: object) -> object:
        raise DataError("the data is gone")

    monkeypatch.setattr(examples.Experiment, "open", gone)
    some = examples_of(TrainedRun.load(keypoint_run, "cpu"), tmp_path / "own", Limits(), None)

    assert some
    assert all(one.marks and one.truth is not None for one in some)


def test_a_folder_brings_its_boxes(keypoint_run: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    for number in range(12):
        write_image(given / f"{number:02d}.png", np.full((20, 30, 3), number, np.uint8))
    (given / "broken.png").write_text("no image")
    boxes = [{"file_name": "01.png", "bbox": [2, 3, 10, 12], "score": 1.0}]
    (given / "boxes.json").write_text(json.dumps(boxes))
    trained = TrainedRun.load(keypoint_run, "cpu")

    some = examples_of(trained, tmp_path / "own", Limits(), given)

    assert [one.path.name for one in some] == [f"{number:02d}.png" for number in range(10)]
    assert [one.marks for one in some[:2]] == ["", "2 3 12 15"]
    assert all(one.truth is None for one in some)
    with pytest.raises(DataError, match="there is no such folder of examples"):
        examples_of(trained, tmp_path / "other", Limits(), tmp_path / "none")


def test_what_the_page_would_not_take_is_left_out(keypoint_run: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    write_image(given / "large.png", np.zeros((40, 40, 3), np.uint8))
    limits = replace(Limits(), max_pixels=1000)

    assert examples_of(TrainedRun.load(keypoint_run, "cpu"), tmp_path / "own", limits, given) == []


def test_config_errors_of_the_data_are_no_errors_of_the_page(
    keypoint_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bad(config: object) -> object:
        raise ConfigError("no test part")

    monkeypatch.setattr(examples.Experiment, "open", bad)
    assert examples_of(TrainedRun.load(keypoint_run, "cpu"), tmp_path / "own", Limits(), None)
