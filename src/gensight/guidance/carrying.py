"""Noisy latents copied from the handles of a drag to its targets."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from gensight.samples import Size

_STREAM = 1 << 31  # noise independent of the seed's initial noise


def carry(
    latents: Tensor,
    clean: Tensor,
    signal: float,
    handles: Tensor,
    targets: Tensor,
    radius: float,
    model_size: Size,
    seeds: Sequence[int],
) -> Tensor:
    """Copies the noisy latents around each handle to its target, and fills the vacated cells from their surroundings.

    Copying noise and content together is how SDE-Drag begins (Nie et al., "The Blessing of Randomness: SDE Beats ODE in
    General Diffusion-based Image Editing", ICLR 2024). Content moves by whole cells of the latent. Vacated cells
    get the clean content around them, smoothed inwards, under fresh noise of the same level.

    Args:
        latents: (batch, channels, h, w), at one noise level.
        clean: The same images' latents without noise, (1 or batch, channels, h, w).
        signal: Share of the variance at that level that is signal: the schedule's cumulative alpha.
        handles: (num_points, 2), (x, y) in model pixels.
        targets: (num_points, 2).
        radius: Of the disc that is copied with a handle, in model pixels.
        model_size: (height, width) of the image.
        seeds: One for each of the batch, of the fresh noise.

    Returns:
        (batch, channels, h, w).
    """
    height, width = latents.shape[-2:]
    scale = torch.tensor([width / model_size[1], height / model_size[0]])
    rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    cells = torch.stack([columns, rows], -1).flatten(0, 1)
    ends = [points.float().cpu() * scale for points in (handles, targets)]
    reach = radius * float(scale.mean())
    left = torch.cdist(cells, ends[0]).amin(1) <= reach
    to_target, nearest = torch.cdist(cells, ends[1]).min(1)
    origin = cells - (ends[1] - ends[0]).round()[nearest]
    reached = (to_target <= reach) & ((origin >= 0) & (origin < torch.tensor([width, height]))).all(1)
    vacated = left & ~reached

    noise = torch.cat([torch.randn((1, *latents.shape[1:]), generator=_generator(seed)) for seed in seeds]).to(latents)
    behind = fill(clean, left.view(height, width)).expand_as(latents)
    fresh = signal**0.5 * behind + (1 - signal) ** 0.5 * noise
    moved = latents.flatten(2).clone()
    source = (origin.floor()[reached] @ torch.tensor([1.0, float(width)])).long().to(latents.device)
    moved[..., reached.to(latents.device)] = latents.flatten(2)[..., source]
    moved[..., vacated.to(latents.device)] = fresh.flatten(2)[..., vacated.to(latents.device)]
    return moved.view_as(latents)


def with_disc_points(handles: Tensor, targets: Tensor, radius: float, model_size: Size) -> tuple[Tensor, Tensor]:
    """Handles and targets of a drag, with points of the disc around each, a third of its radius apart.

    Args:
        handles: (num_points, 2), (x, y) in model pixels.
        targets: (num_points, 2).
        radius: Of the discs, in model pixels; 0 adds nothing.
        model_size: (height, width) of the image; points that start or end outside are left out.

    Returns:
        Both (more points, 2), the given ones first.
    """
    if not radius:
        return handles, targets
    steps = torch.tensor([-1.0, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1.0])
    offsets = torch.cartesian_prod(steps, steps)
    lengths = offsets.norm(dim=1)
    offsets = radius * offsets[(lengths > 0) & (lengths <= 1)].to(handles)
    more = [torch.cat([ends, (ends[:, None] + offsets).flatten(0, 1)]) for ends in (handles, targets)]
    limit = handles.new_tensor([model_size[1], model_size[0]])
    shown = torch.stack([((ends >= 0) & (ends <= limit)).all(1) for ends in more]).all(0)
    shown[: len(handles)] = True
    return more[0][shown], more[1][shown]


def fill(maps: Tensor, hole: Tensor) -> Tensor:
    """Maps (batch, channels, h, w) with a hole (h, w, bool) filled smoothly from its rim; the mean if there is none."""
    known = (~hole).to(maps)
    mean = (maps * known).sum((-2, -1), keepdim=True) / known.sum().clamp(min=1)
    filled = torch.where(hole.to(maps.device), mean, maps)
    kernel = torch.full((maps.shape[1], 1, 3, 3), 1 / 9, dtype=maps.dtype, device=maps.device)
    for _ in range(sum(hole.shape)):  # Jacobi steps of the Laplace equation; a wave crosses the map
        around = functional.conv2d(functional.pad(filled, (1, 1, 1, 1), mode="replicate"), kernel, groups=maps.shape[1])
        filled = torch.where(hole.to(maps.device), around, maps)
    return filled


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed + _STREAM)
