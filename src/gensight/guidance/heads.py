"""Trained readouts as functions of features, and which runs can guide."""

from dataclasses import dataclass

from torch import Tensor

from gensight.backbones.base import Features
from gensight.backbones.diffusion import DiffusionBackbone
from gensight.encodings.base import OutputSpec
from gensight.errors import ConfigError
from gensight.methods.readout.loss import to_unit_range
from gensight.methods.readout.method import Readout
from gensight.samples import Size


@dataclass(frozen=True, eq=False)
class GuidingHead:
    """One output of a trained readout.

    Attributes:
        method: The readout.
        part: Name of the head.
        output: Name of its output.
    """

    method: Readout
    part: str
    output: str

    @property
    def spec(self) -> OutputSpec:
        return self.method.parts[self.part].outputs[self.output]

    def grid_size(self, model_size: Size) -> Size:
        """(height, width) of its output for an image of this size."""
        stride = self.method.parts[self.part].grid_stride
        return model_size[0] // stride, model_size[1] // stride

    def __call__(self, features: Features, model_size: Size) -> Tensor:
        """(batch, channels, grid_height, grid_width): maps in [0, 1], or descriptors of unit length."""
        values = self.method.heads[self.part]([features], self.grid_size(model_size))[self.output]
        return to_unit_range(values, self.spec, self.method.loss)


def guiding_head(method: Readout, name: str) -> GuidingHead:
    """The head that a run guides with: its first.

    Args:
        method: The run's method.
        name: The run's, for errors.

    Raises:
        ConfigError: The backbone generates no images, was trained with the head, or the head has one noise level.
    """
    part, spec = next(iter(method.parts.items()))
    if not isinstance(method.backbone, DiffusionBackbone):
        raise ConfigError("this run's backbone generates no images, so its head cannot guide", where=name)
    if method.backbone.trainable:
        raise ConfigError(
            "this run's backbone was trained with its head, and is no longer the one that generates",
            where=name,
            hint="train the head on the frozen backbone: backbone.trainable=frozen",
        )
    if spec.timesteps != "random":
        raise ConfigError(
            "this head was trained at one noise level, and cannot read the noisy images of guidance",
            where=name,
            hint="train it with method.timesteps=random",
        )
    output = next(iter(spec.outputs))
    return GuidingHead(method, part, output)


def shared_backbone(heads: dict[str, GuidingHead]) -> DiffusionBackbone:
    """The one backbone that all heads were trained on, reading every layer that one of them needs.

    Raises:
        ConfigError: If they were trained on different ones.
    """
    names = list(heads)
    backbones = []
    for head in heads.values():
        assert isinstance(head.method.backbone, DiffusionBackbone)  # guiding_head has checked it
        backbones.append(head.method.backbone)
    first = backbones[0]
    for name, other in zip(names[1:], backbones[1:], strict=True):
        if other.weights_hash() != first.weights_hash():
            raise ConfigError(
                f"{names[0]} and {name} were trained on different backbones", hint="guide with runs of one backbone"
            )
        if other.time_embedding != first.time_embedding:
            raise ConfigError(
                f"{names[0]} and {name} are given the noise level in different ways: backbone.time_embedding="
                f"{first.time_embedding} and {other.time_embedding}",
                hint="guide with imported heads only, or with none",
            )
    names_of_layers = [layer.name for backbone in backbones for layer in backbone.layers]
    first.read_layers(list(dict.fromkeys(names_of_layers)))
    return first
