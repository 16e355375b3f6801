"""What the top of the page states."""

from pathlib import Path

from gensight.prediction.trained_run import TrainedRun
from gensight.web.headline import headline_of


def test_a_run_is_described_with_its_data_and_its_scores(keypoint_run: Path) -> None:
    stated = headline_of(TrainedRun.load(keypoint_run, "cpu"), "small")

    assert stated.name == "small"
    assert stated.finds == "Finds 18 keypoints (openpose-18)."
    assert stated.training.startswith("Trained on ")
    assert "images of synthetic scenes (puppets)" in stated.training
    assert "for 2 steps." in stated.training
    assert "draw a box" in stated.needs
    ((protocol, value),) = stated.scores
    assert protocol == "mean-px ↓"
    assert " px" in value


def test_a_run_without_scores_is_described(keypoint_run: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(keypoint_run, tmp_path / "copy")
    (copy / "metrics.json").unlink()

    assert headline_of(TrainedRun.load(copy, "cpu"), "copy").scores == ()


def test_heads_words_and_classes_say_what_they_need(gaze_run: Path, classifier_run: Path) -> None:
    assert headline_of(TrainedRun.load(gaze_run, "cpu"), "gaze").needs == "Draw a box around each head."
    assert headline_of(TrainedRun.load(classifier_run, "cpu"), "classes").needs == "Looks at the whole image."
