"""Commented recipes read back to what was written."""

from pathlib import Path

import pytest

from gensight.config.loading.commented import commented_yaml
from gensight.config.loading.loader import load_recipe
from gensight.config.schema import RunConfig

CONFIG = RunConfig.model_validate(
    {
        "name": "odd: name",
        "data": {"kind": "deeplabcut", "root": "/a b/#c", "split": {"kind": "videos", "test": ["on", "3", "ü"]}},
        "training": {"clip": 0.5, "ema": None, "learning_rate": 1e-6},
        "cache": {"mode": "off"},
        "method": {"timesteps": [1, 200]},
    }
)


@pytest.mark.parametrize("everything", [False, True])
def test_round_trip(tmp_path: Path, everything: bool) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(commented_yaml(CONFIG, {"training.ema": "None is fine."}, everything), encoding="utf-8")
    assert load_recipe(path) == CONFIG


def test_every_key_stands_under_its_meaning() -> None:
    lines = commented_yaml(CONFIG, {"training.ema": "Off: the run is short."}).splitlines()
    place = lines.index("  ema: null")
    assert lines[place - 1] == (
        "  # Decay of the averaged weights (0.999 for example); none: no average. Off: the run is short."
    )
    assert "  steps: 1000" not in lines, "defaults without a note are left out"
    assert max(map(len, lines)) <= 120
