"""Models of the transformers library as teachers: finding them by hub id or folder, and loading them safely."""

import json
import pickle
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import transformers
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from safetensors import SafetensorError
from torch import nn
from transformers.utils import logging as transformers_logging

from gensight.engine.settings import choose_device
from gensight.errors import ConfigError, DataError, ResourceError, RunError
from gensight.files.hashing import file_hash, value_hash
from gensight.samples import Instance, Sample
from gensight.teachers.base import Labels, Teacher
from gensight.teachers.preprocessing import FILES, Preprocessing, read_preprocessing

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
_UNUSED = ("position_ids", "num_batches_tracked", "neck.fusion_stage.layers.0.residual_layer1.")


class PretrainedTeacher(Teacher):
    """A teacher that is a transformers model, given by a hub id or a folder as `save_pretrained` writes it.

    Nothing of the folder is executed: weights are read from safetensors (from `pytorch_model.bin` as plain tensors
    where there is nothing else), the model's class comes from `families` by the `model_type` in `config.json`, and
    images are prepared by `Preprocessing`. Images pass one at a time, so that an image's labels never depend on what
    else was in the batch.

    Subclasses say what they are with the class attributes below, and give `label_image`.

    Attributes:
        kind: The word before the colon of its name.
        default: Hub id of the model that is taken if none is named. None of these was run by this project's tests.
        families: `model_type` -> class of the transformers library.
        preprocessing_defaults: `model_type` -> keys of the preprocessing file that win where the file lacks them; under
            "" those of every family.

    Args:
        source: Hub id or folder; `default` if empty.
        device: `auto`, `cpu`, `cuda` ...
        local_files_only: Whether to look for a hub id in the local cache only.
    """

    kind: ClassVar[str] = ""
    default: ClassVar[str] = ""
    families: ClassVar[Mapping[str, str]] = {}
    preprocessing_defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, source: str = "", device: str = "auto", local_files_only: bool = False) -> None:
        self.source_of_weights = str(source) or self.default
        self.device_name, self.local_files_only = device, local_files_only
        folder = Path(self.source_of_weights)
        self.name = f"{self.kind}:{folder.resolve().name if folder.is_dir() else self.source_of_weights}"
        self._model: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the loaded model and the device: who unpickles it may have another one."""
        return {**{key: value for key, value in self.__dict__.items() if key != "device"}, "_model": None}

    @cached_property
    def folder(self) -> Path:
        """Where the model's files lie; downloads a hub id. Raises RunError as `prepare`."""
        return model_folder(self.source_of_weights, self.local_files_only)

    @cached_property
    def version(self) -> str:  # type: ignore[override]  # known when first asked: it needs the files
        """The first 12 digits of the hub's commit, or of a hash over the folder's configuration and weights."""
        if self.folder.parent.name == "snapshots":
            return self.folder.name[:12]
        files = sorted([*self.folder.glob("*.safetensors"), *self.folder.glob("*.bin"), self.folder / "config.json"])
        files += [self.folder / name for name in FILES if (self.folder / name).is_file()]
        return value_hash([[path.name, file_hash(path)] for path in files if path.is_file()])[:12]

    @cached_property
    def config(self) -> dict[str, Any]:
        """The model's `config.json`. RunError if it is missing, or of a model that is no teacher of this kind."""
        path = self.folder / "config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(
                "this is not a transformers model's folder: it has no config.json",
                where=self.folder,
                hint=f"copy config.json, {FILES[0]} and {WEIGHTS[0]} there, or give another folder or a hub id",
            ) from None
        except ValueError as error:
            raise RunError(f"the model's config.json is not valid JSON: {error}", where=path) from error
        if not isinstance(config, dict) or config.get("model_type") not in self.families:
            found = config.get("model_type") if isinstance(config, dict) else None
            raise RunError(
                f"a model of type {found!r} is no teacher for `{self.kind}`",
                where=path,
                choices=sorted(self.families),
                hint=f"give a model of one of these types, such as {self.default}",
            )
        return config

    @property
    def model_type(self) -> str:
        """The `model_type` of its configuration."""
        return str(self.config["model_type"])

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """How images are prepared."""
        defaults = self.preprocessing_defaults
        given = {**defaults.get("", {}), **defaults.get(self.model_type, {})}
        return Preprocessing.of(read_preprocessing(self.folder, given), self.folder)

    @cached_property
    def device(self) -> str:
        """Where the model runs. ConfigError for a device that this machine lacks."""
        return choose_device(self.device_name)

    @property
    def model(self) -> Any:
        """The loaded model."""
        self.prepare()
        return self._model

    def prepare(self) -> None:
        """Loads the weights, once.

        Raises:
            RunError: They are absent, damaged or of another kind of model.
            ResourceError: The installed libraries can't build the model.
        """
        if self._model is None:
            kind = self.families[self.model_type]
            self._model = load_model(self.folder, kind).to(self.device)

    def label(self, samples: Sequence[Sample]) -> list[Labels]:
        """One Labels per image."""
        self.prepare()
        return [self.label_image(sample) for sample in samples]

    @abstractmethod
    def label_image(self, sample: Sample) -> Labels:
        """What the loaded model says of one image."""


