"""One step of Dundar et al. (arXiv 2001.09518), written out plainly from the paper, with the weights of a method.

Pictures run from -1 to 1. Nothing here calls the formulas of `gensight.methods.landmarks`: it only takes weights.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

Tensors = dict[str, Tensor]


def weights_of(module: nn.Module) -> Tensors:
    """Each convolution's and norm's weight and bias; spectral normalisation applied."""
    found = {}
    for name, part in module.named_modules():
        if isinstance(part, nn.Conv2d | nn.GroupNorm):
            found[f"{name}.weight"] = part.weight.detach()
            if part.bias is not None:
                found[f"{name}.bias"] = part.bias.detach()
    return found


def convolve(w: Tensors, name: str, x: Tensor, stride: int = 1, padding: int | None = None) -> Tensor:
    weight = w[f"{name}.weight"]
    padding = weight.shape[-1] // 2 if padding is None else padding
    return functional.conv2d(x, weight, w.get(f"{name}.bias"), stride, padding)


def normal(x: Tensor) -> Tensor:
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) / ((x - mean).square().mean((2, 3), keepdim=True) + 1e-5).sqrt()


def unit(w: Tensors, name: str, x: Tensor, stride: int = 1) -> Tensor:
    """Convolution, instance norm with scale and shift, ReLU."""
    x = normal(convolve(w, f"{name}.0", x, stride))
    return (x * w[f"{name}.1.weight"][:, None, None] + w[f"{name}.1.bias"][:, None, None]).clamp(min=0)


def u_net(w: Tensors, x: Tensor, depth: int, stride: int) -> tuple[Tensor, Tensor]:
    scales = [unit(w, "stem", x, stride)]
    for level in range(depth):
        scales.append(unit(w, f"down.{level}", scales[-1], 2))
    hidden = scales[-1]
    for level in range(depth):
        skip = scales[-2 - level]
        raised = convolve(w, f"reduce.{level}", hidden)
        raised = functional.interpolate(raised, size=skip.shape[-2:], mode="bilinear", align_corners=False)
        hidden = unit(w, f"up.{level}", raised + skip)
    return convolve(w, "head", hidden), scales[0]


def cells(height: int, width: int) -> Tensor:
    """(height, width, 2): x and y of the cells' centres, from -1 to 1."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([2 * x / width - 1, 2 * y / height - 1], -1)


def moments(maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Spatial softmax, its mean, and its covariance (section 3)."""
    probabilities = torch.exp(maps - maps.amax((2, 3), keepdim=True))
    probabilities = probabilities / probabilities.sum((2, 3), keepdim=True)
    places = cells(*maps.shape[-2:])
    mean = (probabilities[..., None] * places).sum((2, 3))
    centred = places - mean[:, :, None, None]
    outer = centred[..., :, None] * centred[..., None, :]
    return probabilities, mean, (probabilities[..., None, None] * outer).sum((2, 3))


def rendered(mean: Tensor, covariance: Tensor, height: int, width: int) -> Tensor:
    """1 / (1 + squared Mahalanobis distance)."""
    centred = cells(height, width) - mean[:, :, None, None]
    inverse = torch.linalg.inv(covariance)[:, :, None, None]
    return 1 / (1 + (centred[..., None, :] @ inverse @ centred[..., None])[..., 0, 0])


def spade(w: Tensors, name: str, x: Tensor, maps: Tensor) -> Tensor:
    """Park et al., CVPR 2019, equation 1."""
    hidden = convolve(w, f"{name}.shared", maps).clamp(min=0)
    scale, shift = convolve(w, f"{name}.modulation", hidden).chunk(2, 1)
    return normal(x) * (1 + scale) + shift


def decoded(w: Tensors, mean: Tensor, covariance: Tensor, looks: Tensor, side: int, depth: int) -> Tensor:
    """The picture, from 0 to 1: painted at the coarsest scale, a SPADE block at each."""
    hidden: Tensor | None = None
    for level in range(depth):
        at = side // 2 ** (depth - 1 - level)
        maps = rendered(mean, covariance, at, at)
        if hidden is None:
            painted = (looks[..., None, None] * maps[:, :, None]).sum(1) / (1 + maps.sum(1, keepdim=True))
            hidden = convolve(w, "first", painted)
        else:
            hidden = hidden.repeat_interleave(2, 2).repeat_interleave(2, 3)
        block = f"blocks.{level}"
        shortcut = convolve(w, f"{block}.shortcut", hidden) if f"{block}.shortcut.weight" in w else hidden
        for half in ("first", "second"):
            activated = functional.leaky_relu(spade(w, f"{block}.{half}_norm", hidden, maps), 0.2)
            hidden = convolve(w, f"{block}.{half}", activated)
        hidden = shortcut + hidden
    assert hidden is not None
    return 1 / (1 + torch.exp(-convolve(w, "last", functional.leaky_relu(hidden, 0.2))))


def vgg_maps(w: Tensors, x: Tensor) -> list[Tensor]:
    """relu1_2, relu2_2, relu3_2, relu4_2."""
    found = []
    for number, taken in ((0, False), (2, True), (None, False), (5, False), (7, True), (None, False), (10, False),
                          (12, True), (14, False), (16, False), (None, False), (19, False), (21, True)):  # fmt: skip
        x = functional.max_pool2d(x, 2) if number is None else convolve(w, str(number), x).clamp(min=0)
        if taken:
            found.append(x)
    return found


def reconstruction(ours: Tensor, theirs: Tensor, vgg: Tensors) -> Tensor:
    """Pixels, and VGG-19's maps at 1/32, 1/16, 1/8, 1/4; both pictures from -1 to 1; times 5."""
    total = (ours - theirs).square().mean()
    for level, (own, target) in enumerate(zip(vgg_maps(vgg, ours), vgg_maps(vgg, theirs), strict=True)):
        total = total + 2.0 ** (level - 5) * (own - target).square().mean()
    return 5 * total


def logits(w: Tensors, x: Tensor, num_scales: int, num_layers: int) -> list[Tensor]:
    """Patch discriminators of the picture alone, at full and halved sizes (Wang et al., CVPR 2018)."""
    found = []
    for scale in range(num_scales):
        hidden = functional.leaky_relu(convolve(w, f"scales.{scale}.0", x, 2, 2), 0.2)
        for layer in range(num_layers):
            stride = 2 if layer < num_layers - 1 else 1
            hidden = normal(convolve(w, f"scales.{scale}.{2 + 3 * layer}", hidden, stride, 2))
            hidden = functional.leaky_relu(hidden, 0.2)
        found.append(convolve(w, f"scales.{scale}.{2 + 3 * num_layers}", hidden, 1, 2))
        x = functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
    return found
