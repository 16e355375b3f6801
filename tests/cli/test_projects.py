"""People's own projects, as they would take them through `init`, `check`, `train --dry-run`, `train` and `predict`.

`projects.txt` holds every line that is printed of each, but for times, sizes of memory and losses.
"""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from gensight.assembly.readers import build_readers
from gensight.cli.main import app
from gensight.config.loading.loader import load_recipe
from gensight.verbs.data import fitting
from tests.cli.projects import COLOURS, PARTS, PROJECTS, SIZE, make, picture, points

TINY = [
    "view.size=[32,32]", "backbone.kind=scratch", "backbone.widths=[8,8,8]", "method.projection=8",
    "method.bottleneck=4", "method.widths=[8,8]", "training.steps=2", "training.batch_size=2",
    "training.validate_every=2", "training.warmup_steps=0", "evaluation.baselines=[mean-position]",
    "evaluation.flip_test=false", "cache.mode=off",
]  # fmt: skip
TEXT = Path(__file__).with_name("projects.txt")
UNTRAINED = "coco_boxes", "coco_masks", "yolo_boxes", "strips", "tiff_stack", "latin_csv", "photographs_stored"
FRAMES = {"mouse": 12, "day0": 6, "c": 6}  # of the projects' videos
TRAINED = set(PROJECTS) - set(UNTRAINED)
# `init` and `check` of these tools have tests of their own (tests/readers/label_files).
SLOW = {
    "sleap_package", "sleap_analysis", "sleap_csv", "label_studio", "cvat_images", "cvat_video", "labelme",
    "via_project", "yolo_boxes", "coco_masks", "faces_few", "dlc_bare", "photographs_stored", "tiff_stack",
}  # fmt: skip
# What depends on the machine, or on random weights.
_MASKED = [
    (r"(?m)^(one step|memory|model) .*\n", ""),
    (r"\d+ steps in about \d+:\d+", "N steps in about TIME"),
    (r"(?m)^time +\d+:\d+ for \d+ steps", "time TIME for N steps"),
    (r"(?m)^ +\d+:\d+  .*\n", ""),
    (r"[+−]?\d+\.\d+ (px|%)", r"N \1"),
    (r"(?m) +$", ""),
    (r"(?m)^(-+ *)+$\n", ""),
    (r" {2,}", "  "),
    (r"\d+ of (\d+) keypoints are above", r"N of \1 keypoints are above"),
]


def printed() -> dict[str, str]:
    """Project -> what is printed of it."""
    parts = re.split(r"(?m)^== (.*)\n", TEXT.read_text(encoding="utf-8"))[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def run(*words: str) -> str:
    """What a command prints, without the lines that show progress."""
    result = CliRunner().invoke(app, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    lines = result.output.splitlines()
    seen = [
        line
        for line in lines
        if not re.match(r"(train|evaluate|predict|cache)\b.*\d/\d|(loading|measuring).*\.\.\.$", line)
    ]
    return "\n".join([f"$ gensight {' '.join(words)}", *seen]) + "\n"


def walk(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """All that is printed of a project, with `FOLDER` for where it lies."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(fitting, "_measure", lambda config, **_: fitting._Measured(0.05, 0.0, 3.0))
    project = make(name, folder / name)
    recipe = f"{name}.yaml"
    text = run("init", name, "--minutes", "0.5", "--device", "cpu")
    if Path(recipe).is_file():
        text += run("datasets", "check", recipe)
    if name in TRAINED:
        tiny = [one for one in TINY if "view.size" not in one or load_recipe(recipe).view.crop == "frame"]
        text += run("train", recipe, "--dry-run", "--device", "cpu", *tiny).replace(" " + " ".join(tiny), " TINY")
        text += run("train", recipe, "--device", "cpu", *tiny).replace(" " + " ".join(tiny), " TINY")
        for given in filter(None, (project.image, project.video)):
            text += run("predict", f"runs/{name}", f"{name}/{given}", "--no-draw", "--device", "cpu")
    for pattern, new in _MASKED:
        text = re.sub(pattern, new, text.replace(str(folder), "FOLDER"))
    return text


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=pytest.mark.slow) if one in SLOW else one for one in PROJECTS]
)
def test_every_line_of_a_project(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert walk(name, tmp_path, monkeypatch) == printed()[name]
    for path in tmp_path.glob(f"runs/{name}/predict/*/keypoints.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        trained = load_recipe(f"{name}.yaml")
        names = build_readers(trained.data).train.skeleton.keypoints  # type: ignore[union-attr]
        assert [rows[1][1::3], len(rows) - 3] == [list(names), FRAMES.get(path.parent.name, 1)]
    if name in TRAINED:
        for part in build_readers(load_recipe(f"{name}.yaml").data).parts:
            for sample in part:
                shown = sample.image()
                for one in sample.instances or ():
                    assert one.keypoints is not None
                    for place in np.flatnonzero(one.keypoints.located):
                        x, y = one.keypoints.points[place].astype(int)
                        _shows(shown[y, x], place, name)


def _shows(colour: np.ndarray, place: int, name: str) -> None:
    """Each keypoint lies on the disc of its own colour."""
    if name == "faces":
        return
    if PROJECTS[name].make.__name__ == "<lambda>":  # bright squares, red, green and blue
        assert colour.argmax() == place
        assert colour.max() > 120
    else:
        others = {part: np.abs(colour.astype(int) - COLOURS[part]).sum() for part in PARTS}
        assert min(others, key=others.__getitem__) == PARTS[place]
        assert min(others.values()) < 150


LEARNT = [
    "training.steps=150", "training.batch_size=8", "training.validate_every=75", "backbone.widths=[16,32,32]",
    "view.augment.rotation=20", "view.augment.flip=0.5", "evaluation.baselines=[mean-position]",
    "training.max_minutes=null", "training.warmup_steps=10", "training.ema=null",
]  # fmt: skip
NAMES = f"data.keypoints=[{','.join(PARTS)}]"


@pytest.mark.slow  # trainings of a quarter of a minute each
@pytest.mark.parametrize(
    ("name", "more"),
    [("dlc_bare", []), ("photographs", []), ("yolo_pose", [NAMES]), ("coco_nameless", [NAMES]), ("tiff_pages", [])],
)
def test_predictions_lie_on_the_keypoints_that_they_name(
    name: str, more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also left and right, which images and labels exchange in training, on a photograph that lies on its side."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fitting, "_measure", lambda config, **_: fitting._Measured(0.05, 0.0, 3.0))
    make(name, tmp_path / name)
    assert "wrote" in run("init", name)
    assert "report" in run("train", f"{name}.yaml", *LEARNT, *more)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = Image.fromarray(picture([points(77)], SIZE, 77))
    upright.transpose(Image.Transpose.ROTATE_90).save("new.jpg", exif=exif, quality=95)
    assert "predictions" in run("predict", f"runs/{name}", "new.jpg", "--no-draw")
    (found,) = json.loads(Path(f"runs/{name}/predict/new/predictions.json").read_text())
    places = np.array(found["keypoints"]).reshape(-1, 3)[:, :2] + 0.5
    category = json.loads(Path(f"runs/{name}/predict/new/images.json").read_text())["categories"][0]
    for part, place in zip(category["keypoints"], places, strict=True):
        assert np.linalg.norm(place - points(77)[part]) < 5, part
