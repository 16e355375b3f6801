from pathlib import Path

import pytest
import yaml

from gensight.backbones import presets
from gensight.backbones.diffusion import load_tiny
from gensight.backbones.presets import Preset, preset


def test_unmeasured_backbones_have_none() -> None:
    assert preset("somebody/their-model") is None


def test_the_package_s_own_presets_fit() -> None:
    content = yaml.safe_load((Path(presets.__file__).parent / "presets.yaml").read_text()) or {}
    for name in content:
        found = preset(name)
        assert found is not None
        assert found.layers
        assert 0 <= found.timestep <= 999
        assert any(digit.isdigit() for digit in found.chosen_by)
        if name == "tiny":
            assert [layer.name for layer in load_tiny(layers=found.layers).layers] == list(found.layers)


def test_what_an_entry_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "presets.yaml").write_text(
        "tiny:\n  layers: [up_blocks.1.resnets.0]\n  timestep: 50\n  chosen_by: 'heatmap: 3.1 px'\n"
    )
    monkeypatch.setattr(presets, "files", lambda package: tmp_path)
    assert preset("tiny") == Preset(("up_blocks.1.resnets.0",), 50, "heatmap: 3.1 px")
