"""Models of the transformers library as teachers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from gensight.assembly.devices import choose_device
from gensight.backbones.transformers_models import (
    FILES,
    IMAGENET_MEAN,
    IMAGENET_STD,
    WEIGHTS,
    load_model,
    model_folder,
    read_preprocessing,
)
from gensight.errors import DataError, RunError, first_line
from gensight.files.hashing import file_hash, value_hash
from gensight.samples import Instance, Sample, View
from gensight.teachers.base import ModelTeacher
from gensight.teachers.models.preprocessing import Preprocessing


@dataclass(eq=False)
class PretrainedTeacher(ModelTeacher):
    """A teacher that is a transformers model, given by a hub id or a folder as `save_pretrained` writes it.

    Nothing of the folder is executed: weights are read from safetensors (from `pytorch_model.bin` as plain tensors
    where there is nothing else), the model's class comes from `families` by the `model_type` in `config.json`, and
    images are prepared by `Preprocessing`. The default models were not run by this project's tests, which build tiny
    models of the same families instead.

    Subclasses set the class attributes below, and define `label_image`.

    Attributes:
        families: `model_type` -> class of the transformers library.
        preprocessing_defaults: `model_type` -> keys of the preprocessing file that win where the file lacks them; under
            "" those of every family.
    """

    families: ClassVar[Mapping[str, str]] = {}
    preprocessing_defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    @cached_property
    def folder(self) -> Path:
        """Where the model's files lie; downloads a hub id. Raises RunError as `prepare`."""
        return model_folder(self.weights)

    @cached_property
    def version(self) -> str:  # type: ignore[override]  # known at first use: it needs the files
        """The first 12 digits of the hub's commit, or of a hash over the folder's configuration and weights."""
        if self.folder.parent.name == "snapshots":
            return self.folder.name[:12]
        files = sorted([*self.folder.glob("*.safetensors"), *self.folder.glob("*.bin"), self.folder / "config.json"])
        files += [self.folder / name for name in FILES]
        return value_hash([[path.name, file_hash(path)] for path in files if path.is_file()])[:12]

    @cached_property
    def config(self) -> dict[str, Any]:
        """The model's `config.json`. RunError if it is missing, or of a model that is no teacher of this kind."""
        config = read_config(self.folder)
        if config.get("model_type") not in self.families:
            raise RunError(
                f"a model of type {config.get('model_type')!r} is no teacher for `{self.kind}`",
                where=self.folder / "config.json",
                choices=sorted(self.families),
                hint=f"give a model of one of these types, such as {self.default}",
            )
        return config

    @property
    def model_type(self) -> str:
        """The `model_type` of its configuration."""
        return str(self.config["model_type"])

    @classmethod
    def preprocessing_values(cls, folder: Path, family: str) -> dict[str, Any]:
        """The keys of a folder's preprocessing file, laid over those of the family."""
        defaults = {"image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD, **cls.preprocessing_defaults[""]}
        return read_preprocessing(folder, defaults | dict(cls.preprocessing_defaults.get(family, {})))

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """How images are prepared."""
        return Preprocessing.of(self.preprocessing_values(self.folder, self.model_type), self.folder)

    def model_input(self, sample: Sample) -> tuple[Tensor, View]:
        """An image as the model wants it, on its device, and how it came from the image."""
        values, view = self.preprocessing(sample.image())
        return self.on_device(values), view

    def on_device(self, values: Tensor) -> Tensor:
        return values.to(choose_device(self.device))

    @property
    def classes(self) -> dict[int, str]:
        """What the model knows, by the number of its output."""
        return dict(sorted((int(number), str(name)) for number, name in self.model.config.id2label.items()))

    def load(self) -> Any:
        kind = self.families[self.model_type]
        return load_model(self.folder, kind).to(choose_device(self.device))


def read_config(folder: Path) -> dict[str, Any]:
    """The `config.json` of a transformers model's folder. Raises RunError if it has none."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"this is not a transformers model's folder: it has no config.json that can be read ({first_line(error)})",
            where=folder,
            hint=f"copy config.json, {FILES[0]} and {WEIGHTS[0]} there, or give another folder or a hub id",
        ) from error
    return config if isinstance(config, dict) else {}


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
