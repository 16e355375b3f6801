"""Random smooth warps of images: only to make pairs of images; nothing is ever mapped back through them exactly."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class WarpRange:
    """How far images are warped. Shares are of the image's side; angles in degrees.

    Attributes:
        num_points: Control points along each side.
        bend: Largest shift of a control point.
        rotation: Largest rotation, either way.
        scale: Smallest and largest enlargement.
        translation: Largest shift.
        published: As Dundar et al. (arXiv 2001.09518) warp: what is sampled is scaled, so `scale` shrinks the picture;
            x and y are scaled apart, and `translation` moves only the centre of rotation and scaling.
    """

    num_points: int = 10
    bend: float = 2 / 128
    rotation: float = 22.5
    scale: tuple[float, float] = (1.05, 1.15)
    translation: float = 10 / 128
    published: bool = False

    @property
    def num_draws(self) -> int:
        """Uniform numbers that one warp takes."""
        return 4 + self.published + 2 * self.num_points**2


@dataclass(frozen=True, eq=False)
class Warp:
    """For each place of warped images, where it lies in the images: x -> A x + t + sum_i w_i U(|x - c_i|).

    Coordinates run from -1 to 1 from edge to edge. U(r) = r^2 log r^2 (Bookstein 1989).

    Attributes:
        linear: (batch, 2, 3): A and t.
        spline: (batch, num_points^2 + 3, 2): the splines' weights, then their affine part.
        controls: (num_points^2, 2).
    """

    linear: Tensor
    spline: Tensor
    controls: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        """Places in the images of points (batch, n, 2) of the warped images."""
        return self._affine(points) + _basis(points, self.controls) @ self.spline

    def _affine(self, points: Tensor) -> Tensor:
        return points @ self.linear[:, :, :2].mT + self.linear[:, None, :, 2]

    def image(self, images: Tensor) -> Tensor:
        """Warped images (batch, channels, height, width); what lay outside repeats the edge."""
        height, width = images.shape[-2:]
        cells = centres(height, width, images)
        # All images have the same cells, so the splines' values there are computed once and for all.
        bent = (_basis(cells[None], self.controls)[0] @ self.spline.transpose(0, 1).flatten(1)).unflatten(1, (-1, 2))
        grid = self._affine(cells.expand(len(images), -1, -1)) + bent.transpose(0, 1)
        return functional.grid_sample(
            images, grid.unflatten(1, (height, width)), padding_mode="border", align_corners=False
        )


def draw_warp(uniform: Tensor, reach: WarpRange) -> Warp:
    """Warps from uniform random numbers (batch, reach.num_draws) in [0, 1)."""
    signed = 2 * uniform - 1
    angle = signed[:, 0] * math.radians(reach.rotation)
    first, last = 1, 4 + reach.published
    scale = reach.scale[0] + (reach.scale[1] - reach.scale[0]) * uniform[:, [first, 4 if reach.published else first]]
    shift = 2 * reach.translation * signed[:, 2:4]
    cosine, sine = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
    if reach.published:
        linear = turn * scale[:, None]
        shift = shift - (linear @ shift[:, :, None])[:, :, 0]
    else:
        linear = turn / scale[:, None]  # an enlarged image samples a smaller part of the original
    controls = _grid(torch.linspace(-1, 1, reach.num_points), torch.linspace(-1, 1, reach.num_points)).to(uniform)
    displacement = 2 * reach.bend * signed[:, last:].unflatten(1, (-1, 2))
    return Warp(torch.cat([linear, shift[:, :, None]], 2), _solve(controls, displacement), controls)


def _solve(controls: Tensor, displacement: Tensor) -> Tensor:
    """Weights (batch, n + 3, 2) of the spline that moves the control points by `displacement` (batch, n, 2)."""
    count = len(controls)
    basis = _basis(controls[None], controls)[0].double()
    system = torch.zeros(count + 3, count + 3, dtype=torch.float64, device=controls.device)
    system[:count] = basis
    system[count:, :count] = basis[:, count:].T
    target = functional.pad(displacement.double(), (0, 0, 0, 3))
    return torch.linalg.solve(system, target).to(controls.dtype)


def _basis(points: Tensor, controls: Tensor) -> Tensor:
    """(batch, n, num_controls + 3): U at each control point, then 1, x, y."""
    squared = (points[:, :, None] - controls).square().sum(-1)
    bumps = squared * torch.log(squared.clamp(min=1e-12))
    return torch.cat([bumps, torch.ones_like(points[..., :1]), points], dim=-1)


def centres(height: int, width: int, like: Tensor) -> Tensor:
    """(height * width, 2): x and y of the cells' centres, row by row; the sides run from -1 to 1."""
    x = (torch.arange(width, device=like.device, dtype=like.dtype) * 2 + 1) / width - 1
    y = (torch.arange(height, device=like.device, dtype=like.dtype) * 2 + 1) / height - 1
    return _grid(x, y)


def _grid(x: Tensor, y: Tensor) -> Tensor:
    return torch.stack([x.expand(len(y), -1), y[:, None].expand(-1, len(x))], dim=-1).flatten(0, 1)
