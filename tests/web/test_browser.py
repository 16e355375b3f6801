"""The page in a real browser that reaches no other machine: upload, draw, predict, look back; mistakes are told."""

import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gensight.files.images import write_image
from gensight.files.videos.writing import VideoWriter
from gensight.web.server import running_page
from gensight.web.uploads import Limits
from tests.web.browser import CHROMIUM, Browser, open_browser
from tests.web.test_uploads import huge_png

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")
slow = pytest.mark.slow
DRAWN = "!!document.querySelector('.gs-layer img') && document.querySelector('.gs-layer img').naturalWidth"
OPENED = "!!document.querySelector('.gs-stage:not([hidden])')"
CLOSED = "!!document.querySelector('.gs-stage[hidden]')"
MARKS = "document.querySelector('.gs-typed textarea').value"


@pytest.fixture
def browser(keypoint_run: Path, gaze_run: Path, instruct_run: Path, tmp_path: Path) -> Iterator[Browser]:
    with (
        running_page([keypoint_run, gaze_run, instruct_run], port=0, limits=Limits(max_pixels=4_000_000)) as address,
        open_browser(address, tmp_path / "profile") as browser,
    ):
        browser.wait("!!document.querySelector('#predict')")
        yield browser


@pytest.fixture
def phone(keypoint_run: Path, tmp_path: Path) -> Iterator[Browser]:
    with running_page([keypoint_run], port=0) as address, open_browser(address, tmp_path / "profile") as browser:
        browser.be_phone(390, 844)
        browser.wait("!!document.querySelector('#predict')")
        yield browser


def shot(browser: Browser, name: str) -> None:
    """Keeps a screenshot where the environment says so, to be looked at."""
    if folder := os.environ.get("GENSIGHT_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        browser.screenshot(Path(folder) / f"{name}.png")


def image_file(folder: Path, size: tuple[int, int] = (96, 128)) -> Path:
    write_image(folder / "person.png", np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8))
    return folder / "person.png"


def fits(browser: Browser) -> bool:
    return bool(browser.value("document.documentElement.scrollWidth <= window.innerWidth"))


def test_on_a_phone_a_box_is_drawn_by_touch_and_the_answer_lies_on_the_image(phone: Browser, tmp_path: Path) -> None:
    assert fits(phone)
    assert "Trained on" in phone.value("document.querySelector('#about').innerText")
    phone.upload(image_file(tmp_path), "#image")
    phone.wait(OPENED)
    phone.drag(".gs-marks", (0.2, 0.2), (0.8, 0.9), touch=True)
    corners = [float(value) for value in phone.wait(MARKS).split()]
    np.testing.assert_allclose(corners, [25.6, 19.2, 102.4, 86.4], atol=1.5)  # in pixels of the image
    phone.click("#predict")
    phone.wait(DRAWN)
    shot(phone, "phone")
    assert fits(phone)
    width = phone.value("document.querySelector('.gs-view').getBoundingClientRect().width")
    assert 300 < width <= 390  # the image of 128 pixels is enlarged
    assert "confidence" in phone.value("document.querySelector('#result').innerText")

    phone.drag(".gs-marks", (0.8, 0.9), (0.6, 0.6), touch=True)  # by its corner
    assert phone.value("!!document.querySelector('.gs-stale')")
    moved = [float(value) for value in phone.value(MARKS).split()]
    np.testing.assert_allclose(moved, [25.6, 19.2, 76.8, 57.6], atol=1.5)
    phone.click(".gs-clear")
    phone.wait(f"{MARKS} === ''")
    phone.click("#predict")
    phone.wait("!document.querySelector('.gs-stale')")
    assert fits(phone)
    assert not [url for url in phone.requests if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))]
    assert phone.problems == []


@slow
def test_an_example_has_boxes_and_truth_and_layers_are_switched(browser: Browser, tmp_path: Path) -> None:
    browser.click("#examples button.thumbnail-item")
    browser.wait(OPENED)
    assert browser.value(MARKS)
    browser.click("#predict")
    browser.wait(DRAWN)
    names = browser.value("[...document.querySelectorAll('.gs-chip')].map(one => one.textContent)")
    assert names[0] == "Answer"
    assert {"Ground truth", "Boxes"} <= set(names)
    truth = "[...document.querySelectorAll('.gs-layer')].find(one => one.querySelector('img').alt == 'Ground truth')"
    assert browser.value(f"{truth}.hidden")
    browser.value("[...document.querySelectorAll('.gs-chip')].find(one => one.textContent == 'Ground truth').click()")
    assert not browser.value(f"{truth}.hidden")
    shot(browser, "answer")
    browser.wait("document.querySelectorAll('#history img').length == 1")
    saved = browser.download(".gs-file[download$='-pose.csv']", tmp_path / "downloads")
    assert saved.name == "example-01-pose.csv"

    browser.click(".gs-other")
    browser.wait(CLOSED)
    browser.click("#history button.thumbnail-item")
    browser.wait(DRAWN)
    shot(browser, "history")
    assert browser.problems == []


