"""Single-file checkpoints of editors in the layout that they were trained in -> a folder that diffusers loads.

InstructPix2Pix and InstructCV publish one `.ckpt` or `.safetensors` file: `model.diffusion_model.*` (the U-Net, whose
input has 8 channels), `model_ema.*` (its average, where it was kept), `first_stage_model.*` (the autoencoder) and
`cond_stage_model.transformer.*` (the text encoder). It holds neither settings nor a vocabulary, so a folder of an
editor of the same shape must give these: its json and txt files are read, its weights are not.
"""

import pickle
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals
from transformers import CLIPTextConfig, CLIPTextModel

from gensight.backbones.hub import hub_folder, reading
from gensight.backbones.pipeline_folder import save_editor_folder
from gensight.backbones.pretrained import PipelineParts, read_scheduler, read_tokenizer
from gensight.diffusion.sampling import build_scheduler
from gensight.errors import RunError, first_line

SUFFIXES = (".ckpt", ".safetensors")
USUAL_CONFIG = "timbrooks/instruct-pix2pix"
UNET, AVERAGE, TEXT = "model.diffusion_model.", "model_ema.", "cond_stage_model.transformer."
INPUT = f"{UNET}input_blocks.0.0.weight"
_CONFIG_FILES = ["*.json", "*/*.json", "*/*.txt"]
_NEEDED = ("unet/config.json", "vae/config.json", "text_encoder/config.json", "tokenizer", "scheduler")


def convert_single_file(path: Path, out: Path, config: str = USUAL_CONFIG) -> None:
    """Writes a single-file editor as a folder that diffusers' `StableDiffusionInstructPix2PixPipeline` loads.

    The U-Net's averaged weights are taken where the file has them, as the published samplers do.

    Args:
        path: `.ckpt` or `.safetensors`.
        out: The folder to write; it must not exist.
        config: Folder, or hub id, of an editor in diffusers' layout whose settings and vocabulary fit.

    Raises:
        RunError: The file or the folder can't be read, don't fit, or `out` exists.
    """
    if out.exists():
        raise RunError("this folder exists already", where=out, hint="move it away, or choose another one with --out")
    state = read_checkpoint(path)
    settings = _config_folder(config)
    parts = PipelineParts(
        unet=_converted(UNet2DConditionModel, _unet_state(state), settings, "unet", path),
        vae=_converted(AutoencoderKL, state, settings, "vae", path),
        text_encoders=(_text_encoder(state, settings, path),),
        tokenizers=(read_tokenizer(settings),),
        scheduler=build_scheduler("euler-ancestral", read_scheduler(settings)),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        whole = Path(folder) / "pipeline"
        save_editor_folder(whole, parts)
        shutil.move(whole, out)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a single-file editor. Names other than tensors' in a `.ckpt` are read as empty things.

    Raises:
        RunError: It can't be read, could run code, or is no editor in this layout.
    """
    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        else:
            with _foreign_names_empty(path):
                content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, SafetensorError, RuntimeError, ValueError, pickle.UnpicklingError, EOFError) as error:
        hint = "is it whole? A .ckpt must be of torch 1.6 or later; a .safetensors file is safest"
        raise RunError(f"the checkpoint cannot be read: {first_line(error)}", where=path, hint=hint) from error
    while isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    state = {str(name): one for name, one in content.items() if isinstance(one, Tensor)} if content else {}
    if INPUT not in state:
        what = f"this is no checkpoint in the layout of InstructPix2Pix: it has no {INPUT}"
        raise RunError(what, where=path, hint="a folder in diffusers' layout is imported by its path")
    if state[INPUT].shape[1] != 8:
        what = f"this model's input has {state[INPUT].shape[1]} channels, so it is no editor, whose has 8"
        raise RunError(what, where=path)
    return state


@contextmanager
def _foreign_names_empty(path: Path) -> Iterator[None]:
    """Lets torch's own safe reader pass over what trainers leave beside the tensors: each becomes an empty class.

    Nothing of theirs is imported or called.
    """
    names = get_unsafe_globals_in_checkpoint(str(path))
    with safe_globals([(type("Unread", (_Unread,), {}), name) for name in names]):
        yield


class _Unread:
    """Stands for an object of a class that is not looked at."""

    def __init__(self, *arguments: object, **options: object) -> None:
        """Takes anything, and keeps nothing."""

    def __setstate__(self, state: object) -> None:
        """Keeps nothing."""


def _unet_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The U-Net's tensors, averaged ones under the names of those that they are averages of."""
    plain = {name: one for name, one in state.items() if name.startswith(UNET)}
    averages = {name: AVERAGE + name.removeprefix("model.").replace(".", "") for name in plain}
    if all(average in state for average in averages.values()):
        return {name: state[average] for name, average in averages.items()}
    return plain


def _config_folder(config: str) -> Path:
    folder = hub_folder(
        config,
        "editor",
        partial(snapshot_download, allow_patterns=_CONFIG_FILES),
        "--config FOLDER, or a hub id",
        "give --config FOLDER: an editor in diffusers' layout, such as the json and txt files of "
        f"https://huggingface.co/{USUAL_CONFIG}, or what `gensight editor export` wrote",
    )
    missing = [name for name in _NEEDED if not (folder / name).exists()]
    if missing:
        hint = "name a folder of an editor in diffusers' layout; its weights are not needed"
        raise RunError(f"the folder of the settings lacks {', '.join(missing)}", where=folder, hint=hint)
    return folder


def _converted(kind: Any, state: dict[str, Tensor], settings: Path, part: str, path: Path) -> nn.Module:
    """A part by diffusers' own single-file loader, all of its weights from the file."""
    try:
        model: nn.Module = kind.from_single_file(state, config=str(settings), subfolder=part, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError, IndexError) as error:
        raise _unfit(part, settings, path, first_line(error)) from error
    missing = [name for name, one in model.named_parameters() if one.is_meta]
    if missing:
        raise _unfit(part, settings, path, f"it lacks {len(missing)} tensors, such as {missing[0]}")
    return model.float()


def _text_encoder(state: Mapping[str, Tensor], settings: Path, path: Path) -> nn.Module:
    with reading("the config of the text encoder", settings):
        model = CLIPTextModel(CLIPTextConfig.from_pretrained(settings / "text_encoder", local_files_only=True))
    own = model.state_dict()
    found = {name.removeprefix(TEXT): one for name, one in state.items() if name.startswith(TEXT)}
    # Some versions of the library nest the encoder in a `text_model`, as the file does, others do not.
    found = {name if name in own else name.removeprefix("text_model."): one for name, one in found.items()}
    wrong = [name for name, one in own.items() if name not in found or found[name].shape != one.shape]
    wrong = [name for name in wrong if not name.endswith("position_ids")]
    if wrong:
        raise _unfit("text_encoder", settings, path, f"{len(wrong)} tensors are other ones, such as {wrong[0]}")
    model.load_state_dict({name: one for name, one in found.items() if name in own}, strict=False)
    return model.eval()


def _unfit(part: str, settings: Path, path: Path, reason: str) -> RunError:
    hint = "name the folder of an editor of the same shape with --config"
    return RunError(f"the checkpoint's {part} does not fit the settings in {settings}: {reason}", where=path, hint=hint)
