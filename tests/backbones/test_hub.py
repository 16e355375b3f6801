"""Opening for perception alone: little is imported, and the features are those of the whole pipeline."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from gensight.backbones.diffusion import DiffusionBackbone, load_tiny

SLOW = ("peft", "transformers", "accelerate", "scipy", "lightning", "torchmetrics", "torch._dynamo", "pandas")
# Networks that a U-Net of the SD family and its autoencoder are made of.
NEEDED = {
    "autoencoders": {"autoencoder_kl", "vae"},
    "transformers": {"dual_transformer_2d", "transformer_2d"},
    "unets": {"unet_2d_blocks", "unet_2d_condition"},
}


def features_of(backbone: DiffusionBackbone) -> dict[str, np.ndarray]:
    """Layer -> map of one image."""
    torch.set_num_threads(1)
    with torch.inference_mode():
        found = backbone.features(torch.linspace(0, 1, 3 * 32 * 32).reshape(1, 3, 32, 32))
    return {name: maps.numpy() for name, maps in found.maps.items()}


def test_perception_alone_imports_its_networks_only_and_sees_the_same(tmp_path: Path) -> None:
    script = "\n".join([
        "import sys, numpy",
        "from tests.backbones.test_hub import SLOW, features_of, load_tiny",
        "backbone = load_tiny(perception_only=True)",
        f"numpy.savez({str(tmp_path / 'features.npz')!r}, **features_of(backbone))",
        "print(backbone.fingerprint())",
        "print([name for name in SLOW if name in sys.modules])",
        "names = [name.split('.') for name in sys.modules if name.startswith('diffusers.models.')]",
        "print(sorted('.'.join(name[2:4]) for name in names if len(name) == 4))",
    ])  # fmt: skip
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    fingerprint, slow, networks = answer.stdout.splitlines()
    assert slow == "[]"
    allowed = {f"{folder}.{name}" for folder, names in NEEDED.items() for name in names}
    assert {name.strip("'[] ") for name in networks.split(",")} <= allowed
    whole = load_tiny()
    assert fingerprint == whole.fingerprint()
    expected = features_of(whole)
    with np.load(tmp_path / "features.npz") as found:
        assert set(found) == set(expected)
        for name, maps in expected.items():
            np.testing.assert_allclose(found[name], maps, rtol=0, atol=1e-4 * np.abs(maps).max())
