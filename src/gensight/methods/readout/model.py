"""The trained part of a readout: layer aggregation, then one small map head per output."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional

from gensight.backbones.base import Features, Layer
from gensight.encodings.base import DESCRIPTORS, OutputSpec
from gensight.heads.aggregation import Aggregation, Order, finest_grid
from gensight.heads.maps import MapHead
from gensight.methods.readout.loss import ends_in_tanh
from gensight.samples import Size


class ReadoutHead(nn.Module):
    """From features at one or several noise levels to named maps.

    Args:
        layers: The backbone's maps.
        time_channels: Width of its time embedding; None for a plain encoder.
        outputs: The encoding's maps. Descriptors have no head of their own: they are the aggregated
            map, each cell scaled to unit length.
        num_timesteps: Number of noise levels that are aggregated.
        projection, bottleneck, order: As in `Aggregation`.
        widths: As in `MapHead`.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        time_channels: int | None,
        outputs: Mapping[str, OutputSpec],
        *,
        projection: int = 384,
        bottleneck: int = 96,
        widths: tuple[int, int] = (128, 32),
        num_timesteps: int = 1,
        order: Order = "native",
    ) -> None:
        super().__init__()
        self.order = order
        self.aggregation = Aggregation(
            layers,
            time_channels,
            projection=projection,
            bottleneck=bottleneck,
            num_timesteps=num_timesteps,
            order=order,
        )
        self.descriptors = tuple(name for name, spec in outputs.items() if spec.kind in DESCRIPTORS)
        self.maps = nn.ModuleDict(
            {
                name: MapHead(projection, spec.channels, widths=widths, tanh=ends_in_tanh(spec))
                for name, spec in outputs.items()
                if name not in self.descriptors
            }
        )

    def forward(
        self, features: Sequence[Features], grid_size: Size, timed: bool = True, unit: bool = True
    ) -> dict[str, Tensor]:
        """Named maps (batch, channels, *grid_size); descriptors have `projection` channels.

        Args:
            features: One for each noise level.
            grid_size: (height, width) of the maps.
            timed: As in `Aggregation`.
            unit: Whether descriptors are scaled to unit length.
        """
        size = grid_size if self.descriptors else self._aggregation_size(features[0], grid_size)
        aggregated = self.aggregation(features, size, timed)
        maps = {name: head(aggregated, grid_size) for name, head in self.maps.items()}
        described = functional.normalize(aggregated, dim=1) if unit else aggregated
        return maps | dict.fromkeys(self.descriptors, described)

    def _aggregation_size(self, features: Features, grid_size: Size) -> Size:
        """The requested grid, or the coarser grid of the finest features: the map heads do the last enlargement."""
        if self.order == "reference":
            return grid_size
        finest = finest_grid(features)
        return min(finest[0], grid_size[0]), min(finest[1], grid_size[1])
