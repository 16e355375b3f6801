"""Spaces in which a reconstruction is compared with its frame. None of them is trained."""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from gensight.backbones.base import Backbone
from gensight.errors import RunError, first_line

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's images in [0, 1]
_WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512)  # 0: pooling
_TAPS = (3, 8, 13, 22)  # relu1_2, relu2_2, relu3_2, relu4_2 among torchvision's numbered layers


class Vgg19(nn.Module):
    """VGG-19 up to relu4_2 (Simonyan and Zisserman, 2015), its layers numbered as torchvision's `features`.

    Args:
        signed: Images are passed from -1 to 1 (as Dundar et al. do), not at ImageNet's mean and deviation.
    """

    def __init__(self, signed: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in _WIDTHS:
            if width:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers[: _TAPS[-1] + 1])
        mean, deviation = ((0.5,) * 3, (0.5,) * 3) if signed else (_MEAN, _DEVIATION)
        self.mean = nn.Buffer(torch.tensor(mean)[:, None, None], persistent=False)
        self.deviation = nn.Buffer(torch.tensor(deviation)[:, None, None], persistent=False)

    @classmethod
    def load(cls, path: Path, signed: bool = False) -> "Vgg19":
        """Raises RunError for a file that cannot be read, or is not VGG-19's."""
        network = cls(signed)
        try:
            read = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
            known = {name: tensor for name, tensor in read.items() if name in network.state_dict()}
            network.load_state_dict(known)
        except (SafetensorError, OSError, RuntimeError, ValueError, AttributeError, EOFError) as error:
            raise RunError(
                f"these are not VGG-19's weights: {first_line(error)}",
                where=path,
                hint="give torchvision's vgg19 state dict (features.0.weight ...), or set method.perceptual=backbone",
            ) from error
        return network

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps after relu1_2, relu2_2, relu3_2 and relu4_2 of images in [0, 1]."""
        hidden, maps = (images - self.mean) / self.deviation, []
        for number, layer in enumerate(self.features):
            hidden = layer(hidden)
            if number in _TAPS:
                maps.append(hidden)
        return maps


class BackboneSpace(nn.Module):
    """A backbone's feature maps, finest first, each image's maps scaled to a mean square of 1 by the frame's."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.names = [layer.name for layer in sorted(backbone.layers, key=lambda layer: layer.stride)]

    def forward(self, images: Tensor) -> list[Tensor]:
        features = self.backbone.features(images)
        return [features.maps[name] for name in self.names]


def perceptual_space(kind: str, backbone: Backbone, weights: Path | None, signed: bool) -> BackboneSpace | Vgg19 | None:
    """The frozen space in which reconstructions are compared; None: as pixels. Raises RunError as `Vgg19.load`."""
    match kind:
        case "backbone":
            return BackboneSpace(backbone).requires_grad_(False)
        case "vgg19":
            assert weights is not None  # the schema refuses vgg19 without
            return Vgg19.load(weights, signed).requires_grad_(False).eval()
    return None


def compare(ours: Sequence[Tensor], theirs: Sequence[Tensor], reduced: bool, scaled: bool) -> Tensor:
    """Weighted mean squared differences of maps.

    Args:
        ours: Of the reconstruction, one map per level, finest first.
        theirs: Of the frame; no gradient.
        reduced: Each finer level counts half as much as the next: 1/32, 1/16, 1/8, 1/4 of four. Else each counts 1.
        scaled: Divide each image's difference by the mean square of its frame's map.
    """
    total = torch.zeros((), device=theirs[0].device)
    for level, (own, target) in enumerate(zip(ours, theirs, strict=True)):
        weight = 2.0 ** -(len(ours) + 1 - level) if reduced else 1.0
        if scaled:
            power = target.float().square().mean((1, 2, 3), keepdim=True).clamp(min=1e-6)
            total = total + weight * ((own.float() - target.float()).square() / power).mean()
        else:
            total = total + weight * functional.mse_loss(own, target)
    return total
