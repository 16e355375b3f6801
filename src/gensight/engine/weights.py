"""What was trained, as safetensors; foreign or damaged files are refused by name."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from gensight.errors import RunError
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
