"""Files of the user as what goals compare with."""

import json
from pathlib import Path

import pytest
import torch

from gensight.encodings.pose_image import PoseImage
from gensight.errors import ConfigError, DataError
from gensight.files.images import write_image
from gensight.geometry import scaling
from gensight.guidance.controls import read_control
from gensight.prediction.outputs.openpose import openpose_people
from gensight.readers.puppets import PuppetsReader
from gensight.samples import Item, View

SIZE, GRID = (128, 128), (32, 32)


@pytest.fixture(scope="module")
def scene() -> Item:
    reader = PuppetsReader(20, seed=3, size=SIZE, subjects="people", truths=("keypoints", "boxes"))
    return Item((next(one for one in reader if len(one.instances or ()) > 1),))


def test_a_keypoint_file_is_drawn_as_a_run_was_taught(scene: Item, tmp_path: Path) -> None:
    (tmp_path / "pose.json").write_text(json.dumps(openpose_people(scene.sample.instances or ())))
    drawn = read_control(tmp_path / "pose.json", 3, SIZE, GRID)
    encoding = PoseImage((scene.sample.instances or ())[0].keypoints.skeleton, stride=4, instances="all")  # type: ignore[union-attr]
    taught = encoding.encode(scene, (View(SIZE, SIZE, scaling(1, 1)),))["pose"]
    torch.testing.assert_close(drawn, taught, atol=2e-3, rtol=0)


def test_a_canvas_is_scaled(scene: Item, tmp_path: Path) -> None:
    content = openpose_people(scene.sample.instances or ())
    (tmp_path / "small.json").write_text(json.dumps({**content, "canvas_width": 128, "canvas_height": 128}))
    (tmp_path / "plain.json").write_text(json.dumps(content))
    once = read_control(tmp_path / "plain.json", 3, SIZE, GRID)
    twice = read_control(tmp_path / "small.json", 3, (256, 256), GRID)
    torch.testing.assert_close(once, twice)


@pytest.mark.parametrize(
    ("content", "channels", "error", "message"),
    [
        ({"people": []}, 3, DataError, "holds no people"),
        ({"shapes": []}, 3, DataError, "not a keypoint file of OpenPose"),
        ({"people": [{"pose_keypoints_2d": [500, 5, 1] * 18}]}, 3, ConfigError, "lies outside the image"),
        ({"people": [{"pose_keypoints_2d": [5, 5, 1] * 18}]}, 1, ConfigError, "takes a picture, not keypoints"),
        (
            {"people": [{"pose_keypoints_2d": [5, 5, 1] * 18}], "canvas_width": 64, "canvas_height": 128},
            3,
            ConfigError,
            "their aspects differ",
        ),
    ],
)
def test_a_wrong_keypoint_file_is_refused(
    tmp_path: Path, content: object, channels: int, error: type[Exception], message: str
) -> None:
    (tmp_path / "pose.json").write_text(json.dumps(content))
    with pytest.raises(error, match=message):
        read_control(tmp_path / "pose.json", channels, SIZE, GRID)


def test_a_picture_is_read_on_the_grid(tmp_path: Path) -> None:
    picture = torch.zeros(128, 128, 3, dtype=torch.uint8)
    picture[:, 64:] = 255
    write_image(tmp_path / "half.png", picture.numpy())
    control = read_control(tmp_path / "half.png", 1, SIZE, GRID)
    assert control.shape == (1, *GRID)
    assert control[0, :, :15].max() == 0
    assert control[0, :, 17:].min() == 1
