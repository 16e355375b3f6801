"""The page over the network: what is answered, and what can't be had."""

import io
import json
import socket
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image

from gensight.cli.main import main
from gensight.encodings.painted.instructed import Instructed
from gensight.errors import ConfigError, DataError, ResourceError, RunError
from gensight.files.videos.writing import VideoWriter
from gensight.methods.instruct.method import Instruct
from gensight.prediction.trained_run import TrainedRun
from gensight.readers.puppets import PuppetsReader
from gensight.samples import Sample
from gensight.web.answers.answer import answer
from gensight.web.answers.store import AnswerStore
from gensight.web.served_files import NOT_TAKEN
from gensight.web.server import load_runs, running_page
from gensight.web.uploads import Limits
from tests.web.test_uploads import huge_png

Answered = tuple[str, Any]


@pytest.fixture(scope="module")
def client(keypoint_run: Path) -> Iterator[httpx.Client]:
    with (
        running_page([keypoint_run], port=0, limits=Limits(max_pixels=1_000_000, max_megabytes=0.5)) as address,
        httpx.Client(base_url=f"{address}/gradio_api", trust_env=False, timeout=120) as client,
    ):
        yield client


def upload(client: httpx.Client, name: str, content: bytes) -> str:
    response = client.post("/upload", files={"files": (name, content)})
    assert response.status_code == 200, response.text
    return str(response.json()[0])


def ask(
    client: httpx.Client,
    path: str,
    name: str = "cat.png",
    boxes: str = "",
    run: str = "small",
    instruction: str = "",
) -> Answered:
    image = {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
    data = [run, image, instruction, "by the words", boxes]
    joined = client.post("/call/ask", json={"data": data})
    if joined.status_code != 200:
        return str(joined.status_code), joined.text
    told = client.get(f"/call/ask/{joined.json()['event_id']}").text.strip().split("\n\n")[-1]
    event, said = (line.partition(": ")[2] for line in told.splitlines())
    return event, json.loads(said)


def png(shape: tuple[int, int] = (48, 64)) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*shape, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_question_is_answered_with_pictures_numbers_and_files(client: httpx.Client) -> None:
    event, said = ask(client, upload(client, "cat.png", png()), boxes="5 5 40 45")

    assert event == "complete", said
    drawn, mapped, table, files = said
    for picture in (drawn, mapped):
        fetched = client.get(f"/file={picture['path']}")
        assert Image.open(io.BytesIO(fetched.content)).size == (960, 720)  # small images are enlarged
    assert len(table["data"]) == 18
    assert [file["orig_name"] for file in files] == [f"cat-pose.{kind}" for kind in ("png", "csv", "json", "zip")]
    told = client.get(f"/file={files[2]['path']}").json()
    assert told["instances"][0]["box"] == [5, 5, 40, 45]
    assert client.get(f"/file={files[1]['path']}").text.startswith("scorer,small,")


def test_a_video_is_predicted_on_and_fetched_in_parts(client: httpx.Client, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "walk.mp4", 5) as writer:
        for number in range(4):
            writer.write(np.full((48, 64, 3), 40 * number, np.uint8))
    key = upload(client, "walk.mp4", (tmp_path / "walk.mp4").read_bytes())

    event, said = ask(client, key, "walk.mp4", boxes="5 5 40 45")

    assert event == "complete", said
    names = {file["orig_name"]: file["path"] for file in said[3]}
    assert [*names] == [f"walk-pose.{kind}" for kind in ("mp4", "csv", "json", "zip")]
    assert len(client.get(f"/file={names['walk-pose.csv']}").text.splitlines()) == 4 + 4  # of the header
    assert said[2]["data"][0][:2] == ["frames", "4, 5 a second"]
    video = client.get(f"/file={names['walk-pose.mp4']}")
    assert (video.status_code, video.headers["content-type"]) == (200, "video/mp4")
    part = client.get(f"/file={names['walk-pose.mp4']}", headers={"range": "bytes=4-11"})
    assert (part.status_code, part.content) == (206, video.content[4:12])
    assert part.headers["content-range"] == f"bytes 4-11/{len(video.content)}"
    shown = client.get(f"/file={names['walk-pose.mp4']}", headers={"range": "bytes=99999999-"})
    assert (shown.status_code, len(shown.content)) == (200, len(video.content))


def test_a_list_of_files_is_no_video(client: httpx.Client) -> None:
    for content in (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", b"ffconcat version 1.0\nfile '/etc/hostname'\n"):
        event, said = ask(client, upload(client, "clip.mp4", content), "clip.mp4")
        assert event == "error"
        assert said["error"].startswith("The file is not an image or a video")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        (
            "holiday.jpg",
            b"I am a text",
            "The file is not an image or a video, whatever its name says (holiday.jpg). Valid: JPEG,",
        ),
        ("..\\..\\secret.png", png(), "The name of the file holds a path, and only plain names are taken"),
        ("large.png", png((1, 1)), None),
    ],
)
def test_mistakes_are_told_politely(client: httpx.Client, name: str, content: bytes, problem: str | None) -> None:
    event, said = ask(client, upload(client, "stored.png", content), name)

    if problem is None:
        assert event == "complete"
    else:
        assert event == "error"
        assert said["error"].startswith(problem)


