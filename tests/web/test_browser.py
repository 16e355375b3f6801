"""The page in a real browser that reaches no other machine: upload, ask, see, look back; mistakes are told."""

import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gensight.files.images import write_image
from gensight.web.server import running_page
from gensight.web.uploads import Limits
from tests.web.browser import CHROMIUM, Browser, open_browser
from tests.web.test_uploads import huge_png

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")]


@pytest.fixture
def browser(keypoint_run: Path, gaze_run: Path, instruct_run: Path, tmp_path: Path) -> Iterator[Browser]:
    with (
        running_page([keypoint_run, gaze_run, instruct_run], port=0, limits=Limits(max_pixels=4_000_000)) as address,
        open_browser(address, tmp_path / "profile") as browser,
    ):
        browser.wait("!!document.querySelector('#ask')")
        yield browser


def shot(browser: Browser, name: str) -> None:
    """Keeps a screenshot where the environment says so, to be looked at."""
    if folder := os.environ.get("GENSIGHT_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        browser.screenshot(Path(folder) / f"{name}.png")


def test_upload_ask_see_and_look_back(browser: Browser, tmp_path: Path) -> None:
    write_image(tmp_path / "person.png", np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8))
    browser.upload(tmp_path / "person.png", "#image")
    browser.wait("!!document.querySelector('#image img')")
    browser.write("#boxes textarea", "26 19 102 86")
    browser.wait("!!document.querySelector('#marked img')")
    browser.click("#ask")
    browser.wait("!!document.querySelector('#overlay img') && document.querySelector('#overlay img').naturalWidth")
    assert browser.value("document.querySelector('#target img').naturalWidth") == 128
    browser.wait("document.querySelector('#files').innerText.includes('.json')")
    browser.wait("document.querySelectorAll('#history img').length == 1")
    shot(browser, "answer")

    browser.click("#clear")
    browser.wait("!document.querySelector('#overlay img')")
    browser.click("#history button.thumbnail-item")
    browser.wait("!!document.querySelector('#overlay img')")
    browser.click("#examples button.thumbnail-item")
    browser.wait("!!document.querySelector('#image img')")
    shot(browser, "history")

    assert not [url for url in browser.requests if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))]
    assert browser.problems == []


def choose_run(browser: Browser, name: str) -> None:
    browser.click("#run input")
    browser.wait(f"[...document.querySelectorAll('[role=option]')].some(one => one.innerText.includes({name!r}))")
    browser.value(f"[...document.querySelectorAll('[role=option]')].find(one => one.innerText.includes({name!r}))"
                  ".dispatchEvent(new MouseEvent('mousedown', {bubbles: true}))")  # fmt: skip


def test_instructions_are_typed_and_answered_and_the_answer_is_taken_along(browser: Browser, tmp_path: Path) -> None:
    choose_run(browser, "words")
    browser.wait("!!document.querySelector('#instruction textarea')")
    write_image(tmp_path / "scene.png", np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8))
    browser.upload(tmp_path / "scene.png", "#image")
    browser.wait("!!document.querySelector('#image img')")
    browser.write("#instruction textarea", "estimate the depth")
    browser.click("#ask")
    browser.wait("!!document.querySelector('#target img') && document.querySelector('#target img').naturalWidth")
    browser.wait("document.querySelector('#table').innerText.includes('half of the pixels')")
    shot(browser, "instruction")

    browser.click("#clear")
    browser.wait("!document.querySelector('#overlay img')")
    browser.upload(tmp_path / "scene.png", "#image")
    browser.wait("!!document.querySelector('#image img')")
    browser.write("#instruction textarea", "segment the person")
    browser.click("#ask")
    browser.wait("!!document.querySelector('#target img') && document.querySelector('#target img').naturalWidth")
    browser.wait("document.querySelectorAll('#history img').length == 2")
    shot(browser, "segmented")
    packed = browser.download("#files a[download$='.zip']", tmp_path / "downloads")
    assert packed.name == "scene-all.zip"
    with zipfile.ZipFile(packed) as archive:
        told = json.loads(archive.read("answers.json"))
    assert (told["instruction"], told["task"], told["classes"]) == ("segment the person", "segment", ["person"])


def test_a_picture_is_taken_with_the_webcam(browser: Browser) -> None:
    browser.click("#image button[aria-label='Capture from camera']")
    browser.click("#image [title='grant webcam access']")
    browser.wait("!!document.querySelector('#image video') && document.querySelector('#image video').videoWidth")
    browser.click("#image button[aria-label='capture photo']")
    browser.wait("!!document.querySelector('#image img') && document.querySelector('#image img').naturalWidth")
    browser.click("#ask")
    browser.wait("!!document.querySelector('#overlay img') && document.querySelector('#overlay img').naturalWidth")
    shot(browser, "webcam")
    assert browser.problems == []


def test_mistakes_are_told_on_the_page(browser: Browser, tmp_path: Path) -> None:
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
    browser.click("#ask")
    browser.wait("document.body.innerText.includes('No image is given')")
