"""The whole page: complete, self-contained, and safe whatever names the data carry."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gensight.errors import RunError
from gensight.report import write_report
from tests.report.fake_run import write_fake_run

HOSTILE = '<script>alert("x")</script>'
HOSTILE_KEYPOINTS = (HOSTILE, "$\\frac{a", "--> </svg> &amp;", "尻尾")


class Tags(HTMLParser):
    """Collects tags, attributes and text, and checks that every element is closed."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_run(tmp_path_factory.mktemp("runs") / "mouse", num_items=12)


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return write_report([folder], folder / "report.html").read_text()


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two runs, one of them with hostile names in every place that a user's data reach."""
    parent = tmp_path_factory.mktemp("hostile")
    plain = write_fake_run(parent / "plain", num_items=3)
    folder = write_fake_run(parent / "<script>run", HOSTILE_KEYPOINTS[0], 3, keypoints=HOSTILE_KEYPOINTS)
    (folder / "config.yaml").write_text(f"name: '{HOSTILE}'\ndescription: '{HOSTILE}'\nseed: '{HOSTILE}'\n")
    for name in ("metrics.json", "predictions.json"):
        path = folder / name
        path.write_text(path.read_text().replace("scratch", "<b>scratch").replace("m4s1/", "<script>/"))
    return write_report([plain, folder], parent / "report.html").read_text()


def test_shows_everything_that_is_known(page: str) -> None:
    text = " ".join(" ".join(Tags(page).text).split())
    metrics = ("mean-px", "pck-box@0.10", "readout", "random-weights", "mean-position", "scratch")
    learning = ("training loss", "validation loss", "validation mean-px")
    cost = ("1.23 M", "8.4 min", "2 CPU cores, 16 GB", "21.4", "1.21 GiB", "480.0 k")
    facts = (
        "Four points on a synthetic mouse",
        "deeplabcut (data/openfield)",
        "tiny (frozen)",
        "1,200 steps",
        "12 images",
    )
    reproduce = ("gensight train", "config.yaml", "torch 2.13.0", "kind: heatmap", "5f0c9a1be2d34c77")
    notes = ("3 groups of images were resampled", "12 of 12 items have a picture")
    for words in (*metrics, *learning, *cost, *facts, *reproduce, *notes, "snout", "rank 12 of 12", "better"):
        assert words in text, words
    assert 'class="absent"' not in page


def test_scores_stand_with_their_intervals(page: str, folder: Path) -> None:
    for model in json.loads((folder / "metrics.json").read_text())["scores"]:
        value, (low, high) = model["results"][0]["value"], model["results"][0]["interval"]
        assert f'{value:.2f} px<span class="interval">[{low:.2f}, {high:.2f}]</span>' in page


def test_pictures_are_inside_and_differ(page: str) -> None:
    sources = re.findall(r'<img src="(data:image/jpeg;base64,[A-Za-z0-9+/=]+)"', page)
    assert len(sources) == 12
    assert len(set(sources)) == 12


@pytest.mark.parametrize("name", ["page", "hostile_page"])
def test_needs_nothing_from_outside_and_runs_nothing(name: str, request: pytest.FixtureRequest) -> None:
    page = request.getfixturevalue(name)
    tags = Tags(page)
    assert tags.open == []
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(tags.tags)
    assert not [name for name, _ in tags.attributes if name.startswith("on")]
    for attribute, value in tags.attributes:
        if attribute in ("src", "href", "xlink:href"):
            assert value.startswith(("data:image/jpeg;base64,", "#")), value
    assert not re.search(r"https?://|@import|url\((?!#)", page)
    assert "default-src 'none'" in page


def test_hostile_names_are_shown_as_they_are_written(hostile_page: str) -> None:
    text = "".join(Tags(hostile_page).text)
    assert HOSTILE in text
    for words in (*HOSTILE_KEYPOINTS, "<b>scratch", "<script>/img0001.png"):
        assert words in text, words


def test_follows_the_readers_theme_and_screen(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport" content="width=device-width' in page
    assert not re.search(r"#0a0b0\d|#010203|#040506", page)  # every stand-in colour was replaced
    assert "var(--series-0)" in page


def test_names_what_is_absent(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "bare"
    shutil.copytree(folder, run, ignore=shutil.ignore_patterns("model", "log", "predictions.json"))
    metrics = json.loads((run / "metrics.json").read_text())
    metrics["differences"] = []
    for model in metrics["scores"]:
        model["results"] = model["results"][1:]
    (run / "metrics.json").write_text(json.dumps(metrics))
    text = " ".join(write_report([run], run / "report.html").read_text().split())
    for words in (
        "mouse has no training log: log/metrics.csv is absent or empty.",
        "mouse has no predictions: predictions.json is absent.",
        "The model’s card (model/card.json) is absent.",
        "No baseline was compared",
        "No errors in pixels are known",
    ):
        assert words in text, words


def test_runs_without_pictures_or_scores_still_have_a_page(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "bare"
    shutil.copytree(folder, run, ignore=shutil.ignore_patterns("pictures"))
    (run / "metrics.json").write_text('{"scores": []}')
    page = write_report([run], run / "report.html").read_text()
    assert "mouse keeps no pictures: none of its 12 items names one inside the run folder." in page
    assert "No model was scored" in page
    assert write_report([run], run / "again.html").read_text() == page  # the same files give the same page


def test_no_run_and_no_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="needs at least one run folder"):
        write_report([], tmp_path / "report.html")
    with pytest.raises(RunError, match="run folder not found"):
        write_report([tmp_path / "nowhere"], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
