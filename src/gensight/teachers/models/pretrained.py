"""Models of the transformers library as teachers."""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from gensight.assembly.training_settings import choose_device
from gensight.backbones.transformers_models import FILES, WEIGHTS, load_model, model_folder, read_preprocessing
from gensight.errors import ConfigError, DataError, RunError
from gensight.files.hashing import file_hash, value_hash
from gensight.samples import Instance, Sample
from gensight.teachers.base import Labels, Teacher
from gensight.teachers.models.preprocessing import Preprocessing
from gensight.teachers.names import model_names


class PretrainedTeacher(Teacher):
    """A teacher that is a transformers model, given by a hub id or a folder as `save_pretrained` writes it.

    Nothing of the folder is executed: weights are read from safetensors (from `pytorch_model.bin` as plain tensors
    where there is nothing else), the model's class comes from `families` by the `model_type` in `config.json`, and
    images are prepared by `Preprocessing`. Images pass one at a time, so that an image's labels never depend on what
    else was in the batch.

    Subclasses set the class attributes below, and define `label_image`.

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
        self.name, self.model_location = model_names(self.kind, self.source_of_weights)
        self._model: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the loaded model and the device: who unpickles it may have another one."""
        return {**{key: value for key, value in self.__dict__.items() if key != "device"}, "_model": None}

    @cached_property
    def folder(self) -> Path:
        """Where the model's files lie; downloads a hub id. Raises RunError as `prepare`."""
        return model_folder(self.source_of_weights, self.local_files_only)

    @cached_property
    def version(self) -> str:  # type: ignore[override]  # known at first use: it needs the files
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
        """The loaded model's labels of one image."""


def boxed_instances(sample: Sample, category: str | None, teacher: str) -> list[Instance]:
    """The instances of a sample that have a box and are of a category (any, if None); crowds are left out.

    Raises:
        DataError: Instances are not annotated in the image.
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
