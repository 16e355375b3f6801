"""The written-out derivative of SPADE's normalisation against the formula as it stands."""

import torch
from torch import Tensor
from torch.nn import functional

from gensight.methods.landmarks.spade import Spade, modulated_norm


def plain(features: Tensor, modulation: Tensor) -> Tensor:
    scale, shift = modulation.chunk(2, dim=1)
    return functional.instance_norm(features) * (1 + scale) + shift


def test_values_and_gradients_are_those_of_the_formula() -> None:
    torch.manual_seed(0)
    features = (3 * torch.randn(2, 3, 5, 4, dtype=torch.float64) + 1).requires_grad_()
    modulation = torch.randn(2, 6, 5, 4, dtype=torch.float64, requires_grad=True)
    ours, theirs = modulated_norm(features, modulation), plain(features, modulation)
    torch.testing.assert_close(ours, theirs)
    weights = torch.randn_like(ours)
    for one, other in zip(
        torch.autograd.grad((ours * weights).sum(), (features, modulation)),
        torch.autograd.grad((theirs * weights).sum(), (features, modulation)),
        strict=True,
    ):
        torch.testing.assert_close(one, other)
    assert torch.autograd.gradcheck(modulated_norm, (features, modulation))


def test_the_memory_layout_is_kept_and_does_not_matter() -> None:
    torch.manual_seed(0)
    block, features, maps = Spade(4, 2, 3), torch.randn(2, 4, 6, 6), torch.rand(2, 2, 6, 6)
    expected = block(features, maps)
    last = torch.channels_last
    answer = block.to(memory_format=last)(features.to(memory_format=last), maps.to(memory_format=last))  # type: ignore[call-overload]
    assert answer.is_contiguous(memory_format=last)
    torch.testing.assert_close(answer, expected)
