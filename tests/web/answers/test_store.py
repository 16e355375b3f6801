"""Runs of the remaining kinds: pairs, maps and pictures, each with its files by name."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from gensight.errors import ConfigError
from gensight.prediction.trained_run import TrainedRun
from gensight.readers.puppets import PuppetsReader
from gensight.samples import Sample
from gensight.verbs.train import train
from gensight.web.answers.answer import answer
from gensight.web.answers.store import AnswerStore
from gensight.web.answers.videos import VideoQuestion
from gensight.web.examples import examples_of
from gensight.web.headline import headline_of
from gensight.web.uploads import Limits
from tests.verbs.test_targets import recipe

BRIEF = {"steps": 1, "batch_size": 2, "validate_every": 1}


def scene(number: int = 0) -> Sample:
    found = PuppetsReader(3, seed=5, size=(48, 64))[number]
    return Sample(f"scene{number}", found.size, found.image)


def trained(kind: str, folder: Path) -> TrainedRun:
    return TrainedRun.load(train(recipe(folder, kind, training=BRIEF), folder / kind, "cpu"), "cpu")


@pytest.mark.parametrize(("kind", "word"), [("depth-map", "depth"), ("edge-image", "edge"), ("normals", "normals")])
def test_maps_lie_on_the_image(kind: str, word: str, tmp_path: Path) -> None:
    run = trained(kind, tmp_path)
    saved = AnswerStore(tmp_path / "answers").save(answer(run, scene()), run)

    assert "Answer" in {one.name for one in saved.layers}
    assert [path.name for path in saved.files] == [f"scene0-{word}.{end}" for end in ("png", "json", "zip")]
    assert examples_of(run, tmp_path / "examples", Limits(), None)


def test_points_are_found_in_a_second_image(tmp_path: Path) -> None:
    run = trained("correspondence", tmp_path)
    store = AnswerStore(tmp_path / "answers")
    with pytest.raises(ConfigError, match="compares two images, and there is no second one"):
        answer(run, scene(), "10 20")
    with pytest.raises(ConfigError, match="line 1 of the points is not two numbers"):
        answer(run, scene(), "1 2 3 4", other=scene(1))

    answered = answer(run, scene(), "10 20\n30 40", other=scene(1))
    saved = store.save(answered, run)

    assert [what for what, *_ in answered.rows] == ["point 1", "point 2"]
    np.testing.assert_array_equal(answered.request.points, [[10, 20], [30, 40]])
    assert saved.sheet is not None
    assert saved.sheet[1] == (720, 960 + 6 + 960)
    assert [path.name for path in saved.files] == [f"scene0-match.{end}" for end in ("png", "csv", "json", "zip")]
    assert "matches.csv" in zipfile.ZipFile(saved.files[-1]).namelist()
    assert len(answer(run, scene(), other=scene(1)).rows) > 10  # an even grid
    with pytest.raises(ConfigError, match="takes no video"):
        store.save_video(VideoQuestion(b"\0\0\0\x18ftypisom" + bytes(20), "a.mp4", Limits()), run)
    (first, *_) = examples_of(run, tmp_path / "examples", Limits(), None)
    assert first.marks
    assert first.other is not None
    assert "Tap points" in headline_of(run, "pairs").needs


def test_appearance_is_a_number(tmp_path: Path) -> None:
    run = trained("appearance", tmp_path)
    answered = answer(run, scene(), other=scene(1))

    ((what, _, value),) = answered.rows
    assert what == "similarity"
    assert -1 <= float(value) <= 1
    assert AnswerStore(tmp_path / "answers").save(answered, run).sheet is not None


def test_the_oldest_answers_go(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path, keep=2)
    kept = [store.new_folder() for _ in range(3)]

    assert [folder.is_dir() for folder in kept] == [False, True, True]
