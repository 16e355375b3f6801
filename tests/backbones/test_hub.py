"""Opening for perception alone: little is imported, and the features are those of the whole pipeline."""

import hashlib
import subprocess
import sys

import torch

from gensight.backbones.diffusion import DiffusionBackbone, load_tiny

SLOW = ("peft", "transformers", "accelerate", "scipy", "lightning", "torchmetrics", "torch._dynamo", "pandas")
# Networks that a U-Net of the SD family and its autoencoder are made of.
NEEDED = {
    "autoencoders": {"autoencoder_kl", "vae"},
    "transformers": {"dual_transformer_2d", "transformer_2d"},
    "unets": {"unet_2d_blocks", "unet_2d_condition"},
}


def digest(backbone: DiffusionBackbone) -> str:
    """Of the features of one image, to the bit, and the backbone's fingerprint."""
    torch.set_num_threads(1)
    with torch.inference_mode():
        found = backbone.features(torch.linspace(0, 1, 3 * 32 * 32).reshape(1, 3, 32, 32))
    whole = hashlib.sha256(backbone.fingerprint().encode())
    for name, maps in sorted(found.maps.items()):
        whole.update(name.encode() + maps.numpy().tobytes())
    return whole.hexdigest()


def test_perception_alone_imports_its_networks_only_and_sees_the_same() -> None:
    script = "\n".join([
        "import sys",
        "from tests.backbones.test_hub import SLOW, digest, load_tiny",
        "print(digest(load_tiny(perception_only=True)))",
        "print([name for name in SLOW if name in sys.modules])",
        "names = [name.split('.') for name in sys.modules if name.startswith('diffusers.models.')]",
        "print(sorted('.'.join(name[2:4]) for name in names if len(name) == 4))",
    ])  # fmt: skip
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    seen, slow, networks = answer.stdout.splitlines()
    assert slow == "[]"
    allowed = {f"{folder}.{name}" for folder, names in NEEDED.items() for name in names}
    assert {name.strip("'[] ") for name in networks.split(",")} <= allowed
    assert seen == digest(load_tiny())
