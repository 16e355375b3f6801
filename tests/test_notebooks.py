"""docs/notebooks.md: each block has at most ten lines of the public API alone, and runs on small synthetic data."""

import ast
import json
import re
from pathlib import Path

import pytest

from gensight import api
from gensight.files.images import read_image
from tests.backbones.test_transformers_encoder import save as save_resnet
from tests.documented import (
    clips,
    coco,
    controls,
    frames,
    pictures,
    small_models,
    small_place,
    small_stable_diffusion,
    written,
)
from tests.readers.miniatures import make_pets

PAGE = (Path(__file__).parents[1] / "docs" / "notebooks.md").read_text(encoding="utf-8")
MAX_LINES = 10


def parts(page: str) -> dict[str, list[str]]:
    """Title -> blocks of each part of the page."""
    found = {}
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        found[part.partition("\n")[0]] = re.findall(r"^```python\n(.*?)^```", part, flags=re.MULTILINE | re.DOTALL)
    return found


PARTS = parts(PAGE)


def mistakes(block: str) -> list[str]:
    """What makes a block too long, and what it takes of gensight beside the public API."""
    lines = block.splitlines()
    found = [f"{len(lines)} lines"] if len(lines) > MAX_LINES else []
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gensight":
            found.append(ast.unparse(node))
        if isinstance(node, ast.Import):
            found += [one.name for one in node.names if one.name.startswith("gensight.")]
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "gs" and node.attr not in api.__all__:
            found.append(ast.unparse(node))
    return found


def test_blocks_are_short_and_use_the_public_api_alone() -> None:
    assert {block: mistakes(block) for blocks in PARTS.values() for block in blocks if mistakes(block)} == {}
    assert all(PARTS.values())


@pytest.mark.parametrize(
    ("block", "found"),
    [
        ("import gensight as gs\n" + "gs.load('a')\n" * 9, []),
        ("import gensight as gs\n" + "gs.load('a')\n" * 10, ["11 lines"]),
        ("from gensight.verbs.train import train", ["from gensight.verbs.train import train"]),
        ("from gensight import api", ["from gensight import api"]),
        ("import gensight.api", ["gensight.api"]),
        ("import gensight as gs\ngs.verbs.train.train()", ["gs.verbs"]),
    ],
)
def test_longer_blocks_and_deeper_imports_are_found(block: str, found: list[str]) -> None:
    assert mistakes(block) == found


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_place(tmp_path, monkeypatch)


def run_part(title: str) -> None:
    for block in PARTS[title]:
        exec(compile(block, f"docs/notebooks.md, {title}", "exec"), {})


def test_readout_guidance(place: Path) -> None:
    pictures(place)
    clips(place)
    written(place, "annotated", "people")
    written(place, "rgbd", "rooms", 16)
    frames(place)
    small_stable_diffusion(place)
    small_models(place)
    run_part("Readout Guidance: readout heads")
    controls(place)
    run_part("Readout Guidance: guided generation")
    assert read_image(place / "dragged" / "guided-0.png").shape == (64, 64, 3)


def test_keypoints(place: Path) -> None:
    pictures(place)
    written(place, "deeplabcut", "project")
    small_stable_diffusion(place)
    coco(place)
    run_part("Readout head for pose estimation")
    assert (place / "poses" / "keypoints.csv").is_file()


def test_gaze(place: Path) -> None:
    pictures(place)
    written(place, "gazefollow", "gazefollow_extended", 24)
    heads = [{"file_name": f"{number}.png", "bbox": [12, 8, 18, 20]} for number in range(2)]
    (place / "heads.json").write_text(json.dumps(heads))
    run_part("Diffusion gaze following")
    assert len(json.loads((place / "gazes" / "gaze.json").read_text())) == 2


def test_instructions(place: Path) -> None:
    pictures(place)
    make_pets(place / "pets")
    coco(place)
    written(place, "rgbd", "rooms")
    small_stable_diffusion(place)
    save_resnet(place / "microsoft" / "resnet-50")
    run_part("InstructCV: one model for many tasks")
    assert len(json.loads((place / "cats" / "answers.json").read_text())["answers"]) == 10


def test_landmarks(place: Path) -> None:
    pictures(place)
    clips(place)
    written(place, "deeplabcut", "project")
    run_part("Unsupervised landmarks")
    assert (place / "listed" / "keypoints.csv").is_file()
