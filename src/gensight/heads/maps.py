"""From aggregated features to output maps."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gensight.samples import Size


class MapHead(nn.Module):
    """Two 3 x 3 convolutions and a 1 x 1, with SiLU between (Luo et al., "Readout Guidance", CVPR 2024, section 3).

    The output may lie on a finer grid than the input: the first convolution, by far the dearest, then runs at the
    input's resolution, and the rest at the output's, so that upsampling is followed by learned layers.

    Args:
        in_channels: Channels of the aggregated features.
        out_channels: Number of maps.
        widths: Channels after the first and the second convolution.
        tanh: Whether the last step is a tanh: for image-like targets in [-1, 1].
    """

    def __init__(
        self, in_channels: int, out_channels: int, widths: tuple[int, int] = (128, 32), tanh: bool = False
    ) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.second = nn.Conv2d(widths[0], widths[1], 3, padding=1)
        self.last = nn.Conv2d(widths[1], out_channels, 1)
        self.tanh = tanh

    def forward(
        self, aggregated: Float[Tensor, "batch channels height width"], grid_size: Size | None = None
    ) -> Float[Tensor, "batch maps grid_height grid_width"]:
        """Maps on `grid_size`, or on the input's own grid if None."""
        hidden = functional.silu(self.first(aggregated))
        if grid_size is not None:
            hidden = resize(hidden, grid_size)
        maps: Tensor = self.last(functional.silu(self.second(hidden)))
        return maps.tanh() if self.tanh else maps


def resize(
    maps: Float[Tensor, "batch channels height width"], grid_size: Size
) -> Float[Tensor, "batch channels grid_height grid_width"]:
    """Bilinear where a map grows, area mean where both of its sides shrink; cells keep their centres' places."""
    if tuple(maps.shape[-2:]) == grid_size:
        return maps
    if maps.shape[-2] >= grid_size[0] and maps.shape[-1] >= grid_size[1]:
        return functional.interpolate(maps, size=grid_size, mode="area")
    return functional.interpolate(maps, size=grid_size, mode="bilinear", align_corners=False)
