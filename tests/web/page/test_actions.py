"""What the controls do, without a network."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.prediction.trained_run import TrainedRun
from gensight.web.answers.store import AnswerStore
from gensight.web.examples import examples_of
from gensight.web.headline import Headline
from gensight.web.page.actions import Page, downloads, guide, headline_html, problem, table
from gensight.web.served_files import ServedFiles
from gensight.web.uploads import Limits
from gensight.web.visitors import VISITOR

NAME = "small"


def request(visitor: str) -> gr.Request:
    made: Any = SimpleNamespace(scope={VISITOR: visitor})
    return gr.Request(request=made)


def told(update: Any) -> dict[str, Any]:
    """What an update of a component changes."""
    return dict(update.constructor_args)


@pytest.fixture(scope="module")
def page(keypoint_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = (tmp_path_factory.mktemp("page") / "files").resolve()
    trained = TrainedRun.load(keypoint_run, "cpu")
    offered = {NAME: examples_of(trained, folder / "examples", Limits(), None)}
    return Page({NAME: trained}, offered, AnswerStore(folder / "answers"), ServedFiles(folder), Limits())


def uploaded(page: Page, tmp_path: Path, visitor: str = "a") -> tuple[str, str]:
    write_image(tmp_path / "cat.png", np.full((30, 40, 3), 90, np.uint8))
    return page.files.add_upload((tmp_path / "cat.png").read_bytes(), "cat.png", visitor), "cat.png"


def test_an_upload_becomes_a_scene_in_its_own_pixels(page: Page, tmp_path: Path) -> None:
    upload = uploaded(page, tmp_path)
    _, video, stage, panel, _ = page.open_image(NAME, upload, request("a"))

    assert video is None
    scene = told(stage)["scene"]
    assert (scene["size"], scene["mode"], scene["title"], scene["layers"]) == ([40, 30], "boxes", "cat.png", [])
    key = scene["image"].removeprefix("gradio_api/file=")
    with page.files.open(key, "a")[0] as file:
        assert file.read(4) == b"\x89PNG"
    with pytest.raises(DataError):
        page.files.open(key, "b")
    assert told(panel)["visible"] is False


def test_an_answer_has_layers_numbers_and_files_for_its_visitor(page: Page, tmp_path: Path) -> None:
    upload = uploaded(page, tmp_path)
    stage, panel, result, history, gallery = page.show(
        NAME,
        upload,
        None,
        "",
        "",
        "5 5 30 25",
        None,
        [],
        request("a"),
    )

    scene = told(stage)["scene"]
    assert {"Answer"} <= {one["name"] for one in scene["layers"]}
    assert all(one["url"].startswith("gradio_api/file=") for one in scene["layers"])
    assert told(panel)["visible"] is False
    assert result.count("<tr>") == 1 + 18
    assert [f'download="cat-pose.{kind}"' in result for kind in ("png", "csv", "json", "zip")] == [True] * 4
    assert str(tmp_path) not in result
    assert len(history) == 1
    assert told(gallery)["visible"] is True


def test_a_mistake_changes_the_problem_alone(page: Page, tmp_path: Path) -> None:
    nobody = page.show(NAME, None, None, "", "", "", None, [], request("a"))
    boxes = page.show(NAME, uploaded(page, tmp_path), None, "", "", "1 2 3", None, [], request("a"))
    foreign = page.show(NAME, uploaded(page, tmp_path, "b"), None, "", "", "", None, [], request("a"))

    for outcome, text in (
        (nobody, "No image is given."), (boxes, "Line 1 of the boxes is not four numbers"), (foreign, "Only uploaded")
    ):  # fmt: skip
        assert text in told(outcome[1])["value"]
        assert told(outcome[1])["visible"] is True
        assert [outcome[0], *outcome[2:]] == [outcome[0]] * 4  # nothing else changes


def test_an_example_comes_with_its_boxes_and_its_truth(page: Page) -> None:
    first = page.examples[NAME][0]
    _, _, path, video, stage, *_ = page.example(NAME, gr.SelectData(None, {"index": 0, "value": None}), request("a"))

    assert (path, video) == (str(first.path), None)
    assert told(stage)["value"] == first.marks
    key = page.files.add(first.path, "a")
    saved = page.answer(NAME, (key, ""), "", "", first.marks, None, "a")
    assert "Ground truth" in {one.name for one in saved.layers}


def test_names_never_become_html() -> None:
    evil = "<img src=x onerror=alert(1)>"
    stated = headline_html(Headline(evil, evil, evil, ((evil, evil),), evil))
    for text in (stated, table(((evil, evil, evil),)), told(problem(DataError(evil)))["value"]):
        assert "<img" not in text


def test_links_name_files_by_keys(tmp_path: Path) -> None:
    (tmp_path / "cat-pose.csv").write_bytes(bytes(2_500))
    links = downloads([tmp_path / "cat-pose.csv"], lambda path: "gradio_api/file=KEY/" + path.name)

    assert 'href="gradio_api/file=KEY/cat-pose.csv" download="cat-pose.csv"' in links
    assert "2 kB" in links
    assert str(tmp_path) not in links


def test_the_guide_names_what_the_run_takes(page: Page) -> None:
    assert "Draw a box around each subject" in guide(page.runs[NAME])
