"""docs/scripts.md: every command stands below the original's, and runs on small synthetic data."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gensight.cli.main import app
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
from tests.readers.voc.test_reader import make as make_voc

PAGE = (Path(__file__).parents[1] / "docs" / "scripts.md").read_text(encoding="utf-8")


def parts(page: str) -> dict[str, list[str]]:
    """Title -> commands of each part of the page, with lines joined that a backslash ends."""
    found = {}
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^```bash\n(.*?)^```", part, flags=re.MULTILINE | re.DOTALL)
        lines = "".join(blocks).replace("\\\n", " ").splitlines()
        found[part.partition("\n")[0]] = [line for line in lines if line and not line.startswith("#")]
    return found


PARTS = parts(PAGE)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_place(tmp_path, monkeypatch)


def run_part(title: str) -> None:
    for command in PARTS[title]:
        program, *arguments = shlex.split(command)
        result = CliRunner().invoke(app, arguments)
        assert program == "gensight"
        assert result.exit_code == 0, f"{command}\n{result.output}{result.exception!r}"


def test_readout_guidance(place: Path) -> None:
    pictures(place)
    clips(place)
    frames(place)
    controls(place)
    small_models(place)
    small_stable_diffusion(place)
    run_part("Readout Guidance")
    assert (place / "dragged" / "guided-0.png").is_file()


def test_keypoints(place: Path) -> None:
    pictures(place)
    coco(place)
    small_models(place)
    small_stable_diffusion(place)
    run_part("Readout head for pose estimation")
    assert (place / "poses" / "keypoints.csv").is_file()


def test_gaze(place: Path) -> None:
    written(place, "gazefollow", "gazefollow_extended", 24)
    run_part("Diffusion gaze following")


def test_instructions(place: Path) -> None:
    pictures(place)
    make_pets(place / "pets")
    coco(place)
    written(place, "rgbd", "rooms")
    make_voc(place / "VOC2012")
    small_stable_diffusion(place)
    save_resnet(place / "microsoft" / "resnet-50")
    run_part("InstructCV")
    assert (place / "outputs" / "answers.json").is_file()


def test_landmarks(place: Path) -> None:
    clips(place)
    written(place, "deeplabcut", "project")
    run_part("Unsupervised landmarks")
    assert (place / "landmarks.csv").is_file()


def test_every_part_is_run() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    assert PARTS
    assert all(commands and f'run_part("{title}")' in here for title, commands in PARTS.items())
