"""Models of the Hugging Face libraries: the folder behind a path or a hub id, read quietly; and quickly to perceive.

diffusers imports peft, transformers, accelerate and scipy wherever they are installed, and torch's compiler: three
times what torch itself takes; and all of its networks, for one. A frozen U-Net that reads images with the empty prompt
needs none of them. So its embedding lies beside the weights, and the modules of the U-Net and the autoencoder are
imported as where those packages are not installed. A process that has done so predicts; LoRA, quantisation and
pipelines of diffusers need another one.
"""

import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from gensight.errors import RunError, first_line
from gensight.files.atomic import write_bytes
from gensight.files.hashing import file_hash

_LOGS = ("diffusers.utils.logging", "transformers.utils.logging")


def hub_folder(source: str | Path, what: str, download: Callable[[str], str], wanted: str, otherwise: str) -> Path:
    """The folder behind a path or a hub id, whose files are downloaded where they are not cached yet.

    Args:
        source: The path or the id.
        what: How messages name what is there: `backbone`, `model`.
        download: Fetches an id's files, none of which can run code, and gives their folder.
        wanted: What to give, where `source` is neither.
        otherwise: What to do where there is no network, as the end of a sentence.

    Raises:
        RunError: There is no such folder, or the hub can't be reached or lacks what is needed.
    """
    name = str(source)
    if Path(name).is_dir():
        return Path(name)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise RunError(f"there is no such {what} folder", where=name, hint=f"give {wanted}")
    try:
        return Path(download(name))
    except (OSError, ValueError) as error:
        raise RunError(
            f"the {what} is not in the local cache, and could not be downloaded",
            where=name,
            hint=f"check the id and the network ({first_line(error)[:120]}), or {otherwise}",
        ) from error


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Without the libraries' progress bars for each file, and their advice on folders that are checked here."""
    logs = [sys.modules[name] for name in _LOGS if name in sys.modules]
    shown = [(log.get_verbosity(), log.is_progress_bar_enabled()) for log in logs]
    for log in logs:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, (level, bar) in zip(logs, shown, strict=True):
            log.set_verbosity(level)
            if bar:
                log.enable_progress_bar()


@contextmanager
def reading(what: str, where: Path) -> Iterator[None]:
    """Reads quietly; what the libraries raise for files that are missing, damaged or of another kind is a RunError."""
    try:
        with quiet_libraries():
            yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise RunError(
            f"{what} could not be read ({first_line(error)})",
            where=where,
            hint="the file may be cut short or of another model: copy or download it again",
        ) from error


# --- For perception alone

EMPTY_PROMPT = "empty_prompt.safetensors"
_OPTIONAL = ("peft", "transformers", "accelerate", "scipy")
_MANY = tuple(f"diffusers.models.{name}" for name in ("unets", "transformers", "autoencoders"))  # import all they have
_NETWORKS = ("UNet2DConditionModel", "AutoencoderKL", "DDPMScheduler")
_TEXT_WEIGHTS = ("text_encoder", "model.safetensors")
_imported = False


def import_networks() -> bool:
    """Imports diffusers' networks without its optional packages. False where diffusers is here already, with them."""
    global _imported
    if "diffusers" in sys.modules:
        return _imported
    compiler = ModuleType("torch._dynamo")  # decorators of functions that nobody compiles here
    compiler.__dict__.update(allow_in_graph=_as_it_is, disable=_as_it_is)
    hidden: dict[str, Any] = dict.fromkeys(_OPTIONAL) | {name: _bare(name) for name in _MANY}
    if "torch._dynamo" not in sys.modules:
        hidden["torch._dynamo"] = compiler
    try:
        with _replaced(hidden), _no_list_of_packages():
            diffusers = importlib.import_module("diffusers")
            _imported = all(getattr(diffusers, name) for name in _NETWORKS)
    except Exception:  # another version of diffusers: import it as usual
        for name in [one for one in sys.modules if one.partition(".")[0] == "diffusers"]:
            del sys.modules[name]
    return _imported


def _as_it_is(function: Any = None, *_: Any, **__: Any) -> Any:
    """A decorator that changes nothing, with arguments or without."""
    return function if function is not None else _as_it_is


def _bare(name: str) -> ModuleType:
    """The package without what its `__init__` imports: its modules can be imported one by one."""
    top, *parts = name.split(".")
    found, package = importlib.util.find_spec(top), ModuleType(name)
    package.__path__ = [str(Path(place, *parts)) for place in (found and found.submodule_search_locations) or ()]
    return package


@contextmanager
def _no_list_of_packages() -> Iterator[None]:
    """Inside the block nobody reads the file lists of all installed packages; diffusers looks up only a few names."""
    usual = importlib.metadata.packages_distributions
    setattr(importlib.metadata, "packages_distributions", dict)  # noqa: B010 - mypy knows it as a function
    try:
        yield
    finally:
        setattr(importlib.metadata, "packages_distributions", usual)  # noqa: B010


@contextmanager
def _replaced(modules: Mapping[str, Any]) -> Iterator[None]:
    """Inside the block these modules are imported already, or (None) not installed."""
    before = {name: sys.modules[name] for name in modules if name in sys.modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
        sys.modules.update(before)


def write_empty_prompt(folder: Path, tokens: Tensor) -> None:
    """Keeps a pipeline's embedding of the empty prompt, (1, tokens, channels), with the hash of its text encoder."""
    identity = {"text_encoder": file_hash(folder.joinpath(*_TEXT_WEIGHTS))}
    stored = {"tokens": tokens.detach().float().cpu().contiguous()}
    write_bytes(folder / EMPTY_PROMPT, save(stored, metadata=identity))


def read_empty_prompt(folder: Path) -> Tensor | None:
    """float32 (1, tokens, channels); None where it isn't kept, or is another text encoder's."""
    weights = folder.joinpath(*_TEXT_WEIGHTS)
    if not (folder / EMPTY_PROMPT).is_file() or not weights.is_file():
        return None
    try:
        with safe_open(folder / EMPTY_PROMPT, "pt") as file:
            identity, tokens = (file.metadata() or {}).get("text_encoder"), file.get_tensor("tokens")
    except (SafetensorError, OSError):
        return None
    return tokens if identity == file_hash(weights) else None


class StoredText(nn.Module):
    """The weights of a folder's text encoder by their names, so that a backbone's hash has them; it embeds nothing."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        for name, tensor in load_file(folder.joinpath(*_TEXT_WEIGHTS)).items():
            *path, last = name.split(".")
            owner: nn.Module = self
            for part in path:
                if part not in owner._modules:
                    owner.add_module(part, nn.Module())
                owner = owner.get_submodule(part)
            owner.register_buffer(last, tensor.to(torch.float32))
