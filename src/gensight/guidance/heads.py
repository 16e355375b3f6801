"""Trained readouts as functions of features, and which runs can guide."""

from dataclasses import dataclass, replace

from torch import Tensor

from gensight.backbones.base import Features
from gensight.backbones.diffusion import DiffusionBackbone, TimeEmbedding
from gensight.backbones.text import TextEmbedding
from gensight.encodings.base import OutputSpec
from gensight.errors import ConfigError
from gensight.methods.base import Method
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
        timed: Whether it is given a time embedding.
        unit: Whether its descriptors have unit length: a box that is resized differs by it.
    """

    method: Readout
    part: str
    output: str
    timed: bool = True
    unit: bool = True

    @property
    def spec(self) -> OutputSpec:
        return self.method.parts[self.part].outputs[self.output]

    def grid_size(self, model_size: Size) -> Size:
        """(height, width) of its output for an image of this size."""
        stride = self.method.parts[self.part].grid_stride
        return model_size[0] // stride, model_size[1] // stride

    def __call__(self, features: Features, model_size: Size, clamp: bool = False) -> Tensor:
        """(batch, channels, grid_height, grid_width): maps in units of [0, 1], or descriptors.

        Maps go beyond [0, 1], where their gradient is as good as elsewhere; `clamp` cuts them off.
        """
        outputs = self.method.heads[self.part]([features], self.grid_size(model_size), self.timed, self.unit)
        return to_unit_range(outputs[self.output], self.spec, self.method.loss, clamp)


def guiding_head(method: Method, name: str) -> GuidingHead:
    """The head that a run guides with: its first.

    Args:
        method: The run's method.
        name: The run's, for errors.

    Raises:
        ConfigError: The method is no readout, its backbone generates no images or was trained with the head, or the
            head has one noise level.
    """
    if not isinstance(method, Readout):
        raise ConfigError("only readouts guide", where=name, choices=("method.kind=readout",))
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
    head = GuidingHead(method, part, next(iter(spec.outputs)))
    return as_published(head) if method.backbone.time_embedding == "reversed" else head


def as_published(head: GuidingHead) -> GuidingHead:
    """A head as the published method guides with it: correspondence without time embedding, descriptors as they are."""
    return replace(head, timed=head.spec.kind != "matching", unit=False)


def read_noisy(backbone: DiffusionBackbone, latents: Tensor, timestep: int | Tensor, text: TextEmbedding) -> Features:
    """The features that heads guide with.

    Released heads were trained with the embedding of 1000 - t, and are guided with that of t: as their authors do.
    """
    time: TimeEmbedding | None = "plain" if backbone.time_embedding == "reversed" else None
    return backbone.read_latents(latents, timestep, text, time)


def shared_backbone(heads: dict[str, GuidingHead]) -> DiffusionBackbone:
    """The one backbone that all heads were trained on, reading every layer that one of them needs.

    Raises:
        ConfigError: If they were trained on different ones.
    """
    backbones = {name: head.method.backbone for name, head in heads.items()}
    known, first = next(iter(backbones.items()))
    assert isinstance(first, DiffusionBackbone)  # guiding_head has checked it
    layers: dict[str, None] = {}
    for name, other in backbones.items():
        assert isinstance(other, DiffusionBackbone)
        if other.weights_hash() != first.weights_hash():
            raise ConfigError(
                f"{known} and {name} were trained on different backbones", hint="guide with runs of one backbone"
            )
        if other.time_embedding != first.time_embedding:
            raise ConfigError(
                f"{known} and {name} are given the noise level in different ways: backbone.time_embedding="
                f"{first.time_embedding} and {other.time_embedding}",
                hint="guide with imported heads only, or with none",
            )
        layers |= dict.fromkeys(layer.name for layer in other.layers)
    first.read_layers(list(layers))
    return first
