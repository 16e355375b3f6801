"""Predictions of every kind as pictures, tables and files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gensight.errors import ConfigError, DataError, RunError
from gensight.prediction.request import Request
from gensight.samples import Depth, Gaze, Instance, Keypoints, Matches, Prediction, Sample, ScoreMap, View, Visibility
from gensight.skeletons import Skeleton
from gensight.web.answers.answer import Answer, described, message, rows

SIZE = (24, 32)
IMAGE = np.full((*SIZE, 3), 128, np.uint8)
PAIR = Skeleton("pair", ("nose", "tail"), ((0, 1),), (0, 1))


def keypoints() -> Prediction:
    told = Keypoints(
        PAIR,
        np.array([[4.5, 5.25], [20.0, 12.0]]),
        np.full(2, Visibility.VISIBLE, np.int8),
        np.array([0.9, 0.5], np.float32),
    )
    return Prediction("cat", SIZE, (Instance("cat", keypoints=told),))


def gaze(in_frame: bool) -> Prediction:
    told = Gaze(np.array([[25.0, 6.0]]), in_frame, None, 0.75 if in_frame else 0.25)
    return Prediction("cat", SIZE, (Instance("person", head_box=np.array([2.0, 2, 8, 8]), gaze=told),))


def depth() -> Prediction:
    return Prediction("cat", SIZE, depth=Depth(np.linspace(1, 5, 24 * 32, dtype=np.float32).reshape(SIZE)))


def masked() -> Prediction:
    mask = np.zeros(SIZE, bool)
    mask[6:18, 8:24] = True
    return Prediction("cat", SIZE, (Instance("cat", mask=lambda: mask, confidence=0.8),))


def boxed() -> Prediction:
    return Prediction("cat", SIZE, (Instance("dog", box=np.array([3.0, 4, 20, 22]), confidence=0.6),) * 2)


def edges() -> Prediction:
    values = np.zeros((1, *SIZE), np.float32)
    values[:, 10] = 1
    return Prediction("cat", SIZE, maps={"edges": ScoreMap(values, View(SIZE, SIZE, np.eye(3)), "drawing")})


def labelled() -> Prediction:
    return Prediction("cat", SIZE, label_scores={"dog": 0.3, "cat": 0.7})


@pytest.mark.parametrize(
    ("prediction", "table"),
    [
        (keypoints(), [("nose", "x 4.5, y 5.2", "0.90"), ("tail", "x 20.0, y 12.0", "0.50")]),
        (gaze(True), [("person", "looks at x 25.0, y 6.0", "0.75 in the image")]),
        (gaze(False), [("person", "looks out of the image", "0.25 in the image")]),
        (masked(), [("cat", "25.0 % of the image", "0.80")]),
        (
            boxed(),
            [("dog 1", "x 3.0 to 20.0, y 4.0 to 22.0", "0.60"), ("dog 2", "x 3.0 to 20.0, y 4.0 to 22.0", "0.60")],
        ),
        (labelled(), [("cat", "the whole image", "0.70"), ("dog", "the whole image", "0.30")]),
    ],
)
def test_tables_say_what_was_found(prediction: Prediction, table: list[tuple[str, str, str]]) -> None:
    assert list(rows(prediction)) == table


def test_depth_is_told_in_metres_where_it_has_them() -> None:
    assert [where for _, where, _ in rows(depth())] == [
        "depth below 1.08 m",
        "depth below 3.00 m",
        "depth below 4.92 m",
    ]


def test_unknown_depth_has_no_rows() -> None:
    assert not list(rows(Prediction("cat", SIZE, depth=Depth(np.full(SIZE, np.nan, np.float32)))))


@pytest.mark.parametrize("prediction", [keypoints(), gaze(True), depth(), masked(), boxed(), labelled()])
def test_answers_are_json(prediction: Prediction, tmp_path: Path) -> None:
    from gensight.files.atomic import write_json

    request = Request(instruction="segment the cat", task="segment", classes=("cat",))
    answered = Answer(Sample("cat", SIZE, lambda: IMAGE), prediction, IMAGE, (), (), (), request)
    write_json(tmp_path / "a.json", described(answered, "demo"))

    told = json.loads((tmp_path / "a.json").read_text())
    assert (told["run"], told["image"], told["instruction"], told["classes"]) == (
        "demo", "cat", "segment the cat", ["cat"]
    )  # fmt: skip
    assert len(told["instances"]) == len(prediction.instances)


def test_messages_name_the_visitors_file_and_no_path_of_the_server() -> None:
    named = DataError("the file is empty", where="cat.png", hint="choose an image")

    assert message(named) == "The file is empty (cat.png). Next: choose an image."
    assert message(RunError("the weights don't fit", where="/srv/runs/secret")) == "The weights don't fit."
    assert message(DataError("cannot be read", where="/srv/secret.png")) == "Cannot be read."


@pytest.mark.parametrize(("num", "told"), [(2, "c0, c1"), (12, "c10, c11"), (15, "c10, c11 and 3 more")])
def test_messages_name_the_first_choices(num: int, told: str) -> None:
    error = ConfigError("there is no such class", choices=[f"c{k}" for k in range(num)], hint="name one of these")

    assert message(error).startswith("There is no such class. Valid: c0, c1")
    assert message(error).endswith(f"{told}. Next: name one of these.")


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        ("name one of them in words, or another with --classes", " Next: name one of them in words."),
        ("ask for 3 or fewer at a time, with --classes", " Next: ask for 3 or fewer at a time."),
        ("say so with --task, or use another word", " Next: use another word."),
        ("say so with --task", ""),
    ],
)
def test_messages_name_no_option_of_the_command_line(hint: str, told: str) -> None:
    assert message(ConfigError("it can't be read", hint=hint)) == f"It can't be read.{told}"


def test_points_below_the_threshold_are_guesses_and_matches_have_both_places() -> None:
    found = keypoints().instances[0].keypoints
    assert found is not None
    unsure = replace(found, visibility=np.array([Visibility.VISIBLE, Visibility.ABSENT], np.int8))
    table = list(rows(Prediction("cat", SIZE, (Instance("cat", keypoints=unsure),))))
    assert [where for _, where, _ in table] == ["x 4.5, y 5.2", "x 20.0, y 12.0 (a guess)"]

    matched = Prediction("cat", SIZE, matches=Matches(np.array([[3.0, 4.0]]), np.array([0.5], np.float32)))
    request = Request(reference=Sample("dog", SIZE, lambda: IMAGE), points=np.array([[1.0, 2.0]]))
    assert list(rows(matched, request)) == [("point 1", "x 1.0, y 2.0 → x 3.0, y 4.0", "0.50")]
    alike = Prediction("cat", SIZE, similarities=(0.25,))
    assert list(rows(alike)) == [("similarity", "of the two images, from -1 to 1", "0.250")]