def test_300_megapixels_are_refused_politely(client: httpx.Client, tmp_path: Path) -> None:
    content = huge_png(tmp_path / "huge.png").read_bytes()
    event, said = ask(client, upload(client, "huge.png", content), "huge.png")

    assert event == "error"
    assert said["error"] == ("The image has too many pixels (huge.png). Next: shrink the image.")


def test_too_large_files_are_refused_on_arrival(client: httpx.Client) -> None:
    response = client.post("/upload", files={"files": ("big.png", bytes(700_000))})

    assert response.status_code == 413
    assert response.text == "The file is too large: at most 0.5 MB are taken."


def test_a_path_in_an_uploads_name_goes_nowhere(client: httpx.Client) -> None:
    key = upload(client, "../../../escape.png", png())

    assert key.partition("/")[2] == "escape.png"
    for places in ("escape.png", "gensight-serve-*/escape.png", "gensight-serve-*/files/**/escape.png"):
        assert not list(Path(tempfile.gettempdir()).glob(places))


@pytest.mark.parametrize("outside", ["/etc/passwd", str(Path(__file__)), "../../../../../../etc/passwd", "config.yaml"])
def test_no_file_outside_the_pages_folder_is_served(client: httpx.Client, keypoint_run: Path, outside: str) -> None:
    path = str(keypoint_run / outside) if outside == "config.yaml" else outside

    fetched = client.get("/file=" + path.replace("../", "..%2F"))
    assert (fetched.status_code, fetched.text) == (403, NOT_TAKEN)
    assert ask(client, path) == ("403", NOT_TAKEN)


def test_addresses_are_not_fetched(client: httpx.Client) -> None:
    assert ask(client, "http://127.0.0.1:1/cat.png") == ("403", NOT_TAKEN)
    assert client.get("/file=http://127.0.0.1:1/cat.png").status_code == 403


def test_no_answer_names_a_path_of_the_server(client: httpx.Client) -> None:
    page = str(client.base_url).removesuffix("/gradio_api/")
    event, said = ask(client, upload(client, "cat.png", png()))

    assert event == "complete"
    for text in (json.dumps(said), client.get(page + "/").text, client.get(page + "/config").text):
        assert "gensight-serve-" not in text


def test_a_visitor_with_a_cookie_has_his_uploads_and_answers_to_himself(client: httpx.Client) -> None:
    page = str(client.base_url).removesuffix("/gradio_api/")
    with httpx.Client(base_url=client.base_url, trust_env=False, timeout=120) as visitor:
        visitor.get(page + "/")
        key = upload(visitor, "cat.png", png())
        event, said = ask(visitor, key)
        assert event == "complete"
        answer_key = said[0]["path"]
        assert visitor.get(f"/file={answer_key}").content[:4] == b"\x89PNG"
        assert ask(client, key) == ("403", NOT_TAKEN)
        assert client.get(f"/file={answer_key}").text == NOT_TAKEN
        assert client.get(f"/file={key}").text == NOT_TAKEN


