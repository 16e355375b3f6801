"""A miniature of BBC Pose, laid out as the real one, from training to its score."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from gensight.assembly.experiment import Experiment
from gensight.config.loading.loader import load_recipe
from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.loading.stream import each_once
from gensight.prediction.landmark_run import LandmarkRun
from gensight.readers.bbc_pose import BBC_7, BbcPoseReader, crop_box
from gensight.verbs.landmarks import fit_keypoints
from gensight.verbs.train import train

HEIGHT, WIDTH = 60, 80
NUM_FRAMES = 4


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty folders; joints of each broadcast wander by a few pixels, and a bright block follows them."""
    root, rng = tmp_path_factory.mktemp("bbc"), np.random.default_rng(0)
    fields = ("videoName", "type", "source", "train_frames", "train_joints", "test_frames", "test_joints")
    entries = np.zeros((1, 20), dtype=[(name, object) for name in fields])
    tests = []
    for video in range(1, 21):
        numbers = 10 * np.arange(1, NUM_FRAMES + 1)
        centre = rng.uniform(25, 45, size=(NUM_FRAMES, 1, 2))
        joints = centre + rng.uniform(-14, 14, size=(1, 7, 2)) + rng.uniform(-4, 4, size=(NUM_FRAMES, 7, 2))
        (root / str(video)).mkdir()
        for number, (x, y) in zip(numbers, centre[:, 0], strict=True):
            image = np.full((HEIGHT, WIDTH, 3), 30, np.uint8)
            image[int(y) - 6 : int(y) + 6, int(x) - 6 : int(x) + 6] = (200, 40 + 5 * video, 90)
            write_image(root / str(video) / f"{number}.jpg", image)
        marked = joints.transpose(2, 1, 0)  # (2, 7, n), counted from 1
        kind = "train" if video <= 10 else "val" if video <= 15 else "test"
        none, nothing = np.zeros((1, 0)), np.zeros((2, 7, 0))
        by_hand = (numbers[None], marked) if kind == "val" else (none, nothing)
        learned = (numbers[None].astype(float), marked) if kind == "train" else (none, nothing)
        entries[0, video - 1] = (f"broadcast-{video}", kind, "made", *learned, *by_hand)
        if kind == "test":
            tests.append((marked, numbers, np.full(NUM_FRAMES, video)))
    (root / "code").mkdir()
    savemat(root / "code" / "bbcpose.mat", {"bbcpose": entries})
    gt, frames, videos = (np.concatenate(parts, axis=-1) for parts in zip(*tests, strict=True))
    savemat(root / "code" / "results.mat", {"results": {"gt": gt, "frame": frames[None], "video": videos[None]}})
    return root


def test_parts_groups_and_places(root: Path) -> None:
    parts = [BbcPoseReader(root, part) for part in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [10 * NUM_FRAMES, 5 * NUM_FRAMES, 5 * NUM_FRAMES]
    assert list(dict.fromkeys(parts[2].groups)) == ["16", "17", "18", "19", "20"]
    sample = parts[2][0]
    assert (sample.key, sample.size) == ("16/10.jpg", (HEIGHT, WIDTH))
    assert sample.instances is not None
    keypoints = sample.instances[0].keypoints
    assert keypoints is not None
    assert keypoints.skeleton == BBC_7


def test_both_crops_are_the_published_ones() -> None:
    points = np.array([[100.0, 200.0], [180.0, 320.0]])
    np.testing.assert_array_equal(crop_box(points, (400, 700), "training"), [40, 140, 240, 380])
    np.testing.assert_array_equal(crop_box(points, (400, 700), "evaluation"), [0, 110, 290, 400])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="file not found") as caught:
        BbcPoseReader(tmp_path)
    assert "bbcpose.mat" in str(caught.value)


@pytest.mark.slow
def test_the_score_is_the_published_formula(root: Path, tmp_path: Path) -> None:
    small = [
        f"data.root={root}", "view.size=[32,32]", "backbone.kind=scratch", "encoding.num_landmarks=4",
        "encoding.distance=[1,3]", "method.perceptual=pixels", "method.shape_widths=[8,8,8]",
        "method.decoder_widths=[8,8]", "method.background_width=4", "method.appearance_width=8",
        "method.spade_width=8", "training.steps=3", "training.batch_size=2",
    ]  # fmt: skip
    run = train(load_recipe("landmarks-bbc", small), tmp_path / "run", "cpu")
    fitted = fit_keypoints(run, "bbc-pose", [f"root={root}", "crop=evaluation"], "linear", (5,), device="cpu")
    scores = json.loads((fitted / "metrics.json").read_text())["scores"][0]["results"]
    (score,) = [result["value"] for result in scores if result["protocol"] == "bbc-6px"]

    experiment = Experiment.open(load_recipe(fitted / "config.yaml"))
    means = {}
    for part, cases in (("train", experiment.plain_training_cases()), ("test", experiment.test_cases())):
        found = [LandmarkRun.open(run, "cpu").landmarks.find(b.image).landmarks.mean for b in each_once(cases, 50)]
        means[part] = np.concatenate([one.numpy().reshape(-1, 8) for one in found]).astype(float)
    truth = {part: joints_and_boxes(root, part) for part in ("train", "test")}
    joints, boxes = truth["train"]
    relative = (joints - boxes[:, None, :2]) / (boxes[:, None, 2:] - boxes[:, None, :2]) - 0.5
    weights = np.linalg.lstsq(means["train"], relative.reshape(len(relative), -1), rcond=None)[0]
    joints, boxes = truth["test"]
    answer = (means["test"] @ weights).reshape(-1, 7, 2) + 0.5
    answer = answer * (boxes[:, None, 2:] - boxes[:, None, :2]) + boxes[:, None, :2]
    apart = np.linalg.norm((0.5 * (answer + 0.5 - 1) + 1) - (0.5 * (joints + 0.5 - 1) + 1), axis=-1)
    assert score == pytest.approx((apart <= 6).mean(), abs=1e-9)
    assert 0.1 < score < 1


def joints_and_boxes(root: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """As the files have them, less half a pixel; and 300 x 300 boxes clipped to the image."""
    reader = BbcPoseReader(root, part, "evaluation")  # type: ignore[arg-type]
    joints = np.stack([s.instances[0].keypoints.points for s in reader])  # type: ignore[index, union-attr]
    centre = (joints.min(1) + joints.max(1)) / 2
    low, high = np.maximum(centre - 150, 0), np.minimum(centre + 150, (WIDTH, HEIGHT))
    return joints, np.concatenate([low, high], axis=1)
