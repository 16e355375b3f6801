"""Pictures beside files: of images, of a video, or none."""

from pathlib import Path

import numpy as np

from gensight.files.images import read_image
from gensight.files.videos import open_video
from gensight.prediction.outputs.overlay import draw_prediction
from gensight.prediction.outputs.writer import Pictures, PredictionWriter
from gensight.samples import Array, Instance, Prediction

SIZE = (32, 48)
BOXED = Prediction("folder/a.png", SIZE, (Instance("cat", box=np.array([4.0, 4, 20, 20]), confidence=0.5),))
OVERLAYS = Pictures("overlays", "overlay.mp4", draw_prediction)


def grey() -> Array:
    return np.full((*SIZE, 3), 128, np.uint8)


def unread() -> Array:
    raise AssertionError("an image is read only to be drawn on")


def write(folder: Path, frame_rate: float | None, pictures: Pictures | None, times: int = 1) -> set[str]:
    with PredictionWriter(folder, [], frame_rate, pictures).open() as writer:
        for _ in range(times):
            writer.add(BOXED, unread if pictures is None else grey)
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_an_image_has_a_picture(tmp_path: Path) -> None:
    assert write(tmp_path, None, OVERLAYS) == {"overlays/folder/a.png.jpg"}
    overlay = read_image(tmp_path / "overlays/folder/a.png.jpg")
    assert overlay.shape == (*SIZE, 3)
    assert overlay.std() > 1


def test_a_video_has_one(tmp_path: Path) -> None:
    assert write(tmp_path, 10.0, OVERLAYS, times=3) == {"overlay.mp4"}
    assert open_video(tmp_path / "overlay.mp4").num_frames == 3


def test_nothing_is_drawn_on_request(tmp_path: Path) -> None:
    assert write(tmp_path / "out", None, None) == set()
