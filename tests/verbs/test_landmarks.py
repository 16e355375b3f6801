"""Landmarks from a recipe to keypoints: trained, fitted, listed, redrawn, shown."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from gensight.config.loading.loader import load_recipe, load_study_recipe
from gensight.errors import ConfigError, RunError
from gensight.files.images import read_image, write_image
from gensight.files.videos.reading import open_video, read_frame
from gensight.files.videos.writing import VideoWriter
from gensight.methods.landmarks.regression import REGRESSORS
from gensight.readers.puppets import PuppetsReader
from gensight.studies.label_curve import BASELINES
from gensight.verbs import landmarks
from gensight.verbs.landmarks import fit_keypoints
from gensight.verbs.predict import predict
from gensight.verbs.study import study
from gensight.verbs.train import train

SMALL = [
    "data.num_train=8", "data.num_frames=4", "data.size=[32,32]", "view.size=[32,32]", "backbone.kind=scratch",
    "encoding.num_landmarks=4", "encoding.distance=[1,3]", "method.perceptual=pixels", "method.shape_widths=[8,8,8]",
    "method.decoder_widths=[8,8]", "method.background_width=4", "training.steps=2", "training.batch_size=2",
]  # fmt: skip
LABELS = ["num_train=6", "num_validation=0", "num_test=4", "size=[32,32]", "num_subjects=[1,1]"]


@pytest.mark.slow
def test_from_a_recipe_to_keypoints_tables_and_pictures(tmp_path: Path) -> None:
    run = train(load_recipe("landmarks-puppets", SMALL), tmp_path / "run", "cpu")
    frames = tmp_path / "frames"
    frames.mkdir()
    for number, sample in enumerate(PuppetsReader(2, seed=3, size=(48, 64), truths=())):
        write_image(frames / f"{number}.png", sample.image())

    fitted = fit_keypoints(run, "puppets", LABELS, counts=(1, 3), device="cpu")
    rows = list(csv.DictReader((fitted / "curve.csv").open()))
    assert {row["num_labels"] for row in rows} >= {"1", "3"}
    assert {row["regressor"] for row in rows} == {*REGRESSORS, *BASELINES}
    assert (predict(fitted, frames, device="cpu")).is_dir()
    assert (fitted / "report.html").is_file()

    table = list(csv.DictReader(landmarks.dump(run, frames, device="cpu").open()))
    assert len(table) == 2 * 4
    places = np.array([[float(row["x"]), float(row["y"])] for row in table])
    assert (places > 0).all()
    assert (places < (64, 64)).all()
    picture = landmarks.transfer(run, frames / "0.png", frames / "1.png", tmp_path / "swap.png", "cpu")
    assert read_image(picture).shape == (32, 96, 3)
    text = landmarks.page(run, frames, device="cpu").read_text()
    assert text.count("reconstruction") == 2 * 2
    assert "lies on" in text
    with pytest.raises(RunError, match="not of landmarks"):
        landmarks.dump(fitted, frames, device="cpu")


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run, and a film of 6 frames of 48 x 64 pixels."""
    root = tmp_path_factory.mktemp("filmed")
    film = root / "film.mp4"
    with VideoWriter(film, 10) as video:
        for sample in PuppetsReader(6, seed=3, size=(48, 64), truths=(), num_frames=6):
            video.write(sample.image())
    return train(load_recipe("landmarks-puppets", SMALL), root / "run", "cpu"), film


def test_a_film_is_redrawn_frame_by_frame(filmed: tuple[Path, Path], tmp_path: Path) -> None:
    run, film = filmed
    looks = tmp_path / "looks.png"
    write_image(looks, PuppetsReader(1, seed=4, size=(48, 64), truths=())[0].image())
    redrawn = landmarks.transfer(run, film, looks, tmp_path / "redrawn.mp4", "cpu")
    video = open_video(redrawn)
    assert (video.num_frames, video.size) == (6, (32, 96))  # pose, looks and result side by side
    first, last = (read_frame(redrawn, number)[:, 32:64].astype(float) for number in (0, 5))
    assert np.abs(first - last).mean() < 3  # the looks stay
    with pytest.raises(ConfigError, match=r"redrawn as a video \(\.mp4\)"):
        landmarks.transfer(run, film, looks, tmp_path / "redrawn.png", "cpu")


def test_parquet_has_what_csv_has(filmed: tuple[Path, Path], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'gensight[parquet]'")
    run, film = filmed
    listed = list(csv.DictReader(landmarks.dump(run, film, device="cpu").open()))
    packed = parquet.read_table(landmarks.dump(run, film, tmp_path / "table.parquet", "cpu")).to_pylist()
    assert len(packed) == len(listed) == 6 * 4
    assert list(packed[0]) == list(listed[0])
    for name in ("x", "y", "xx", "xy", "yy", "confidence", "equivariance_error"):
        np.testing.assert_allclose([row[name] for row in packed], [float(row[name]) for row in listed], atol=6e-5)
    assert [row["frame"] for row in packed] == [row["frame"] for row in listed]
    with pytest.raises(ConfigError, match="no kind of table"):
        landmarks.dump(run, film, tmp_path / "table.xlsx", "cpu")


def test_a_method_and_its_encoding_must_fit() -> None:
    with pytest.raises(ConfigError, match=r"goes with encoding\.kind=landmark-pairs"):
        load_recipe("landmarks-puppets", ["encoding.kind=heatmap"])
    with pytest.raises(ConfigError, match=r"vgg19 compares nothing without"):
        load_recipe("landmarks-puppets", ["method.perceptual=vgg19"])


@pytest.mark.slow
def test_an_ablation_is_scored_and_compared(tmp_path: Path) -> None:
    small = [text for text in SMALL if not text.startswith("method.perceptual")]
    config = load_study_recipe("landmarks-ablation", ["changes={}"])
    arms = ["temporal", "no-background"]
    config = config.model_copy(update={"arms": {name: config.arms[name] for name in arms}, "reference": "temporal"})
    folder = study(config, [*small, "method.perceptual=pixels"], tmp_path, device="cpu")
    summary = json.loads((folder / "study.json").read_text())
    assert [arm["arm"] for arm in summary["arms"]] == [*arms, *(f"{arm}: mean-position" for arm in arms)]
    protocols = [result["protocol"].split()[0] for result in summary["arms"][0]["results"]]
    assert protocols == ["keypoints-px@50", "on-subject", "mask-iou"]
    bare = next(arm for arm in summary["arms"] if arm["arm"] == "no-background")
    assert len(bare["results"]) == 2  # without a background there is no mask
    means = {f"{arm}: mean-position" for arm in arms}
    assert {d["model"] for d in summary["differences"]} == {"no-background", *means}