def model_folder(source: str, local_files_only: bool = False) -> Path:
    """The folder behind a path or a hub id; downloads the id's files (no executable formats) if they are not cached.

    Raises:
        RunError: There is no such folder, or the hub can't be reached or has no such model.
    """
    if Path(source).is_dir():
        return Path(source)
    if source.count("/") != 1 or source.startswith((".", "/", "~")):
        raise RunError(
            "there is no such model folder",
            where=source,
            hint=f"give a folder that holds config.json, {FILES[0]} and {WEIGHTS[0]}, or a hub id such as NAME/MODEL",
        )
    try:
        # Only the repository's top folder, and no pickles: converted copies in other formats lie below it.
        path = snapshot_download(
            source, local_files_only=local_files_only, allow_patterns=_HUB_FILES, ignore_patterns=["*/*"]
        )
    except (OSError, ValueError, HfHubHTTPError, HFValidationError) as error:
        raise RunError(
            "the model is not in the local cache, and could not be downloaded",
            where=source,
            hint=f"check the id and the network ({_first_line(error)}), or copy its config.json, {FILES[0]} and "
            f"{WEIGHTS[0]} from https://huggingface.co/{source} to a folder here and give its path",
        ) from error
    return Path(path)


def load_model(folder: Path, kind: str, unused: Sequence[str] = _UNUSED) -> nn.Module:
    """A model with its stored weights, float32, in evaluation mode.

    Args:
        folder: With `config.json` and weights.
        kind: Class of the transformers library.
        unused: Tensors that may be missing: their names contain one of these, and no output depends on them.

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
    model_class = getattr(transformers, kind, None)
    if model_class is None:
        raise ResourceError(
            f"transformers {transformers.__version__} has no {kind}", where=folder, hint="install a newer transformers"
        )
    safe = any(path.suffix == ".safetensors" for path in stored)
    try:
        with _quietly():
            model, info = model_class.from_pretrained(
                folder, local_files_only=True, use_safetensors=safe, weights_only=True, output_loading_info=True
            )
    except ImportError as error:
        raise ResourceError(
            f"this model needs a package that is not installed ({_first_line(error)})",
            where=folder,
            hint="choose a model of the family that does without it",
        ) from error
    except pickle.UnpicklingError as error:
        raise RunError(
            "the weights' file holds more than tensors, and was not opened: it could run code",
            where=folder,
            hint=f"get the model's {WEIGHTS[0]}, which can hold nothing else",
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise RunError(
            f"the model could not be read ({_first_line(error)})",
            where=folder,
            hint="the file may be cut short or of another model: copy or download it again",
        ) from error
    missing = sorted(key for key in info["missing_keys"] if not any(part in key for part in unused))
    if missing:
        raise RunError(f"the model's weights lack {len(missing)} tensors, such as {missing[0]}", where=folder)
    return model.float().eval()


def boxed_instances(sample: Sample, category: str | None, teacher: str) -> list[Instance]:
    """The instances of a sample that have a box and are of a category (any, if None); crowds are left out.

    Raises:
        DataError: Nobody looked for instances in the image.
    """
    if sample.instances is None:
        raise DataError(
            f"`{teacher}` needs boxes, and the image has no instances",
            where=sample.key,
            hint="annotate with a detector first (`detect:MODEL`), or use a data set that has boxes",
        )
    return [
        instance
        for instance in sample.instances
        if instance.box is not None and not instance.is_crowd and category in (None, instance.category)
    ]


def check_share(name: str, value: float, teacher: str) -> None:
    """Raises ConfigError unless a setting lies in [0, 1]."""
    if not 0 <= value <= 1:
        raise ConfigError(f"the setting {name} is {value!r}", where=teacher, hint="choose a number from 0 to 1")


def check_count(name: str, value: int, teacher: str) -> None:
    """Raises ConfigError unless a setting is above 0."""
    if value < 1:
        raise ConfigError(f"the setting {name} is {value!r}", where=teacher, hint="choose a whole number above 0")


@contextmanager
def _quietly() -> Iterator[None]:
    """Without progress bars and reports on the way: what is wrong is raised."""
    shown, verbosity = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if shown:
            transformers_logging.enable_progress_bar()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
