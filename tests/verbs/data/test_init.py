"""`gensight init`: what it sees, and that the recipe it writes is right and loads."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from gensight.assembly.experiment import Experiment
from gensight.assembly.readers import build_readers
from gensight.cli.main import app
from gensight.config.data import BlocksSplit, CocoData, DeepLabCutData, VideosSplit
from gensight.config.loading.loader import load_pretrain_recipe, load_recipe
from gensight.config.schema import ScratchConfig
from gensight.errors import ConfigError, DataError
from gensight.skeletons import pairs_text
from gensight.verbs import train as train_verb
from gensight.verbs.data import fitting
from gensight.verbs.data.coco_files import find_coco_files
from gensight.verbs.data.datasets import write
from gensight.verbs.data.fitting import view_size
from gensight.verbs.data.init import crop_size, init
from gensight.verbs.data.layouts import recognise
from gensight.verbs.data.survey import Survey, survey


def picture(path: Path, size: tuple[int, int] = (60, 80)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(path)


def deeplabcut(root: Path, videos: int, frames: int = 3) -> Path:
    """A project with one mouse 40 px long."""
    root.mkdir()
    (root / "config.yaml").write_text("Task: mouse\nscorer: me\nbodyparts: [nose, left_ear, right_ear]\n")
    for video in range(videos):
        folder = root / "labeled-data" / f"video{video}"
        rows = ["scorer,me,me,me,me,me,me", "bodyparts,nose,nose,left_ear,left_ear,right_ear,right_ear",
                "coords,x,y,x,y,x,y"]  # fmt: skip
        for frame in range(frames):
            picture(folder / f"img{frame}.png", (120, 160))
            rows.append(f"labeled-data/video{video}/img{frame}.png,10,20,50,22,30,40")
        (folder / "CollectedData_me.csv").write_text("\n".join(rows) + "\n")
    return root


def test_deeplabcut_of_one_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = deeplabcut(tmp_path / "my mouse", videos=1, frames=10)
    answer = init(root)
    assert answer.recipe == Path("my-mouse.yaml")
    assert answer.seen[:-1] == (
        "found DeepLabCut: 10 images of 120 x 160 px (height x width, median)",
        "from 1 video",
        "3 keypoints (nose, left_ear, right_ear) of one subject per image, about 20 x 40 px each",
        "labelled: 10 subjects with 30 points",
        "left-right pairs: left_ear-right_ear",
    )
    assert re.fullmatch(
        r"measured: .* s for a batch of [48] on cpu: \d+ steps in about .* with validation and scores \(--minutes\)",
        answer.seen[-1],
    )
    config = load_recipe(answer.recipe)
    assert isinstance(config.data, DeepLabCutData)
    assert config.data.root == root
    assert isinstance(config.data.split, BlocksSplit)
    assert (config.view.crop, config.view.size) == ("frame", (128, 160))
    assert config.view.augment.flip == 0.5
    text = answer.recipe.read_text()
    assert "# command:  gensight train my-mouse.yaml" in text
    assert "Frames of one video resemble their neighbours" in text


def test_deeplabcut_of_many_videos_holds_videos_out(tmp_path: Path) -> None:
    answer = init(deeplabcut(tmp_path / "mouse", videos=5, frames=2), tmp_path / "recipe.yaml")
    data = load_recipe(answer.recipe).data
    assert isinstance(data, DeepLabCutData)
    assert isinstance(data.split, VideosSplit)
    assert data.split.test == ("video4",)


def test_coco_is_found_with_its_images(tmp_path: Path) -> None:
    root = write("puppets", tmp_path / "people", format="coco", num_samples=12, size="64x64", seed=1)
    [found], _ = find_coco_files(root)
    assert (found.annotations, found.images, found.categories, found.role) == (
        "annotations.json", "images", ("person",), "train",
    )  # fmt: skip
    config = load_recipe(init(root, tmp_path / "recipe.yaml").recipe)
    assert isinstance(config.data, CocoData)
    assert config.data.test is None
    assert config.view.crop == "box"
    assert config.encoding.skeleton == "data"


def test_a_coco_file_may_have_the_name_of_the_projects_own_description(tmp_path: Path) -> None:
    root = write("puppets", tmp_path / "people", format="coco", num_samples=12, size="64x64", seed=1)
    (root / "annotations.json").rename(root / "dataset.json")
    data = load_recipe(init(root, tmp_path / "recipe.yaml").recipe).data
    assert isinstance(data, CocoData)
    assert data.train.annotations == "dataset.json"
    (root / "dataset.json").write_text('{"images": [')
    with pytest.raises(DataError, match="not valid JSON"):
        init(root, tmp_path / "broken.yaml")


def test_parts_go_by_their_names(shared_data: Path) -> None:
    data = survey(shared_data / "coco_mini").data
    assert isinstance(data, CocoData)
    assert data.train.images == "train2017"
    assert data.test is not None
    assert data.test.annotations == "annotations/person_keypoints_val2017.json"
    assert data.validation is None


def test_real_mouse(shared_data: Path, tmp_path: Path) -> None:
    config = load_recipe(init(shared_data / "openfield_mouse", tmp_path / "mouse.yaml").recipe)
    assert config.view.crop == "frame"
    height, width = config.view.size
    assert 192 <= height <= 480
    assert height / width == pytest.approx(3 / 4, abs=0.05)


def test_images_without_labels_make_a_recipe_to_pretrain(tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "a" / "1.png")
    (tmp_path / "photos" / "other.json").write_text('{"images": []}')
    result = CliRunner().invoke(app, ["init", str(tmp_path / "photos"), "--out", str(tmp_path / "r.yaml")])
    assert result.exit_code == 0, result.output
    assert "no keypoint labels here" in result.stdout
    assert f"next: gensight pretrain {tmp_path / 'r.yaml'}" in result.stdout
    config = load_pretrain_recipe(tmp_path / "r.yaml")
    assert (config.data.kind, config.image_size, config.start.kind) == ("folder", (128, 160), "tiny")


def test_folders_of_videos_and_single_videos(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").touch()
    assert survey(tmp_path).data.kind == "videos"
    assert survey(tmp_path / "clip.mp4") == Survey(survey(tmp_path / "clip.mp4").data, 1)


def test_odd_names_survive(tmp_path: Path) -> None:
    place = tmp_path / "a: 'b' #c [1]"
    picture(place / "1.png")
    config = load_pretrain_recipe(init(place, tmp_path / "r.yaml").recipe)
    assert config.data.root == place  # type: ignore[union-attr]


def test_it_never_overwrites(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "1.png")
    (tmp_path / "r.yaml").write_text("mine")
    with pytest.raises(ConfigError, match="init never overwrites"):
        init(tmp_path / "in", tmp_path / "r.yaml")
    assert (tmp_path / "r.yaml").read_text() == "mine"


def test_places_with_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing here that gensight can read"):
        init(tmp_path, tmp_path / "r.yaml")
    with pytest.raises(ConfigError, match="there is no such folder"):
        init(tmp_path / "none", tmp_path / "r.yaml")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ConfigError, match="neither a folder, a video nor a label file"):
        init(tmp_path / "notes.txt", tmp_path / "r.yaml")


@pytest.mark.parametrize(
    ("image", "subject", "expected"),
    [
        ((480, 640), 117, (192, 256)),  # a small subject in a large image: reduced until it is 48 px long
        ((480, 640), 400, (64, 96)),  # a large subject: small input will do
        ((2000, 3000), 50, (416, 640)),  # a tiny subject: as large as is sensible
        ((100, 100), 10, (96, 96)),  # a small image is never enlarged beyond the smallest input
    ],
)
def test_input_size_follows_the_subject(image: tuple[int, int], subject: float, expected: tuple[int, int]) -> None:
    assert view_size(image, subject, nearest=100) == expected


def test_input_keeps_keypoints_a_cell_apart() -> None:
    height, width = view_size((480, 640), 117, nearest=6)
    assert 6 * min(height / 480, width / 640) > 4


def test_crops_follow_the_subjects_shape() -> None:
    assert [crop_size(*size) for size in ((100, 50), (50, 100), (90, 100))] == [(256, 192), (192, 256), (224, 224)]


def test_a_handful_of_labels_still_divides_and_fewer_are_refused(tmp_path: Path) -> None:
    config = load_recipe(init(deeplabcut(tmp_path / "eight", videos=1, frames=8), tmp_path / "eight.yaml").recipe)
    parts = build_readers(config.data)
    assert parts.validation is not None
    assert parts.test is not None
    assert len(parts.train) + len(parts.validation) + len(parts.test) == 8
    with pytest.raises(DataError, match="only 7 labelled images"):
        init(deeplabcut(tmp_path / "seven", videos=1, frames=7), tmp_path / "seven.yaml")


KNOWN = {  # what `datasets write` makes of synthetic scenes -> the section that reads it, and what the recipe learns
    "davis": ("davis", "appearance"),
    "rgbd": ("rgbd", "depth-map"),
    "spair": ("spair", "correspondence"),
    "gazefollow": ("gazefollow", "gaze"),
}


@pytest.mark.parametrize("layout", KNOWN)
def test_data_sets_of_known_layouts_get_the_recipe_that_fits(tmp_path: Path, layout: str) -> None:
    root = write(
        "puppets",
        tmp_path / "their data",
        format=layout,
        num_samples=40 if layout == "spair" else 12,
        size="64x64",
        seed=1,
    )
    config = load_recipe(init(root, tmp_path / "r.yaml").recipe)
    assert (config.data.kind, config.encoding.kind) == KNOWN[layout]
    assert config.name == "their-data"
    few = {"validation_share": 0.3} if layout == "gazefollow" else {}  # a share of a dozen images
    assert len(build_readers(config.data.model_copy(update=few)).train) > 0


def test_layouts_without_a_recipe_name_what_learns_them(tmp_path: Path) -> None:
    root = write("puppets", tmp_path / "voc", format="voc", num_samples=4, size="64x64", seed=1)
    with pytest.raises(
        ConfigError, match="this is PASCAL VOC: its masks, boxes and classes are learned together, by instructions"
    ) as caught:
        init(root, tmp_path / "r.yaml")
    assert f'--from "voc root={root}"' in str(caught.value.hint)


def test_the_real_sets_are_recognised(shared_data: Path) -> None:
    names = {
        "davis": "davis",
        "seven_scenes": "rgbd",
        "oxford_pets": "pets",
        "openfield_mouse": None,
        "coco_mini": None,
    }
    for name, kind in names.items():
        known = recognise(shared_data / name)
        assert (known and known.kind) == kind, name


def test_labels_that_annotate_wrote(tmp_path: Path) -> None:
    root = write("puppets", tmp_path / "puppets", format="annotated", num_samples=12, size="64x64", seed=1)
    config = load_recipe(init(root, tmp_path / "r.yaml").recipe)
    assert (config.data.kind, config.encoding.kind, config.view.crop) == ("annotated", "heatmap", "box")
    tracked = tmp_path / "tracked"
    tracked.mkdir()
    described = {"format": "gensight-annotated", "version": 1, "samples": "s", "source": {}, "categories": [],
                 "skeletons": {}, "teachers": [{"labels": ["tracks"]}]}  # fmt: skip
    (tracked / "dataset.json").write_text(json.dumps(described))
    assert load_recipe(init(tracked, tmp_path / "t.yaml").recipe).encoding.kind == "correspondence"


def test_minutes_become_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "_measure", lambda config, **_: fitting._Measured(0.05, 0.0, 30.0))
    root = deeplabcut(tmp_path / "mouse", videos=1, frames=10)
    short, long = (load_recipe(init(root, tmp_path / f"{m}.yaml", m, "cpu").recipe).training for m in (5.0, 20.0))
    assert (short.max_minutes, long.max_minutes) == (5.0, 20.0)
    for minutes, training in ((5, short), (20, long)):  # 30 s are spent on all else
        assert 0.9 * 60 * minutes <= 30 + training.steps * training.batch_size * 0.05 <= 60 * minutes


def test_a_slow_machine_gets_a_narrower_network_and_smaller_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        fitting, "_measure", lambda config, **_: fitting._Measured(0.02 * sum(config.backbone.widths), 0.0, 30.0)
    )
    root = deeplabcut(tmp_path / "mouse", videos=1, frames=10)
    config = load_recipe(init(root, tmp_path / "r.yaml", 20.0, "cpu").recipe)
    assert isinstance(config.backbone, ScratchConfig)
    assert config.backbone.widths == fitting.NARROW
    assert config.training.batch_size == 4


SIDES = ("left_ear", "right_ear", "Lpaw", "Rpaw", "FL", "FR", "gauche_1", "droite_1")


@pytest.mark.parametrize("missing", [None, "Rpaw", "droite_1"])
def test_pairs_are_shown_and_sides_without_a_partner_switch_flips_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str | None
) -> None:
    monkeypatch.setattr(fitting, "_measure", lambda config, **_: fitting._Measured(0.05, 0.0, 30.0))
    names = [name for name in SIDES if name != missing]
    root = tmp_path / "sides"
    root.mkdir()
    (root / "config.yaml").write_text(f"Task: t\nscorer: me\nbodyparts: [{', '.join(names)}]\n")
    rows = [["scorer", *["me"] * 2 * len(names)], ["bodyparts", *[name for name in names for _ in "xy"]],
            ["coords", *["x", "y"] * len(names)]]  # fmt: skip
    for frame in range(16):
        picture(root / "labeled-data" / "video" / f"img{frame:02d}.png", (96, 128))
        points = [str(value) for part in range(len(names)) for value in (20 + 80 * (part % 2), 10 + 10 * part)]
        rows.append([f"labeled-data/video/img{frame:02d}.png", *points])
    table = "\n".join(",".join(row) for row in rows) + "\n"
    (root / "labeled-data" / "video" / "CollectedData_me.csv").write_text(table)
    answer = init(root, tmp_path / "sides.yaml")
    config = load_recipe(answer.recipe)
    seen = "\n".join(answer.seen)
    assert "left_ear-right_ear" in seen
    if missing is None:
        assert "left_ear-right_ear, Lpaw-Rpaw, FL-FR, gauche_1-droite_1" in seen
        assert (config.view.augment.flip, config.evaluation.flip_test) == (0.5, True)
        return
    lone = {"Rpaw": "Lpaw", "droite_1": "gauche_1"}[missing]
    assert f"{lone}: named as one side of a pair, without a partner, so flips are off" in seen
    assert (config.view.augment.flip, config.evaluation.flip_test) == (0.0, False)
    asked = load_recipe(answer.recipe, ["evaluation.flip_test=true", "view.augment.flip=0.5"])
    opened = Experiment.open(asked)
    assert (opened.config.view.augment.flip, opened.config.evaluation.flip_test) == (0.0, False)
    assert lone in opened.sides_note
    given = Experiment.open(
        load_recipe(answer.recipe, ["evaluation.flip_test=true", "encoding.mirror_pairs=[[FL,FR]]"])
    )
    assert given.config.evaluation.flip_test
    assert given.skeleton is not None
    assert pairs_text(given.skeleton.keypoints, given.skeleton.mirror) == "FL-FR"
    with pytest.raises(ConfigError, match="did you mean `FR`"):
        Experiment.open(load_recipe(answer.recipe, ["encoding.mirror_pairs=[[FL,FX]]"]))


def test_boxes_of_no_size_are_named_by_init_and_before_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write("puppets", tmp_path / "people", format="coco", num_samples=12, size="64x64", seed=1)
    labels = json.loads((root / "annotations.json").read_text())
    for annotation in labels["annotations"][:2]:
        annotation["bbox"][2] = 0
    (root / "annotations.json").write_text(json.dumps(labels))
    answer = init(root, tmp_path / "recipe.yaml")
    assert [line for line in answer.seen if line.startswith("warning: 2 x box without an area (")]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    lines: list[str] = []
    monkeypatch.setattr(train_verb, "train_run", stop)
    with pytest.raises(KeyboardInterrupt):
        train_verb.train(load_recipe(answer.recipe), tmp_path / "run", "cpu", announce=lines.append)
    assert [line for line in lines if line.startswith("warning: 2 x box without an area (")]
