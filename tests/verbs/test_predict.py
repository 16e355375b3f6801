"""Predictions as work: what can't be read is kept apart, kills lose little, and every frame has one row."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from gensight.errors import ConfigError, DataError
from gensight.files.images import write_image
from gensight.files.videos.reading import open_video
from gensight.files.videos.writing import VideoWriter, join_parts
from gensight.prediction import jobs
from gensight.prediction.predictor import Predictor
from gensight.prediction.work import LISTING, UNFINISHED
from gensight.verbs.predict import predict, predict_files
from gensight.verbs.train import train
from tests.verbs.small_recipe import small_recipe

SIZE = (48, 64)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    evaluation = {"protocols": ["mean-px"], "baselines": [], "batch_size": 4}
    return train(
        small_recipe(folder, training={"steps": 2, "batch_size": 2}, evaluation=evaluation), folder / "run", "cpu"
    )


def picture(number: int) -> np.ndarray:
    image = np.random.default_rng(number).integers(0, 90, (*SIZE, 3), np.uint8)
    image[10:30, number % 40 : number % 40 + 20] = (200, 120, 60)
    return image


def pictures(folder: Path, count: int, suffix: str = "jpg") -> Path:
    for number in range(count):
        write_image(folder / f"{number:03d}.{suffix}", picture(number))
    return folder


def video(path: Path, count: int, times: list[float] | None = None, key_every: int = 5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("h264", rate=25, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = SIZE[1], SIZE[0], "yuv420p", key_every
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            if times is not None:
                stream.codec_context.time_base = frame.time_base = Fraction(1, 1000)
                frame.pts = round(1000 * times[number])
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def rows(folder: Path, headers: int = 3) -> list[list[str]]:
    return list(csv.reader((folder / "keypoints.csv").open()))[headers:]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat")
    middle = start + int.from_bytes(data[start - 4 : start], "big") // 2
    data[middle : middle + 600] = bytes(600)
    path.write_bytes(data)


def test_a_damaged_image_has_an_empty_row(run: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "frames", 9)
    (folder / "005.jpg").write_bytes((folder / "005.jpg").read_bytes()[:900])
    (folder / "007.jpg").write_bytes(b"")
    done = predict_files(run, folder, tmp_path / "out", "cpu")
    assert (done.num_images, done.num_unreadable, done.num_left) == (9, 2, 0)
    assert list(done.unreadable) == ["005.jpg", "007.jpg"]
    found = rows(done.folder)
    places = [value for row in found for value in row[1::3]]
    num, seen = 7 * len(found[0][1::3]), sum(value != "NaN" for value in places)
    assert (
        done.notes[-1]
        == f"{seen} of {num} keypoints are above the run's confidence threshold; tables leave the others empty"
    )
    assert [row[0] for row in found] == [f"{number:03d}.jpg" for number in range(9)]
    assert [set(row[1:]) == {"NaN"} for row in found] == [number in (5, 7) for number in range(9)]
    listed = list(csv.DictReader((done.folder / "frames.csv").open()))
    assert [bool(row["problem"]) for row in listed] == [number in (5, 7) for number in range(9)]
    assert sorted(path.name for path in (done.folder / "overlays").iterdir()) == [
        f"00{n}.jpg" for n in (0, 1, 2, 3, 4, 6, 8)
    ]
    with pytest.warns(UserWarning, match=r"2 of 9 images can't be read"):
        predict(run, folder, tmp_path / "out", "cpu")
    with pytest.raises(DataError, match=r"005.jpg[\s\S]*--strict"):
        predict_files(run, folder, tmp_path / "strict", "cpu", strict=True)


def test_a_damaged_video_keeps_its_length_and_the_other_frames(run: Path, tmp_path: Path) -> None:
    path = video(tmp_path / "clip.mp4", 30)
    damage(path)
    done = predict_files(run, path, tmp_path / "out", "cpu")
    found = rows(done.folder)
    assert [row[0] for row in found] == [str(number) for number in range(30)]
    empty = [number for number, row in enumerate(found) if set(row[1:]) == {"NaN"}]
    assert 1 <= len(empty) == done.num_unreadable <= 8
    assert [f"clip.mp4#{number:06d}" for number in empty] == list(done.unreadable)
    assert open_video(done.folder / "overlay.mp4").num_frames == 30


def test_overlays_keep_the_times_of_the_frames(run: Path, tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.08, 0.2, 0.24, 0.5, 0.54, 0.9]
    path = video(tmp_path / "clip.mp4", 8, times)
    out = predict(run, path, tmp_path / "out", "cpu", formats="coco")
    assert open_video(out / "overlay.mp4").seconds.tolist() == pytest.approx(times, abs=2e-3)
    listed = list(csv.DictReader((out / "frames.csv").open()))
    assert [float(row["time"]) for row in listed] == pytest.approx(times, abs=2e-3)
    assert [image["time"] for image in json.loads((out / "keypoints.json").read_text())["images"]] == pytest.approx(
        times, abs=2e-3
    )


def test_each_frame_has_one_row_whatever_the_number_of_subjects(run: Path, tmp_path: Path) -> None:
    path, counts = video(tmp_path / "clip.mp4", 5), (0, 2, 1, 0, 1)
    boxes = [
        {"file_name": f"clip.mp4#{number:06d}", "bbox": [5 + 30 * subject, 5, 25, 35], "score": 0.9}
        for number, count in enumerate(counts)
        for subject in range(count)
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    out = predict(run, path, tmp_path / "out", "cpu", boxes=tmp_path / "boxes.json", draw=False)
    header = list(csv.reader((out / "keypoints.csv").open()))[:4]
    assert [row[0] for row in header] == ["scorer", "individuals", "bodyparts", "coords"]
    assert list(dict.fromkeys(header[1][1:])) == ["individual1", "individual2"]
    found = rows(out, 4)
    assert [row[0] for row in found] == ["0", "1", "2", "3", "4"]
    half = len(header[0]) // 2 + 1
    present = [[set(cells) != {"NaN"} for cells in (row[1:half], row[half:])] for row in found]
    assert [sum(row) for row in present] == [min(count, 2) for count in counts]


def test_a_run_trained_on_crops_says_that_it_takes_whole_images_for_them(run: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "frames", 2)
    whole = predict_files(run, folder, tmp_path / "whole", "cpu", draw=False)
    assert [note for note in whole.notes if "crops" in note and "--boxes" in note] == [whole.notes[0]]
    (tmp_path / "boxes.json").write_text(json.dumps([{"file_name": "000.jpg", "bbox": [5, 5, 25, 35], "score": 1}]))
    boxed = predict_files(run, folder, tmp_path / "boxed", "cpu", boxes=tmp_path / "boxes.json", draw=False)
    assert len(boxed.notes) == 1
    assert "crops" not in boxed.notes[0]


def interrupted(monkeypatch: pytest.MonkeyPatch, after: int, *args: Any, **options: Any) -> None:
    """A prediction that ends with Ctrl-C in a batch."""
    calls, outputs = 0, Predictor.outputs

    def count(self: Predictor, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > after:
            raise KeyboardInterrupt
        return outputs(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "outputs", count)
        with pytest.raises(KeyboardInterrupt):
            predict(*args, **options)


def test_an_interrupted_prediction_resumes_to_the_same_files(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "SEGMENT", 8)
    sources = [pictures(tmp_path / "images", 10), video(tmp_path / "clip.mp4", 30)]
    whole = contents(predict(run, sources, tmp_path / "whole", "cpu"))
    out = tmp_path / "out"
    (out / "overlays").mkdir(parents=True)
    (out / "overlays" / "mine.txt").touch()
    for after in (1, 2, 3):
        interrupted(monkeypatch, after, run, sources, out, "cpu")
        assert {path.name for path in out.iterdir()} == {"overlays", UNFINISHED}
    calls, outputs = [], Predictor.outputs
    monkeypatch.setattr(Predictor, "outputs", lambda self, *given: calls.append(1) or outputs(self, *given))
    found = contents(predict(run, sources, out, "cpu"))
    assert len(calls) < 11  # batches of both sources
    assert found.pop("overlays/mine.txt") == b""
    assert found.keys() == whole.keys()
    assert [name for name in whole if whole[name] != found[name]] == []


def test_another_prediction_leaves_nothing_of_an_earlier_one(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = predict(run, pictures(tmp_path / "many", 3), tmp_path / "out", "cpu")
    (out / "notes.txt").touch()
    few = pictures(tmp_path / "few", 1, "png")
    interrupted(monkeypatch, 0, run, tmp_path / "many", out, "cpu", draw=False)
    predict(run, few, out, "cpu")
    names = contents(out)
    listed = (out / LISTING).read_text().splitlines()
    assert sorted(names) == sorted([*listed, LISTING, "notes.txt"])
    assert [name for name in names if name.startswith("overlays")] == ["overlays/000.jpg"]
    predict(run, few, out, "cpu", draw=False)
    assert not (out / "overlays").exists()


@pytest.mark.parametrize("cut", ["replace", "rmtree"])
def test_a_kill_while_files_take_their_places_loses_none(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    images, out = pictures(tmp_path / "images", 3), tmp_path / "out"
    whole = contents(predict(run, images, tmp_path / "whole", "cpu"))
    calls, owner = 0, Path if cut == "replace" else shutil
    real = getattr(owner, cut)

    def fail(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        place = Path(arguments[0])  # of a whole file, not of one that is being written
        calls += "overlays" in place.parts and not place.name.startswith(".")
        if calls == 2 or cut == "rmtree":
            raise KeyboardInterrupt
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, cut, fail)
        with pytest.raises(KeyboardInterrupt):
            predict(run, images, out, "cpu")
    predict(run, images, out, "cpu")
    assert contents(out) == whole


def test_images_of_one_stem_keep_their_suffix(run: Path, tmp_path: Path) -> None:
    for name in ("cat.jpg", "cat.png", "dog.2.jpg"):
        write_image(tmp_path / "images" / name, picture(0))
    out = predict(run, tmp_path / "images", tmp_path / "out", "cpu")
    assert sorted(path.name for path in (out / "overlays").iterdir()) == ["cat.jpg.jpg", "cat.png.jpg", "dog.2.jpg"]


def test_several_inputs_have_a_folder_each(run: Path, tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", 2)
    for name in ("day/a.mp4", "day/deep/a.mp4"):
        video(tmp_path / "videos" / name, 3)
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"nothing")
    done = predict_files(run, [images / "000.jpg", images / "001.jpg", images, tmp_path / "videos"], tmp_path / "out",
                         "cpu", draw=False)  # fmt: skip
    tables = sorted(str(path.relative_to(done.folder)) for path in done.folder.rglob("keypoints.csv"))
    assert tables == [
        "day/a/keypoints.csv",
        "day/deep/a/keypoints.csv",
        "images-2/keypoints.csv",
        "images/keypoints.csv",
    ]
    assert done.num_images == 2 + 2 + 3 + 3
    assert list(done.unreadable) == [str(tmp_path / "videos" / "broken.mp4")]
    together = predict(run, sorted(images.iterdir()), tmp_path / "together", "cpu", draw=False)
    assert [row[0] for row in rows(together)] == ["000.jpg", "001.jpg"]


def test_shards_make_what_one_process_makes(run: Path, tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", 10)
    whole = contents(predict(run, images, tmp_path / "whole", "cpu"))
    first = predict_files(run, images, tmp_path / "out", "cpu", shard="2/2")
    assert first.num_left == 4
    assert not (tmp_path / "out" / "keypoints.csv").exists()
    second = predict_files(run, images, tmp_path / "out", "cpu", shard="1/2")
    assert (first.num_images, second.num_images, second.num_left) == (6, 4, 0)
    assert contents(tmp_path / "out") == whole
    with pytest.raises(ConfigError, match="no part of the work"):
        predict_files(run, images, tmp_path / "out", "cpu", shard="3/2")


def test_formats_need_keypoints_and_their_libraries(run: Path, tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", 1)
    out = predict(run, images, tmp_path / "out", "cpu", formats="sleap", draw=False)
    assert (out / "keypoints.analysis.h5").is_file()
    with pytest.raises(ConfigError, match="unknown format"):
        predict(run, images, tmp_path / "out", "cpu", formats="mat")


def test_a_folder_of_the_users_own_is_not_removed(run: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / UNFINISHED).mkdir(parents=True)
    with pytest.raises(ConfigError, match="holds something else"):
        predict(run, pictures(tmp_path / "images", 1), tmp_path / "out", "cpu")


def test_parts_join_to_a_film_with_its_times(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.15, 0.4]
    for part in range(2):
        with VideoWriter(tmp_path / f"{part}.mp4", 10, is_part=True) as clip:
            for number in (2 * part, 2 * part + 1):
                clip.write(picture(number)[:33, :47], times[number])
    parts = [tmp_path / "0.mp4", tmp_path / "1.mp4"]
    join_parts(parts, tmp_path / "film.mp4", times)
    assert open_video(tmp_path / "film.mp4").seconds.tolist() == pytest.approx(times)
    assert open_video(tmp_path / "film.mp4").size == (34, 48)
    with pytest.raises(DataError, match="4 frames were drawn of 5"):
        join_parts(parts, tmp_path / "film.mp4", [*times, 0.5])


NUM_KILLS, NUM_IMAGES, NUM_FRAMES = (int(number) for number in os.environ.get("KILLS", "20,300,3000").split(","))


SERVER = """
import json, os, sys
from gensight.verbs.predict import predict
for line in sys.stdin:
    run, out, *sources = json.loads(line)
    child = os.fork()
    if child == 0:
        predict(run, sources, out, "cpu")
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.mark.slow  # twenty processes over 3,300 images
def test_a_prediction_that_is_killed_often_ends_in_the_same_files(run: Path, tmp_path: Path) -> None:
    sources = [pictures(tmp_path / "images", NUM_IMAGES), video(tmp_path / "clip.mp4", NUM_FRAMES)]
    chance, kills, codes = random.Random(0), 0, []
    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL) as server:  # fmt: skip
        assert server.stdin is not None
        assert server.stdout is not None

        def begin(out: Path) -> int:
            server.stdin.write(json.dumps([str(run), str(out), *map(str, sources)]) + "\n")  # type: ignore[union-attr]
            server.stdin.flush()  # type: ignore[union-attr]
            return int(server.stdout.readline())  # type: ignore[union-attr]

        start, _ = time.monotonic(), begin(tmp_path / "whole")
        assert int(server.stdout.readline()) == 0
        seconds, out = time.monotonic() - start, tmp_path / "out"
        while len(codes) < NUM_KILLS and (not codes or codes[-1]):
            child = begin(out)
            time.sleep(chance.uniform(0, 2 * seconds / NUM_KILLS))
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(child, signal.SIGKILL)
            codes.append(int(server.stdout.readline()))
        kills = sum(code == signal.SIGKILL for code in codes)
        begin(out)
        assert int(server.stdout.readline()) == 0
        server.stdin.close()
    whole, found = contents(tmp_path / "whole"), contents(out)
    print(f"{kills} kills, {NUM_IMAGES} images, {NUM_FRAMES} frames, {seconds:.0f} s in one go, {len(whole)} files")
    assert kills >= NUM_KILLS / 2
    assert found.keys() == whole.keys()
    assert [name for name in whole if whole[name] != found[name]] == []
