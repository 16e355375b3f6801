"""`gensight guide` from trained runs to pictures and scores, and the mistakes that it catches."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from gensight.config.schema import RunConfig
from gensight.errors import ConfigError, UserError
from gensight.files.images import read_image, write_image
from gensight.guidance.controls import read_tracks
from gensight.guidance.options import run_weights, seed_list, usual_settings
from gensight.guidance.sampling import ImageSampling
from gensight.guidance.scores import HeadOnImages, drag_distance
from gensight.guidance.steering import Steering
from gensight.guidance.targets import GuidanceTargets
from gensight.verbs.guide import guide
from gensight.verbs.train import train
from tests.verbs.small_recipe import small_recipe

SIZE = (64, 64)
STEERING = Steering(weight=0.05, share=0.5)


def recipe(folder: Path, encoding: dict[str, object], backbone: str = "diffusers", **changes: object) -> RunConfig:
    fields: dict[str, object] = {
        "data": {"kind": "puppets", "num_train": 4, "num_validation": 4, "num_test": 4, "size": [64, 64],
                 "num_frames": 2},
        "view": {"size": [64, 64]},
        "encoding": {"stride": 8, **encoding},
        "method": {"kind": "readout", "projection": 16, "bottleneck": 8, "widths": [8, 8], "timesteps": "random"},
        "training": {"steps": 1, "batch_size": 2, "validate_every": 1},
        "evaluation": {"baselines": []},
        "cache": {"mode": "off"},
    }  # fmt: skip
    return small_recipe(folder, backbone, **{**fields, **changes})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Depth, points and appearance runs on one small pipeline; a depth evaluator trained from scratch; pictures."""
    folder = tmp_path_factory.mktemp("guide")
    clean = {"kind": "readout", "projection": 16, "bottleneck": 8, "widths": [8, 8]}
    depth = {"kind": "depth-image", "channels": 1}
    train(recipe(folder, depth), folder / "depth")
    train(recipe(folder, {"kind": "correspondence", "distance": [1, 1], "num_points": 16}), folder / "points")
    train(recipe(folder, {"kind": "appearance"}), folder / "looks")
    train(recipe(folder, depth, "scratch", method=clean), folder / "evaluator")
    shutil.copytree(folder / "depth", folder / "clean")
    config = (folder / "clean/config.yaml").read_text()
    assert "timesteps: random" in config
    (folder / "clean/config.yaml").write_text(config.replace("timesteps: random", "timesteps: clean"))
    rng = np.random.default_rng(0)
    write_image(
        folder / "control.png", np.linspace(0, 255, 64, dtype=np.uint8)[:, None, None].repeat(64, 1).repeat(3, 2)
    )
    write_image(folder / "photo.png", rng.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    write_image(folder / "wide.png", np.zeros((64, 128, 3), np.uint8))
    return folder


def sampling(seeds: tuple[int, ...] = (0, 1), **changes: object) -> ImageSampling:
    values: dict[str, object] = {"prompt": "a dog", "size": SIZE, "steps": 3, "eta": 0.0, "seeds": seeds, **changes}
    return ImageSampling(**values)  # type: ignore[arg-type]


def test_a_control_is_followed_and_evaluated(place: Path, tmp_path: Path) -> None:
    targets = GuidanceTargets(controls=(place / "control.png",))
    strong = Steering(weight=0.2, share=1.0, inner_steps=2)
    out = guide(
        [place / "depth"], tmp_path / "out", targets, sampling(), strong, evaluators=[place / "evaluator"], batch_size=2
    )
    held = json.loads((out / "guide.json").read_text())
    assert [row["seed"] for row in held["images"]] == [0, 1]
    for row in held["images"]:
        assert list(row["error_by_step"]) == ["0", "1", "2"]
        assert set(row["scores"]) == {"control-error/evaluator", "changed"}
    (score, changed) = held["scores"]
    assert score["num_seeds"] == 2
    before, after = score["unguided"]["value"], score["guided"]["value"]
    assert score["difference"]["value"] == pytest.approx(after - before)
    assert changed["unguided"]["value"] == 0 < changed["guided"]["value"]
    for name in ("unguided", "guided", "sheet"):
        assert read_image(out / f"{name}-1.png").ndim == 3
    assert not np.array_equal(read_image(out / "unguided-0.png"), read_image(out / "guided-0.png"))
    assert (out / "steps-0.mp4").stat().st_size > 0


def test_a_batch_gives_what_single_images_give(place: Path, tmp_path: Path) -> None:
    targets = GuidanceTargets(controls=(place / "control.png",))
    for name, size in (("one", 1), ("two", 2)):
        guide([place / "depth"], tmp_path / name, targets, sampling(), STEERING, film=False, batch_size=size)
    for seed in (0, 1):
        one, two = (read_image(tmp_path / name / f"guided-{seed}.png").astype(int) for name in ("one", "two"))
        assert np.abs(one - two).max() <= 3  # signs of gradients near zero may turn


def test_finished_seeds_are_kept(place: Path, tmp_path: Path) -> None:
    targets, out = GuidanceTargets(controls=(place / "control.png",)), tmp_path / "out"
    guide([place / "depth"], out, targets, sampling((0,)), STEERING, film=False)
    stamp = (out / "guided-0.png").stat().st_mtime_ns
    announced: list[str] = []
    guide([place / "depth"], out, targets, sampling((0, 1)), STEERING, film=False, announce=announced.append)
    assert (out / "guided-0.png").stat().st_mtime_ns == stamp
    assert "about" in announced[0]
    held = json.loads((out / "guide.json").read_text())
    assert [row["seed"] for row in held["images"]] == [0, 1]
    assert held["scores"][0]["num_seeds"] == 2
    with pytest.raises(ConfigError, match="other settings"):
        guide([place / "depth"], out, targets, sampling((2,), steps=5), STEERING, film=False)


def test_a_mix_of_a_control_a_drag_and_a_reference(place: Path, tmp_path: Path) -> None:
    targets = GuidanceTargets(
        controls=(place / "control.png",),
        drags=("10,10:40,40",),
        reference=place / "photo.png",
        reference_box=(0, 0, 32, 64),
        weights=(1.0, 0.5, 0.5),
    )
    runs = [place / "depth", place / "points", place / "looks"]
    out = guide(runs, tmp_path / "out", targets, sampling((0,)), STEERING, evaluators=[place / "evaluator"], film=False)
    held = json.loads((out / "guide.json").read_text())
    assert [score["name"] for score in held["scores"]] == [
        "control-error1/evaluator", "drag-distance2/own", "appearance-distance3/own", "changed"]  # fmt: skip
    assert held["scores"][1]["unit"] == "px"
    assert "reference" in held["inversion_psnr_db"]


def test_a_real_image_is_dragged_from_its_own_inversion(place: Path, tmp_path: Path) -> None:
    targets = GuidanceTargets(source=place / "photo.png", drags=("10,10:40,40", "20,50:20,30"))
    plain = Steering(weight=0.0)
    out = guide([place / "points"], tmp_path / "out", targets, sampling((0,), guidance_scale=1.0), plain, film=False)
    held = json.loads((out / "guide.json").read_text())
    unguided = read_image(out / "unguided-0.png").astype(float)
    mean_square = np.square(unguided - read_image(place / "photo.png")).mean()
    assert 10 * np.log10(255**2 / mean_square) == pytest.approx(held["inversion_psnr_db"]["source"], abs=0.5)
    # Weight 0 changes nothing; rounding may fall to the other side of a grey level.
    np.testing.assert_allclose(unguided, read_image(out / "guided-0.png"), atol=1)


def test_a_drag_of_no_weight_in_a_generated_image_keeps_the_samplers_noise(place: Path, tmp_path: Path) -> None:
    targets, noisy = GuidanceTargets(drags=("10,10:40,40",)), sampling((0,), eta=1.0, guidance_scale=1.0)
    out = guide([place / "points"], tmp_path / "out", targets, noisy, Steering(weight=0.0), film=False)
    pictures = [read_image(out / f"{name}-0.png").astype(float) for name in ("unguided", "guided")]
    np.testing.assert_allclose(*pictures, atol=1)  # grey level


@pytest.mark.parametrize("real", [True, False])
def test_a_drag_carries_from_the_middle_of_the_images_own_trajectory(place: Path, tmp_path: Path, real: bool) -> None:
    targets = GuidanceTargets(source=place / "photo.png" if real else None, drags=("16,16:48,48",), carry=8)
    late = sampling((0, 1), guidance_scale=1.0, steps=5, strength=0.4)
    out = guide([place / "points"], tmp_path / "out", targets, late, Steering(share=0.5), film=False, batch_size=2)
    for row in json.loads((out / "guide.json").read_text())["images"]:
        assert list(row["error_by_step"]) == ["3"]  # of the steps 3 and 4 that are run, half are steered
    changed = [
        np.abs(read_image(out / f"{name}-0.png").astype(float) - read_image(out / "unguided-0.png")).mean()
        for name in ("guided", "unguided")
    ]
    assert changed[0] > changed[1] == 0


def test_a_drag_of_several_frames_keeps_the_appearance_of_its_image(place: Path, tmp_path: Path) -> None:
    targets = GuidanceTargets(drags=("10,10:40,40",), frames=3)
    out = guide([place / "looks", place / "points"], tmp_path / "out", targets, sampling((0,)), STEERING, film=False)
    [row] = json.loads((out / "guide.json").read_text())["images"]
    assert list(row["scores"]) == ["appearance-distance1/own", "drag-distance2/own", "changed"]
    assert row["scores"]["appearance-distance1/own"][0] == pytest.approx(0, abs=1e-5)  # its own target
    frames = [read_image(out / f"frame-{number}-0.png") for number in range(3)]
    assert np.array_equal(frames[0], read_image(out / "unguided-0.png"))
    assert np.array_equal(frames[2], read_image(out / "guided-0.png"))
    assert not np.array_equal(frames[1], frames[2])
    assert (out / "frames-0.mp4").stat().st_size > 0


def test_a_real_image_is_dragged_as_published(place: Path, tmp_path: Path) -> None:
    settings = usual_settings("published", {"prompt": "a dog", "steps": 4}, SIZE, dragging=True, real=True)
    targets = GuidanceTargets(source=place / "photo.png", drags=("10,10:40,40",), **settings.targets)
    runs = [place / "looks", place / "points"]
    out = guide(runs, tmp_path / "out", targets, settings.sampling, settings.steering, film=False)
    held = json.loads((out / "guide.json").read_text())
    assert list(held["images"][0]["error_by_step"]) == ["0", "1"]
    assert held["settings"]["sampling"]["unguided_scale"] == 1.0
    assert held["settings"]["steering"]["branches"] == "both"


def test_a_pair_of_ends_that_is_never_visible_is_refused(place: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "tracks_a.npy", np.array([[[10.0, 10]], [[40.0, 40]]]))
    np.save(tmp_path / "visibles_a.npy", np.array([[True], [False]]))
    with pytest.raises(ConfigError, match="no point is visible at both ends"):
        guide([place / "points"], tmp_path, GuidanceTargets(tracks=tmp_path / "tracks_a.npy"), sampling(), STEERING)


@pytest.fixture(scope="module")
def on_tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that reads points, and one that reads depth, off the packaged backbone."""
    folder = tmp_path_factory.mktemp("tiny")
    points = {"kind": "correspondence", "distance": [1, 1], "num_points": 16}
    train(recipe(folder, points, "tiny"), folder / "points")
    train(recipe(folder, {"kind": "depth-image", "channels": 1}, "tiny"), folder / "depth")
    return folder


@pytest.mark.parametrize("scene", ["man-crocodile", "tiger", "wolf-looking"])
def test_real_drag_scenes_go_through_the_packaged_backbone(
    on_tiny: Path, tmp_path: Path, shared_data: Path, scene: str
) -> None:
    folder = shared_data / "drag_scenes/drag/real" / scene
    [tracks] = folder.glob("tracks_*.npy")
    points, visible, image_size = read_tracks(tracks)
    assert image_size == (512, 512)
    assert points.shape == np.load(tracks).shape[1:]
    assert visible.all()
    assert ((points >= 0) & (points <= 512)).all()
    targets = GuidanceTargets(source=folder / "source.png", tracks=tracks)
    out = guide([on_tiny / "points"], tmp_path, targets, sampling((0,), guidance_scale=1.0), STEERING, film=False)
    held = json.loads((out / "guide.json").read_text())
    assert held["inversion_psnr_db"]["source"] > 4  # three steps only; fifty have 22 dB
    assert held["scores"][0]["name"] == "drag-distance/own"
    assert read_image(out / "guided-0.png").shape == (*SIZE, 3)
    assert (read_image(out / "guided-0.png") != read_image(out / "unguided-0.png")).any()


def test_real_depth_controls_are_read(on_tiny: Path, tmp_path: Path, shared_data: Path) -> None:
    control, *_ = sorted((shared_data / "drag_scenes/spatial/depth").glob("*.png"))
    targets = GuidanceTargets(controls=(control,))
    out = guide([on_tiny / "depth"], tmp_path, targets, sampling((0,)), STEERING, film=False)
    assert json.loads((out / "guide.json").read_text())["scores"][0]["name"] == "control-error/own"


@pytest.mark.parametrize(
    ("runs", "targets", "message"),
    [
        (["clean"], {"controls": ("control.png",)}, "trained at one noise level"),
        (["evaluator"], {"controls": ("control.png",)}, "generates no images"),
        (["depth"], {}, "--control is given 0 times"),
        (["depth"], {"controls": ("lost.png",)}, "image not found"),
        (["depth"], {"controls": ("wide.png",)}, "their aspects differ"),
        (["points"], {"drags": ("10,10:400,40",)}, "lies outside the image of 64 x 64"),
        (["points"], {"drags": ("10,10",)}, "is no drag"),
        (["depth"], {"controls": ("control.png",), "carry": 5.0}, "nothing to carry"),
        (["looks"], {"drags": ("1,1:2,2",)}, "--drag is given 1 times"),
        (["depth"], {"controls": ("control.png",), "weights": (1.0, 2.0)}, "2 weights for 1 runs"),
        (["depth"], {"controls": ("control.png",), "weights": ((1.0, 2.0),)}, "2 weights of a run for 3 steps"),
        (["looks"], {}, "--reference is given 0 times"),
    ],
)
def test_mistakes_are_caught(
    place: Path, tmp_path: Path, runs: list[str], targets: dict[str, object], message: str
) -> None:
    given = dict(targets)
    if "controls" in given:
        given["controls"] = tuple(place / str(name) for name in targets["controls"])  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=message):
        guide([place / run for run in runs], tmp_path, GuidanceTargets(**given), sampling((0,)), STEERING, film=False)  # type: ignore[arg-type]
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    ("run", "targets", "eta", "strength", "message"),
    [
        ("depth", {"controls": ("control.png",)}, 0.0, 0.5, "no later step to start from"),
        ("points", {"drags": ("10,10:40,40",)}, 1.0, 0.5, "noise at each step would leave"),
        ("points", {"drags": ("10,10:40,40",), "carry": 8.0}, 1.0, 1.0, "noise at each step would leave"),
    ],
)
def test_only_drags_start_late_and_without_noise(
    place: Path, tmp_path: Path, run: str, targets: dict[str, object], eta: float, strength: float, message: str
) -> None:
    given = dict(targets)
    if "controls" in given:
        given["controls"] = tuple(place / str(name) for name in targets["controls"])  # type: ignore[attr-defined]
    late = sampling((0,), eta=eta, strength=strength)
    with pytest.raises(ConfigError, match=message):
        guide([place / run], tmp_path, GuidanceTargets(**given), late, STEERING, film=False)  # type: ignore[arg-type]


def test_an_evaluator_needs_a_guiding_run_of_the_same_output(place: Path, tmp_path: Path) -> None:
    targets = GuidanceTargets(drags=("10,10:40,40",))
    with pytest.raises(ConfigError, match="no guiding run without an evaluator does"):
        guide([place / "points"], tmp_path, targets, sampling(), STEERING, evaluators=[place / "evaluator"])


def test_weights_are_one_for_each_run_or_for_its_steps() -> None:
    assert run_weights("2,1") == (2.0, 1.0)
    assert run_weights("1,0.5:1:0") == (1.0, (0.5, 1.0, 0.0))
    with pytest.raises(ConfigError, match="--weights"):
        run_weights("1,:2")


def test_seeds_are_listed_or_ranged() -> None:
    assert seed_list("3,1,5-7,1") == (3, 1, 5, 6, 7)
    for text in ("", "a", "5-", "7-5"):
        with pytest.raises(ConfigError):
            seed_list(text)


def test_the_drag_score_is_a_distance_in_pixels() -> None:
    class Reader(HeadOnImages):
        """Descriptors that are the image's own colours, a cell for each 8 pixels."""

        def read(self, images: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.avg_pool2d(images, 8)

    before, after = torch.zeros(1, 3, 64, 64), torch.zeros(2, 3, 64, 64)
    before[:, 0, 8:16, 8:16] = 1  # one red cell
    after[0, 0, 40:48, 40:48] = 1
    after[1, 0, 8:16, 8:16] = 1  # it has not moved
    handles, targets = torch.tensor([[12.0, 12.0]]), torch.tensor([[44.0, 44.0]])
    found = drag_distance(Reader.__new__(Reader), before, after, handles, targets)
    assert found.tolist() == pytest.approx([0, np.hypot(32, 32)], abs=0.2)
