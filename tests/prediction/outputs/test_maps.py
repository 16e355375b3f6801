"""Maps on disk: their scale, their size, what is unknown."""

from pathlib import Path

import cv2
import numpy as np

from gensight.prediction.outputs.maps import MapFiles
from gensight.samples import Depth, Prediction, ScoreMap, View


def write(folder: Path, prediction: Prediction, stem: str) -> None:
    MapFiles().add(prediction, stem, folder)


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_metric_depth_is_in_millimetres_and_unknown_is_zero(tmp_path: Path) -> None:
    depth = Depth(np.array([[1.2344, np.nan], [0.5, 70.0]], np.float32), "metric")
    write(tmp_path, Prediction("room/a.jpg", (2, 2), depth=depth), "room/a")
    assert read(tmp_path / "depth/room/a.png").tolist() == [[1234, 0], [500, 65535]]


def test_affine_depth_fills_the_range(tmp_path: Path) -> None:
    write(tmp_path, Prediction("a", (1, 3), depth=Depth(np.array([[0.2, 0.4, 0.3]], np.float32), "affine")), "a")
    assert read(tmp_path / "depth/a.png").tolist() == [[1, 65535, 32768]]
    write(tmp_path, Prediction("none", (1, 1), depth=Depth(np.full((1, 1), np.nan, np.float32), "affine")), "none")
    assert read(tmp_path / "depth/none.png").tolist() == [[0]]


def test_edges_and_poses_have_the_images_size(tmp_path: Path) -> None:
    view = View((8, 12), (8, 12), np.eye(3))
    maps = {
        "edges": ScoreMap(np.ones((1, 4, 6), np.float32), view, "drawing"),
        "pose": ScoreMap(np.stack([np.full((4, 6), v, np.float32) for v in (1.0, 0.5, 0.0)]), view, "drawing"),
        "heatmaps": ScoreMap(np.ones((2, 4, 6), np.float32), view),
    }
    write(tmp_path, Prediction("clip.mp4#000007", (8, 12), maps=maps), "000007")
    assert read(tmp_path / "edges/000007.png").shape == (8, 12)
    assert not (tmp_path / "heatmaps").exists()
    assert read(tmp_path / "pose/000007.png")[4, 6].tolist() == [0, 128, 255]  # OpenCV reads blue first
