"""Several layers of a backbone as one map."""

from torch import Tensor, nn
from torch.nn import functional

from gensight.backbones.base import Layer
from gensight.samples import Size


class LayerSum(nn.Module):
    """Layers of a backbone -> one map: each is normalised, resized, projected, and all are added up.

    Args:
        layers: What the backbone gives.
        width: Channels of the map.
    """

    def __init__(self, layers: tuple[Layer, ...], width: int) -> None:
        super().__init__()
        self.names = [layer.name for layer in layers]
        self.norms = nn.ModuleList(nn.GroupNorm(1, layer.channels) for layer in layers)
        self.layers = nn.ModuleList(nn.Conv2d(layer.channels, width, 1) for layer in layers)

    def forward(self, maps: dict[str, Tensor], size: Size) -> Tensor:
        total: Tensor | None = None
        for name, norm, layer in zip(self.names, self.norms, self.layers, strict=True):
            resized = _resize(norm(maps[name].to(next(layer.parameters()).dtype)), size)
            total = layer(resized) if total is None else total + layer(resized)
        assert total is not None, "a backbone has layers"
        return total


def _resize(maps: Tensor, size: Size) -> Tensor:
    if tuple(maps.shape[-2:]) == size:
        return maps
    if maps.shape[-2] >= size[0] and maps.shape[-1] >= size[1]:
        return functional.adaptive_avg_pool2d(maps, size)
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)