def test_gradios_own_client_asks_and_downloads(client: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(png())
    page = str(client.base_url).removesuffix("/gradio_api/")
    program = Client(page, verbose=False, download_files=str(tmp_path / "taken"))

    drawn, _, table, files = program.predict(
        "small", handle_file(str(tmp_path / "cat.png")), "", "by the words", "5 5 40 45", None, api_name="/ask"
    )

    with Image.open(drawn) as image:
        assert image.size == (960, 720)
    assert len(table["data"]) == 18
    assert [Path(file).suffix for file in files] == [".png", ".csv", ".json", ".zip"]


def test_the_page_names_nothing_outside_that_a_browser_would_load(client: httpx.Client) -> None:
    page = client.get(str(client.base_url).removesuffix("/gradio_api/") + "/")

    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert 'src="http' not in page.text
    assert "fonts.googleapis" not in page.text


@pytest.fixture(scope="module")
def many(landmark_run: Path, gaze_run: Path, classifier_run: Path, instruct_run: Path) -> Iterator[httpx.Client]:
    with (
        running_page([landmark_run, gaze_run, classifier_run, instruct_run], port=0) as address,
        httpx.Client(base_url=f"{address}/gradio_api", trust_env=False, timeout=120) as client,
    ):
        yield client


def named(run: Path) -> str:
    return str(TrainedRun.load(run, "cpu").config.name)


def downloads(client: httpx.Client, said: Any) -> dict[str, bytes]:
    """The files of an answer's zip."""
    (packed,) = (file["path"] for file in said[3] if file["orig_name"].endswith(".zip"))
    with zipfile.ZipFile(io.BytesIO(client.get(f"/file={packed}").content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_landmark_run_finds_keypoints(many: httpx.Client, landmark_run: Path) -> None:
    event, said = ask(many, upload(many, "cat.png", png()), run=named(landmark_run))

    assert event == "complete", said
    skeleton = TrainedRun.load(landmark_run, "cpu").skeleton
    assert skeleton is not None
    assert [row[0] for row in said[2]["data"]] == list(skeleton.keypoints)
    files = downloads(many, said)
    assert {"keypoints.csv", "predictions.json", "overlays/cat.jpg"} <= set(files)
    (found,) = json.loads(files["predictions.json"])
    assert len(found["keypoints"]) == 3 * len(skeleton.keypoints)


def test_a_gaze_run_says_where_heads_look(many: httpx.Client, gaze_run: Path) -> None:
    path = upload(many, "people.png", png())
    event, said = ask(many, path, "people.png", run=named(gaze_run))
    assert event == "error"
    assert said["error"].startswith(
        "This run needs the boxes of heads, and none is marked. Next: draw a box around each head"
    )

    event, said = ask(many, path, "people.png", boxes="4 4 16 16\n30 4 42 16", run=named(gaze_run))

    assert event == "complete", said
    assert [row[0] for row in said[2]["data"]] == ["person 1", "person 2"]
    assert {"gaze.json", "gaze.csv"} <= set(downloads(many, said))


def test_a_classifiers_download_has_its_labels(many: httpx.Client, classifier_run: Path) -> None:
    event, said = ask(many, upload(many, "cat.png", png()), run=named(classifier_run))

    assert event == "complete", said
    files = downloads(many, said)
    assert {"labels.json", "labels.csv"} <= set(files)
    (told,) = json.loads(files["labels.json"])
    assert (told["image"], told["label"]) == ("cat", said[2]["data"][0][0])


@pytest.mark.parametrize(
    ("instruction", "told"),
    [
        ("segment the moon", "The instruction names no class of this run. Valid: {classes}. Next: name one of them in "
                             "the instruction."),
        ("detect the person", "This run was not trained to detect. Valid: segment, depth. Next: ask for one of these"),
        ("hello", "The instruction names no task: `hello`. Valid: segment, depth. Next: "),
        ("hello", "Next: choose one under \"Read the answer as\", or use one of these words in the instruction."),
    ],
)  # fmt: skip
def test_mistakes_in_words_are_told_with_what_is_valid(
    many: httpx.Client, instruct_run: Path, instruction: str, told: str
) -> None:
    trained = TrainedRun.load(instruct_run, "cpu")
    event, said = ask(many, upload(many, "a.png", png()), run=trained.config.name, instruction=instruction)

    assert event == "error"
    assert isinstance(trained.encoding, Instructed)
    assert told.format(classes=", ".join(trained.encoding.categories)) in said["error"]
    assert "--" not in said["error"]


def test_a_gaze_run_asks_for_heads(gaze_run: Path) -> None:
    (trained,) = load_runs([gaze_run], "cpu").values()
    sample = Sample("people", (48, 64), lambda: np.full((48, 64, 3), 90, np.uint8))

    with pytest.raises(ConfigError, match="needs the boxes of heads, and none is marked"):
        answer(trained, sample)
    answered = answer(trained, sample, "4 4 16 16\n30 4 42 16")

    assert [row[0] for row in answered.rows] == ["person 1", "person 2"]
    assert {one.name for one in answered.layers} >= {"Answer", "Map"}
    assert answered.drawn.shape == (720, 960, 3)


def test_an_instruction_is_followed_and_its_picture_kept(instruct_run: Path, tmp_path: Path) -> None:
    (trained,) = load_runs([instruct_run], "cpu").values()
    sample = Sample("scene", (40, 60), lambda: np.full((40, 60, 3), 90, np.uint8))

    with pytest.raises(ConfigError, match="no instruction is given"):
        answer(trained, sample)
    with pytest.raises(ConfigError, match="names no class of this run"):
        answer(trained, sample, instruction="segment the moon")
    with pytest.raises(ConfigError, match="longer than 500 letters"):
        answer(trained, sample, instruction="x" * 501)
    deep = answer(trained, sample, instruction="how far is everything?")
    masked = answer(trained, sample, instruction="segment the person", task="segment")

    assert [row[0] for row in deep.rows] == ["2 % of the pixels", "half of the pixels", "98 % of the pixels"]
    assert masked.request.classes == ("person",)
    assert masked.drawn.shape == (640, 960, 3)
    saved = AnswerStore(tmp_path).save(masked, trained)
    assert {"answers.json", "overlays/scene.jpg"} <= set(zipfile.ZipFile(saved.files[-1]).namelist())


def test_what_is_wrong_with_runs_ports_and_examples_is_said(keypoint_run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"this folder is not a run: it has no config\.yaml"):
        load_runs([tmp_path], "cpu")
    with pytest.raises(ConfigError, match="this run is given twice"):
        load_runs([keypoint_run] * 3, "cpu")
    with pytest.raises(ConfigError, match="no run is given"):
        load_runs([], "cpu")
    with (
        pytest.raises(DataError, match="there is no such folder of examples"),
        running_page([keypoint_run], port=0, examples=tmp_path / "none"),
    ):
        pass


def test_a_taken_port_is_named_with_another(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setattr(sys, "argv", ["gensight", "serve", "run", "--port", str(port)])
        with pytest.raises(SystemExit) as ended:
            main()

    assert ended.value.code == 2
    assert f"port {port} is taken by another program" in capsys.readouterr().err


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gensight.web.server.find_spec", lambda name: None)

    with pytest.raises(ResourceError, match=r"pip install 'gensight\[serve\]'"), running_page([]):
        pass


def test_everything_is_asked_one_by_one_and_joined(instruct_run: Path, tmp_path: Path) -> None:
    (trained,) = load_runs([instruct_run], "cpu").values()
    assert isinstance(trained.encoding, Instructed)
    sample = PuppetsReader(1, size=(64, 64), subjects="all")[0]

    assert isinstance(trained.method, Instruct)
    trained.method.editor.calls = 0
    given = answer(trained, sample, instruction="segment everything")

    assert trained.method.editor.calls == len(trained.encoding.categories) == 10
    masks = [one.mask() for one in given.prediction.instances]
    assert np.sum(masks, axis=0).max() == 1  # no pixel is of two classes
    assert given.drawn.shape == (960, 960, 3)
