"""What was trained, as safetensors; foreign or damaged files are refused by name."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError, RunError
from gensight.files.atomic import write_bytes
from gensight.methods.base import Method


def save_weights(state: dict[str, torch.Tensor], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}))


def load_weights(method: Method, path: Path) -> None:
    """Raises RunError if the file is no safetensors file, holds other tensors than the method has trained, or NaN."""
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise RunError(f"the weights cannot be read: {error}", where=path) from error
    broken = [name for name, tensor in state.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if broken:
        what = f"{len(broken)} of {len(state)} tensors hold weights that are not finite, the first {broken[0]}"
        raise RunError(what, where=path, hint="restore the file, or train again")
    own = method.trained_state()
    wrong = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in sorted(set(own) & set(state))
        if own[name].shape != state[name].shape
    ]
    if wrong:
        raise RunError(f"the weights have other shapes than the recipe's model: {'; '.join(wrong[:5])}", where=path)
    try:
        method.load_trained_state(state)
    except KeyError as error:
        raise RunError(f"the weights belong to another model: {error.args[0]}", where=path) from error


def load_method(method: Method, run: RunFolder, checkpoint: str = "best") -> None:
    """Puts a run's weights into its method: `best`, the ones that validation chose, or `last`.

    Raises:
        RunError: If they cannot be read or are another model's.
        ConfigError: For another word.
    """
    match checkpoint:
        case "best":
            load_weights(method, run.weights)
        case "last":
            load_trained(method, load_checkpoint(run.last_checkpoint))
        case _:
            raise ConfigError(f"there is no checkpoint {checkpoint!r}", choices=["best", "last"])


def load_trained(method: Method, checkpoint: dict[str, Any]) -> None:
    """Puts a checkpoint's averaged weights into the method."""
    prefix = "method."
    trained = {n.removeprefix(prefix): t for n, t in checkpoint["state_dict"].items() if n.startswith(prefix)}
    method.load_trained_state({**trained, **checkpoint["gensight"]["average"]})


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint of `fit`. Raises RunError where it cannot be read, or is none."""
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises a dozen kinds for a damaged or foreign file
        raise RunError(
            f"the checkpoint cannot be read: {type(error).__name__}",
            where=path,
            hint="delete this file to train anew",
        ) from error
    if "gensight" not in checkpoint:
        raise RunError("this checkpoint was not written by gensight", where=path)
    return checkpoint
