"""Backbone + readout heads as a Method."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gensight.backbones.base import Backbone, Features
from gensight.backbones.cache import TIME_EMBEDDING
from gensight.diffusion.noise import item_noise, item_timesteps
from gensight.diffusion.sampling import Sampling
from gensight.encodings.base import DESCRIPTORS, OutputSpec
from gensight.errors import ConfigError
from gensight.heads.aggregation import Order
from gensight.methods.base import Method, heads_and_backbone
from gensight.methods.loss import Loss
from gensight.methods.readout.loss import ReadoutLoss, output_loss, pooled_sparse_errors, to_unit_range
from gensight.methods.readout.model import ReadoutHead
from gensight.samples import Batch, Size

Timesteps = tuple[int, ...] | Literal["clean", "random"]
NUM_TIMESTEPS = 1000
SLOT_STREAMS = 1000  # streams of noise for each image of an item


@dataclass(frozen=True)
class Part:
    """What one head has to make.

    Attributes:
        outputs: Name -> spec, as the encoding names them.
        grid_stride: Model pixels per cell of those maps.
        timesteps: Noise levels that the head reads. `clean`: the noiseless latent at the backbone's own timestep.
            `random`: in training one level for each batch, 1 to 999; `clean` in prediction. A list: all of these
            levels together, the latent noised to each by the batch's keys.
    """

    outputs: Mapping[str, OutputSpec]
    grid_stride: int
    timesteps: Timesteps = "clean"


class Readout(Method):
    """Reads maps and descriptors out of a backbone's features: several heads on one pass.

    Heads of the same noise level share the backbone's pass; each further level takes one pass more.

    Args:
        backbone: Frozen, with adapters, or trainable.
        parts: One head each.

    The other arguments are fields of `config.schema.ReadoutConfig`, which describes them.
    """

    def __init__(
        self,
        backbone: Backbone,
        parts: Mapping[str, Part],
        *,
        projection: int = 384,
        bottleneck: int = 96,
        widths: tuple[int, int] = (128, 32),
        order: Order = "native",
        time_conditioning: bool = True,
        loss: ReadoutLoss = "mse",
    ) -> None:
        super().__init__()
        for part in parts.values():
            _refuse(part, backbone, loss)
        self.backbone, self.parts, self.loss = backbone, dict(parts), loss
        self.heads = nn.ModuleDict(
            {
                name: ReadoutHead(
                    backbone.layers,
                    backbone.time_channels if time_conditioning else None,
                    part.outputs,
                    projection=projection,
                    bottleneck=bottleneck,
                    widths=widths,
                    num_timesteps=1 if isinstance(part.timesteps, str) else len(part.timesteps),
                    order=order,
                )
                for name, part in parts.items()
            }
        )

    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        losses: dict[str, Loss] = {}
        for part, values in self._read(batch).items():
            total, count = torch.zeros(()), torch.zeros(())
            for name, spec in self.parts[part].outputs.items():
                target, weight = batch.targets[name], batch.targets[f"{name}_weight"]
                if self.loss == "published" and spec.kind == "sparse-image":  # the only output of its part
                    drawn, empty = pooled_sparse_errors(values[name], target, weight)
                    losses |= {f"{part}-drawn": Loss(*drawn, 0.5), f"{part}-empty": Loss(*empty, 0.5)}
                    break
                summed, labelled = output_loss(values[name], target, weight, spec, self.loss, _model_size(batch))
                total, count = total + summed, count + labelled
            else:
                losses[part] = Loss(total, count)
        return losses

    @torch.no_grad()
    def predict(self, batch: Batch, sampling: Sampling | None = None) -> dict[str, Tensor]:
        return {
            name: to_unit_range(value, self.parts[part].outputs[name], self.loss)
            for part, values in self._read(batch).items()
            for name, value in values.items()
        }

    def parameter_groups(self, group: str = "model") -> list[dict[str, Any]]:
        return heads_and_backbone(self, self.backbone)

    def read_features(self, batch: Batch, timesteps: Timesteps = "clean") -> list[Features]:
        """The backbone's features at each noise level; from the cache where the batch carries them.

        The images of pairs and triplets follow each other slot by slot: (samples * batch, ...).
        """
        if batch.features is not None:
            return [_cached(batch.features)]
        images = torch.cat(batch.images) if len(batch.images) > 1 else batch.image
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.backbone.trainable):
            if timesteps == "random" and self.training:
                level = int(item_timesteps(batch.keys[:1], 1, NUM_TIMESTEPS)[0])
                return [self.backbone.features(images, level, noise=self._noise(batch, 0))]
            if isinstance(timesteps, str):
                return [self.backbone.features(images)]
            return [
                self.backbone.features(images, timestep, noise=self._noise(batch, number))
                for number, timestep in enumerate(timesteps)
            ]

    def _noise(self, batch: Batch, stream: int) -> Tensor:
        shape = self.backbone.latent_shape(_model_size(batch))
        slots = range(len(batch.images))
        return torch.cat([item_noise(batch.keys, shape, stream + SLOT_STREAMS * slot) for slot in slots]).to(
            batch.image.device
        )

    def _read(self, batch: Batch) -> dict[str, dict[str, Tensor]]:
        """Part -> output -> what the head gave; descriptors (batch, samples, channels, height, width)."""
        height, width = _model_size(batch)
        levels = dict.fromkeys(part.timesteps for part in self.parts.values())
        features = {level: self.read_features(batch, level) for level in levels}
        read = {}
        for name, part in self.parts.items():
            grid_size = (height // part.grid_stride, width // part.grid_stride)
            values: dict[str, Tensor] = self.heads[name](features[part.timesteps], grid_size)
            read[name] = {
                output: _by_item(value, len(batch)) if part.outputs[output].kind in DESCRIPTORS else value
                for output, value in values.items()
            }
        return read


def _refuse(part: Part, backbone: Backbone, loss: ReadoutLoss) -> None:
    vectors = [name for name, spec in part.outputs.items() if spec.kind == "vector"]
    if vectors:
        raise ConfigError(
            f"the readout method makes maps, but the encoding asks for vectors: {', '.join(vectors)}",
            hint="choose another method or encoding",
        )
    shapeless = [name for name, spec in part.outputs.items() if spec.kind == "blobs" and spec.blob_sigma is None]
    if loss == "softmax" and shapeless:
        raise ConfigError(
            f"the softmax loss finds one place per map, but these maps hold no single blob: {', '.join(shapeless)}",
            hint="set method.loss=mse or method.loss=cross-entropy",
        )
    if part.timesteps != "clean" and backbone.time_channels is None:
        raise ConfigError(
            "a plain encoder has no noise levels, but method.timesteps asks for some",
            hint="set method.timesteps=clean or take a diffusion backbone",
        )


def _cached(slots: tuple[dict[str, Tensor], ...]) -> Features:
    tensors = {name: torch.cat([slot[name] for slot in slots]) for name in slots[0]} if len(slots) > 1 else slots[0]
    return Features({n: t for n, t in tensors.items() if n != TIME_EMBEDDING}, tensors.get(TIME_EMBEDDING))


def _by_item(stacked: Tensor, num_items: int) -> Tensor:
    return stacked.unflatten(0, (-1, num_items)).transpose(0, 1)


def _model_size(batch: Batch) -> Size:
    return batch.views[0][0].model_size
