"""Models of the transformers library: finding them by hub id or folder, and loading them safely.

Nothing of a folder is executed: weights are read from safetensors, or as plain tensors from `pytorch_model.bin` where
there is nothing else.
"""

import json
import pickle
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from gensight.backbones.hub import hub_folder, reading
from gensight.errors import ResourceError, RunError, first_line

FILES = ("preprocessor_config.json", "processor_config.json")  # the second is where newer versions of them write it
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
UNUSED = ("position_ids", "num_batches_tracked", "neck.fusion_stage.layers.0.residual_layer1.")
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]


def model_folder(source: str, local_files_only: bool = False) -> Path:
    """The folder behind a path or a hub id; downloads the id's files (no executable formats) if they are not cached.

    Raises:
        RunError: There is no such folder, or the hub can't be reached or has no such model.
    """
    from huggingface_hub import snapshot_download

    # Only the repository's top folder, and no pickles: converted copies in other formats lie below it.
    download = partial(
        snapshot_download, local_files_only=local_files_only, allow_patterns=_HUB_FILES, ignore_patterns=["*/*"]
    )
    files = f"config.json, {FILES[0]} and {WEIGHTS[0]}"
    return hub_folder(
        source,
        "model",
        download,
        f"a folder that holds {files}, or a hub id such as NAME/MODEL",
        f"copy its {files} from https://huggingface.co/{source} to a folder here and give its path",
    )


def read_preprocessing(folder: Path, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a folder's preprocessing file, laid over a family's `defaults`; those alone where it has none.

    Raises:
        RunError: The file is not JSON.
    """
    for name in FILES:
        path = folder / name
        if not path.is_file():
            continue
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RunError(f"the model's preprocessing file is not valid JSON: {error}", where=path) from error
        if isinstance(content, dict):
            content = content.get("image_processor", content if name == FILES[0] else None)
        if isinstance(content, dict):
            return {**defaults, **{key: value for key, value in content.items() if value is not None}}
    return dict(defaults)


def load_model(
    folder: Path, kind: str, unused: Sequence[str] = UNUSED, options: Mapping[str, Any] | None = None
) -> nn.Module:
    """A model with its stored weights, float32, in evaluation mode.

    Args:
        folder: With `config.json` and weights.
        kind: Class of the transformers library.
        unused: Tensors that may be missing: their names contain one of these, and no output depends on them.
        options: Further arguments of the class.

    Raises:
        RunError: Weights are missing, damaged, incomplete or of another shape.
        ResourceError: The installed libraries can't build the model.
    """
    stored = [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]
    if not stored:
        raise RunError(
            "the model's weights are missing",
            where=folder / WEIGHTS[0],
            hint=f"put {WEIGHTS[0]} beside its config.json (models of several files: all of them and their index)",
        )
    import transformers  # slow to import

    model_class = getattr(transformers, kind, None)
    if model_class is None:
        raise ResourceError(
            f"transformers {transformers.__version__} has no {kind}", where=folder, hint="install a newer transformers"
        )
    safe = any(path.suffix == ".safetensors" for path in stored)
    try:
        with reading("the model", folder):
            model, info = model_class.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=safe,
                weights_only=True,
                output_loading_info=True,
                **(options or {}),
            )
    except ImportError as error:
        raise ResourceError(
            f"this model needs a package that is not installed ({first_line(error)})",
            where=folder,
            hint="choose a model of the family that does without it",
        ) from error
    except pickle.UnpicklingError as error:
        raise RunError(
            "the weights' file holds more than tensors, and was not opened: it could run code",
            where=folder,
            hint=f"get the model's {WEIGHTS[0]}, which can hold nothing else",
        ) from error
    missing = sorted(key for key in info["missing_keys"] if not any(part in key for part in unused))
    if missing:
        raise RunError(f"the model's weights lack {len(missing)} tensors, such as {missing[0]}", where=folder)
    return model.float().eval()
