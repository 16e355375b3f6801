"""Backbone + readout head as a Method."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gensight.backbones.base import Backbone, Features
from gensight.backbones.cache import TIME_EMBEDDING
from gensight.diffusion.noise import item_noise
from gensight.encodings.base import OutputSpec
from gensight.errors import ConfigError
from gensight.heads.aggregation import Order
from gensight.methods.base import Method
from gensight.methods.readout.loss import Loss, masked_map_loss, to_unit_range
from gensight.methods.readout.model import ReadoutHead
from gensight.samples import Batch, Size


class Readout(Method):
    """Reads maps out of a backbone's features.

    Args:
        backbone: Frozen, with adapters, or trainable.
        outputs: The maps that the encoding asks for.
        grid_stride: Model pixels per cell of those maps.
        projection: Channels of the aggregated map.
        bottleneck: Channels of each layer's bottleneck.
        widths: Channels of the map head's hidden layers.
        order: `native` (fast) or `reference` (the published order: every layer is resized first).
        loss: `mse`, `cross-entropy` or `softmax`; see `masked_map_loss`.
        timesteps: Noise levels that are read and aggregated, the latent noised to each by the batch's keys; None
            reads the clean latent once, at the backbone's own timestep.
    """

    def __init__(
        self,
        backbone: Backbone,
        outputs: Mapping[str, OutputSpec],
        *,
        grid_stride: int,
        projection: int = 384,
        bottleneck: int = 96,
        widths: tuple[int, int] = (128, 32),
        order: Order = "native",
        loss: Loss = "mse",
        timesteps: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        vectors = [name for name, spec in outputs.items() if spec.kind == "vector"]
        if vectors:
            raise ConfigError(
                f"the readout method makes maps, but the encoding asks for vectors: {', '.join(vectors)}",
                hint="choose another method or encoding",
            )
        shapeless = [name for name, spec in outputs.items() if spec.blob_sigma is None]
        if loss == "softmax" and shapeless:
            raise ConfigError(
                f"the softmax loss finds one place per map, but these maps hold no single blob: {', '.join(shapeless)}",
                hint="set method.loss=mse or method.loss=cross-entropy",
            )
        if timesteps is not None and backbone.time_channels is None:
            raise ConfigError(
                "a plain encoder has no noise levels, but method.timesteps lists some",
                hint="set method.timesteps=clean or take a diffusion backbone",
            )
        self.backbone, self.outputs, self.grid_stride = backbone, dict(outputs), grid_stride
        self.loss, self.timesteps = loss, timesteps
        self.head = ReadoutHead(
            backbone.layers,
            backbone.time_channels,
            outputs,
            projection=projection,
            bottleneck=bottleneck,
            widths=widths,
            num_timesteps=1 if timesteps is None else len(timesteps),
            order=order,
        )

    def losses(self, batch: Batch, player: str = "model") -> dict[str, Tensor]:
        maps = self._maps(batch)
        total, count = torch.zeros(()), torch.zeros(())
        for name, values in maps.items():
            part, labelled = masked_map_loss(values, batch.targets[name], batch.targets[f"{name}_weight"], self.loss)
            total, count = total + part, count + labelled
        return {"loss": total / count.clamp(min=1), "loss_sum": total, "loss_count": count}

    @torch.no_grad()
    def predict(self, batch: Batch) -> dict[str, Tensor]:
        return {
            name: to_unit_range(values, self.loss, self.outputs[name].blob_sigma)
            for name, values in self._maps(batch).items()
        }

    def parameter_groups(self, player: str = "model") -> list[dict[str, Any]]:
        groups: list[dict[str, Any]] = [{"params": list(self.head.parameters()), "lr_scale": 1.0}]
        backbone = [p for p in self.backbone.parameters() if p.requires_grad]
        if backbone:
            scale = 1.0 if self.backbone.time_channels is None else 0.1  # pretrained weights move slowly
            groups.append({"params": backbone, "lr_scale": scale})
        return groups

    def read_features(self, batch: Batch) -> list[Features]:
        """The backbone's features at each noise level; from the cache where the batch carries them."""
        if batch.features is not None:
            return [self._cached(batch.features[0])]
        device = batch.image.device
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.backbone.trainable):
            if self.timesteps is None:
                return [self.backbone.features(batch.image)]
            shape = self.backbone.latent_shape(_model_size(batch))
            return [
                self.backbone.features(batch.image, timestep, noise=item_noise(batch.keys, shape, level).to(device))
                for level, timestep in enumerate(self.timesteps)
            ]

    @staticmethod
    def _cached(maps: dict[str, Tensor]) -> Features:
        rest = {name: value for name, value in maps.items() if name != TIME_EMBEDDING}
        return Features(rest, maps.get(TIME_EMBEDDING))

    def _maps(self, batch: Batch) -> dict[str, Tensor]:
        height, width = _model_size(batch)
        grid_size = (height // self.grid_stride, width // self.grid_stride)
        maps: dict[str, Tensor] = self.head(self.read_features(batch), grid_size)
        return maps


def _model_size(batch: Batch) -> Size:
    return batch.views[0][0].model_size
