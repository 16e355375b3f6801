"""What runs take, and what they refuse."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from gensight.config.encodings import Single
from gensight.diffusion.sampling import Sampling
from gensight.encodings.base import Encoding
from gensight.encodings.gaze import GazeMap
from gensight.encodings.heatmap import Heatmap
from gensight.encodings.pairs.appearance import Appearance
from gensight.encodings.pairs.correspondence import Correspondence
from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError, DataError
from gensight.prediction.request import Kind, Request, head_items, request_kind, subject_items
from gensight.samples import Sample
from gensight.skeletons import OPENPOSE_18
from tests.prediction.test_predictor import Mean

SAMPLE = Sample("folder/a.png", (10, 20), lambda: np.zeros((10, 20, 3), np.uint8))
BOXES = {"a.png": [(np.array([1.0, 2.0, 3.0, 4.0]), 0.5), (np.array([5.0, 5.0, 9.0, 9.0]), 1.0)]}


class FakeRun:
    """As much of a run as a request needs."""

    def __init__(self, encoding: Encoding, kind: str, crop: str) -> None:
        self.folder, self.skeleton = RunFolder(Path("runs/fake")), None
        self.encoding, self.method = encoding, Mean()
        self.config: Any = SimpleNamespace(
            encoding=TypeAdapter(Single).validate_python({"kind": kind}),
            view=SimpleNamespace(crop=crop),
            method=SimpleNamespace(kind="readout"),
        )


def keypoints(crop: str) -> FakeRun:
    return FakeRun(Heatmap(OPENPOSE_18), "heatmap", crop)


def gaze() -> FakeRun:
    return FakeRun(GazeMap(), "gaze", "stretched-frame")


def pairs(kind: str) -> FakeRun:
    return FakeRun(Correspondence() if kind == "correspondence" else Appearance(), kind, "frame")


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        (keypoints("frame"), "image"), (keypoints("stretched-frame"), "image"), (keypoints("box"), "boxes"),
        (keypoints("stretched-box"), "boxes"), (gaze(), "heads"), (pairs("correspondence"), "pair"),
    ],
)  # fmt: skip
def test_what_runs_take(run: FakeRun, kind: Kind) -> None:
    assert request_kind(run) == kind


@pytest.mark.parametrize(
    ("run", "request_", "message"),
    [
        (keypoints("frame"), Request(boxes=BOXES), "looks at whole images, so it takes no boxes"),
        (keypoints("box"), Request(heads=BOXES), "only gaze runs take the boxes of heads"),
        (keypoints("box"), Request(instruction="segment the cat"), "takes no instruction"),
        (keypoints("box"), Request(reference=SAMPLE), r"this run reads single images \(heatmap\)"),
        (keypoints("box"), Request(sampling=Sampling(steps=2)), "is one-step: it has no noise and no --steps"),
        (gaze(), Request(), "needs the boxes of heads, and none are known"),
        (gaze(), Request(boxes=BOXES), "needs the boxes of heads"),
        (pairs("appearance"), Request(), r"compares images \(appearance\)[\s\S]*gensight match"),
    ],
)
def test_what_runs_refuse(run: FakeRun, request_: Request, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        request_.resolve(run)


def test_points_of_pairs() -> None:
    assert Request(reference=SAMPLE).resolve(pairs("appearance")).points is None
    assert Request(reference=SAMPLE, points=np.ones((1, 2))).resolve(pairs("appearance")).points is None
    grid = Request(reference=SAMPLE).resolve(pairs("correspondence")).points
    assert grid is not None
    assert len(grid) == 32
    with pytest.raises(DataError, match="lies outside the image of 20 x 10"):
        Request(reference=SAMPLE, points=np.array([[30.0, 1.0]])).resolve(pairs("correspondence"))


def test_boxes_are_found_by_key_or_bare_name() -> None:
    items = subject_items(SAMPLE, BOXES)
    assert [item.subject.box.tolist() for item in items if item.subject is not None] == [[1, 2, 3, 4], [5, 5, 9, 9]]
    assert [item.subject.confidence for item in items if item.subject is not None] == [0.5, 1]
    assert not subject_items(SAMPLE, {"b.png": BOXES["a.png"]})
    (whole,) = subject_items(SAMPLE, None)
    assert whole.subject is not None
    np.testing.assert_array_equal(whole.subject.box, [0, 0, 20, 10])


def test_a_head_is_shown_beside_its_scene() -> None:
    first, second = head_items(SAMPLE, BOXES)
    assert (len(first.samples), first.instance, second.instance) == (2, 0, 1)
    assert second.subject is not None
    np.testing.assert_array_equal(second.subject.head_box, [5, 5, 9, 9])


def test_the_noise_of_an_instruction_is_the_images_own() -> None:
    other = Sample("b", SAMPLE.size, SAMPLE.image)
    words = Request(instruction="segment the cat")
    assert words.noise_key(SAMPLE) != words.noise_key(other)
    assert Request().noise_key(SAMPLE) == Request().noise_key(other) == 0
