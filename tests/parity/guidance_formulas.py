"""Readout Guidance (Luo et al., CVPR 2024, section 4 and released settings), written out in plain functions of torch.

Latents stand in pairs: the unguided image, then the guided one, from one start. Features come in four: both images
under the negative prompt, then both under the prompt. Nothing here is of the package; heads are dicts of tensors.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Term:
    """One guidance term: its kind, its head's tensors, its target, and its factor at each step."""

    kind: str  # spatial, correspondence, appearance
    tensors: dict[str, Tensor]
    rescale: Sequence[float]
    control: Tensor | None = None  # in the head's range
    output_range: tuple[float, float] = (-0.5, 0.5)
    points: tuple[list[tuple[float, float]], list[tuple[float, float]]] | None = None  # (x, y) in cells
    boxes: tuple[tuple[int, int, int, int], tuple[int, int, int, int]] | None = None  # in cells


def unet_pass(unet: Any, latents: Tensor, t: int, context: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The noise that the U-Net predicts, and the second convolution's output of every decoder block."""
    blocks = [resnet for block in unet.up_blocks for resnet in block.resnets]
    kept: list[Tensor] = []
    handles = [block.conv2.register_forward_hook(lambda _, __, output: kept.append(output)) for block in blocks]
    try:
        noise = unet(latents, t, encoder_hidden_states=context, return_dict=False)[0]
    finally:
        for handle in handles:
            handle.remove()
    return noise, kept


def embed_time(unet: Any, t: int, dtype: torch.dtype) -> Tensor:
    embedding: Tensor = unet.time_embedding(unet.time_proj(torch.tensor([t])).to(dtype))
    return embedding


def head_output(tensors: dict[str, Tensor], maps: list[Tensor], embedding: Tensor | None) -> Tensor:
    """Aggregated map, or the output head's; with no embedding, blocks leave its term out."""
    shares = tensors["aggregation.mixing"].flatten().softmax(0)
    total = torch.zeros((), dtype=maps[0].dtype)
    for i, x in enumerate(maps):
        block = f"aggregation.bottlenecks.{i}"

        def convolve(name: str, x: Tensor, block: str = block) -> Tensor:
            weight = tensors[f"{block}.{name}.weight"]
            norm = tensors[f"{block}.{name}_norm.weight"], tensors[f"{block}.{name}_norm.bias"]
            return F.group_norm(F.conv2d(x, weight, padding=weight.shape[-1] // 2), 32, *norm)

        hidden = convolve("reduce", x).relu()
        if embedding is not None:
            time = F.linear(embedding, tensors[f"{block}.time.weight"], tensors[f"{block}.time.bias"])
            hidden = hidden + time.relu()[:, :, None, None]
        hidden = convolve("mix", hidden).relu()
        total = total + shares[i] * (convolve("expand", hidden) + convolve("shortcut", x)).relu()
    head = sorted({name.split(".")[1] for name in tensors if name.startswith("maps.")})
    if not head:
        return total
    for layer, padding in (("first", 1), ("second", 1), ("last", 0)):
        weight, bias = (tensors[f"maps.{head[0]}.{layer}.{kind}"] for kind in ("weight", "bias"))
        total = F.conv2d(total, weight, bias, padding=padding)
        total = total.tanh() if layer == "last" else F.silu(total)
    return total


def rescaled(x: Tensor, old: tuple[float, float], new: tuple[Tensor, Tensor]) -> Tensor:
    return (x - old[0]) / (old[1] - old[0]) * (new[1] - new[0]) + new[0]


def spatial_loss(result: Tensor, term: Term, latents: Tensor) -> Tensor:
    """Mean squared error, both maps brought from the head's range to that of the pair of latents."""
    assert term.control is not None
    bounds = (latents.min(), latents.max())
    control = rescaled(term.control[None], term.output_range, bounds)
    return (rescaled(result, term.output_range, bounds) - control).square().mean()


def appearance_loss(result: Tensor, reference: Tensor, term: Term, latents: Tensor) -> Tensor:
    """1 - cosine, mean over cells, times the squared range; boxes are cut out and brought back to the full grid."""
    size = (result.shape[-2], result.shape[-1])
    if term.boxes is not None:
        (a, b, c, d), (e, f, g, h) = term.boxes
        reference = F.interpolate(reference[..., b:d, a:c], size=size, mode="bilinear")
        result = F.interpolate(result[..., f:h, e:g], size=size, mode="bilinear")
    cosine = (result * reference).sum(1) / (result.norm(dim=1) * reference.norm(dim=1))
    return (1 - cosine).mean() * (latents.max() - latents.min()) ** 2


def correspondence_loss(result: Tensor, reference: Tensor, term: Term) -> Tensor:
    """-0.5 s(handle, target) + 0.5 s(handle, handle), s the cosine in [0, 1], points cut to the cells they lie in."""
    assert term.points is not None
    total = torch.zeros((), dtype=result.dtype)
    for (x1, y1), (x2, y2) in zip(*term.points, strict=True):
        handle = reference[0, :, int(y1), int(x1)]
        at_target, at_handle = result[0, :, int(y2), int(x2)], result[0, :, int(y1), int(x1)]
        similarity = [(1 + handle @ one / (handle.norm() * one.norm())) / 2 for one in (at_target, at_handle)]
        total = total - 0.5 * similarity[0] + 0.5 * similarity[1]
    return total / len(term.points[0])


def guidance_loss(unet: Any, terms: Sequence[Term], latents: Tensor, t: int, context: Tensor, step: int) -> Tensor:
    """Over both branches and all terms; the reference of a branch is the unguided image in that branch."""
    grid = (latents.shape[-2], latents.shape[-1])
    features = unet_pass(unet, torch.cat([latents, latents]), t, context)[1]
    features = [F.interpolate(maps, size=grid, mode="bilinear") for maps in features]
    embedding, held = embed_time(unet, t, latents.dtype), latents.detach()
    loss = torch.zeros((), dtype=latents.dtype)
    for unguided in (0, 2):
        for term in terms:
            given = None if term.kind == "correspondence" else embedding
            reference = head_output(term.tensors, [maps[[unguided]].detach() for maps in features], given)
            result = head_output(term.tensors, [maps[[unguided + 1]] for maps in features], given)
            match term.kind:
                case "spatial":
                    error = spatial_loss(result, term, held)
                case "appearance":
                    error = appearance_loss(result, reference, term, held)
                case _:
                    error = correspondence_loss(result, reference, term)
            loss = loss + term.rescale[step] * error
    return loss


def adam_steps(unet: Any, terms: Sequence[Term], latents: Tensor, t: int, context: Tensor, step: int, count: int,
               rate: float) -> tuple[Tensor, float]:  # fmt: skip
    """Latents after so many steps of one Adam (Kingma and Ba, 2015, algorithm 1); and the first loss."""
    first, second, losses = torch.zeros_like(latents), torch.zeros_like(latents), []
    for number in range(1, count + 1):
        moving = latents.detach().requires_grad_(True)
        loss = guidance_loss(unet, terms, moving, t, context, step)
        (gradient,) = torch.autograd.grad(loss, moving)
        losses.append(float(loss.detach()))
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient.square()
        corrected = first / (1 - 0.9**number), second / (1 - 0.999**number)
        latents = latents - rate * corrected[0] / (corrected[1].sqrt() + 1e-8)
    return latents, losses[0]


def ddim(x: Tensor, noise: Tensor, at: float, at_next: float, eta: float, fresh: Tensor | None) -> Tensor:
    """One step (Song et al., ICLR 2021, equation 12); x0 is not clipped."""
    x0 = (x - noise * math.sqrt(1 - at)) / math.sqrt(at)
    sigma = eta * math.sqrt((1 - at / at_next) * (1 - at_next) / (1 - at)) if eta else 0.0
    result = math.sqrt(at_next) * x0 + math.sqrt(1 - at_next - sigma**2) * noise
    return result if fresh is None else result + sigma * fresh


def published_sampling(
    unet: Any,
    alphas: Sequence[float],
    final_alpha: float,
    timesteps: Sequence[int],
    context: Tensor,
    start: Tensor,
    terms: Sequence[Term],
    *,
    ratio: tuple[float, float],
    inner: int,
    rate: float = 0.02,
    text_weights: tuple[float, float] = (7.5, 7.5),
    eta: float = 0.0,
    noises: Sequence[Tensor] = (),
) -> tuple[Tensor, dict[int, float]]:
    """The pair's latents after all steps, and the loss at each guided step.

    Args:
        context: (4, tokens, channels): the negative prompt twice, then the prompt twice.
        start: (1, channels, height, width), of both images.
        noises: One for each step, shared by both images, where eta is not 0.
    """
    count = len(timesteps)
    guided = range(int(ratio[0] * count), int(ratio[1] * count))
    latents, losses = torch.cat([start, start]), {}
    weights = torch.tensor(text_weights, dtype=start.dtype).view(2, 1, 1, 1)
    for step, t in enumerate(timesteps):
        if step in guided:
            latents, losses[step] = adam_steps(unet, terms, latents, t, context, step, inner, rate)
        with torch.no_grad():
            negative, positive = unet_pass(unet, torch.cat([latents, latents]), t, context)[0].chunk(2)
        noise = negative + weights * (positive - negative)
        following = final_alpha if step + 1 == count else alphas[timesteps[step + 1]]
        latents = ddim(latents, noise, alphas[t], following, eta, noises[step] if noises else None)
    return latents, losses


def inverted(unet: Any, alphas: Sequence[float], final_alpha: float, timesteps: Sequence[int], text: Tensor,
             clean: Tensor, rule: str) -> list[Tensor]:  # fmt: skip
    """The latents after each step of inversion; `timesteps` are those of sampling. -1 is the level of clean latents."""
    levels = [-1, *reversed(timesteps)]
    latents, found = clean, []
    for here, there in itertools.pairwise(levels):
        with torch.no_grad():
            noise = unet_pass(unet, latents, here if rule == "current" else there, text)[0]
        latents = ddim(latents, noise, final_alpha if here == -1 else alphas[here], alphas[there], 0.0, None)
        found.append(latents)
    return found