@slow
def test_a_video_is_shown_with_what_was_found(phone: Browser, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "walk.mp4", 5) as writer:
        for number in range(6):
            writer.write(np.full((48, 64, 3), 40 * number, np.uint8))
    phone.upload(tmp_path / "walk.mp4", "#left", "[accept*=video]")
    phone.wait(OPENED)
    assert "all frames" in phone.value("document.querySelector('.gs-hint').textContent")
    phone.click("#predict")
    phone.wait("document.querySelector('.gs-video').videoWidth == 64")
    assert phone.value("document.querySelector('#result').innerText").count("walk-pose.") == 4
    assert fits(phone)
    assert phone.problems == []


def choose_run(browser: Browser, name: str) -> None:
    browser.click("#run input")
    browser.wait(f"[...document.querySelectorAll('[role=option]')].some(one => one.innerText.includes({name!r}))")
    browser.value(f"[...document.querySelectorAll('[role=option]')].find(one => one.innerText.includes({name!r}))"
                  ".dispatchEvent(new MouseEvent('mousedown', {bubbles: true}))")  # fmt: skip


@slow
def test_instructions_are_typed_and_answered_and_the_answer_is_taken_along(browser: Browser, tmp_path: Path) -> None:
    choose_run(browser, "words")
    browser.wait("!!document.querySelector('#instruction textarea')")
    browser.upload(image_file(tmp_path), "#image")
    browser.wait(OPENED)
    browser.write("#instruction textarea", "estimate the depth")
    browser.click("#predict")
    browser.wait(DRAWN)
    browser.wait("document.querySelector('#result').innerText.includes('half of the pixels')")
    shot(browser, "instruction")

    browser.value("document.querySelector('#instruction textarea').value = ''")
    browser.value("document.querySelector('#instruction textarea').dispatchEvent(new Event('input', {bubbles: true}))")
    browser.write("#instruction textarea", "segment the person")
    browser.click("#predict")
    browser.wait("document.querySelectorAll('#history img').length == 2")
    shot(browser, "segmented")
    packed = browser.download(".gs-file[download$='.zip']", tmp_path / "downloads")
    assert packed.name == "person-segment.zip"
    with zipfile.ZipFile(packed) as archive:
        told = json.loads(archive.read("answers.json"))
    assert (told["instruction"], told["task"], told["classes"]) == ("segment the person", "segment", ["person"])


@slow
def test_a_picture_is_taken_with_the_webcam(browser: Browser) -> None:
    browser.click("#image button[aria-label='Capture from camera']")
    browser.click("#image [title='grant webcam access']")
    browser.wait("!!document.querySelector('#image video') && document.querySelector('#image video').videoWidth")
    browser.click("#image button[aria-label='capture photo']")
    browser.wait(OPENED)
    browser.click("#predict")
    browser.wait(DRAWN)
    shot(browser, "webcam")
    assert browser.problems == []


@slow
def test_mistakes_are_told_on_the_page_and_go_with_the_next_success(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("I am a text")
    huge_png(tmp_path / "huge.png")
    write_image(tmp_path / "good.png", np.zeros((8, 8, 3), np.uint8))
    path_in_name = tmp_path / "..\\..\\secret.png"
    shutil.copy(tmp_path / "good.png", path_in_name)
    for path, problem in (
        (tmp_path / "text.jpg", "The file is not an image or a video, whatever its name says (text.jpg)"),
        (tmp_path / "huge.png", "The image has too many pixels (huge.png)"),
        (path_in_name, "The name of the file holds a path, and only plain names are taken"),
    ):
        browser.upload(path, "#image")
        browser.wait(f"document.body.innerText.includes({problem!r})")
        browser.wait("!document.querySelector('#image img')")
        shot(browser, f"refused-{path.stem.strip('.').strip(chr(92) + '.')}")
    browser.click("#predict")
    browser.wait("document.body.innerText.includes('No image is given')")
    browser.upload(tmp_path / "good.png", "#image")
    browser.wait(OPENED)
    browser.wait("!document.querySelector('.gs-problem')")
