import pytest
import torch

from gensight.heads.maps import MapHead, resize


def test_reference_dimensions():
    head = MapHead(384, 18)
    shapes = [tuple(p.shape) for p in head.parameters() if p.ndim == 4]
    assert shapes == [(128, 384, 3, 3), (32, 128, 3, 3), (18, 32, 1, 1)]


def test_is_convolutions_with_silu_between():
    head, x = MapHead(6, 3, widths=(5, 4)), torch.randn(2, 6, 7, 9)
    silu = torch.nn.functional.silu
    torch.testing.assert_close(head(x), head.last(silu(head.second(silu(head.first(x))))))


@pytest.mark.parametrize("grid_size", [(7, 9), (14, 18), (10, 11), (4, 5)])
def test_output_lies_on_the_grid_asked_for(grid_size):
    assert MapHead(6, 3, widths=(5, 4))(torch.randn(2, 6, 7, 9), grid_size).shape == (2, 3, *grid_size)


def test_tanh():
    head = MapHead(6, 3, widths=(5, 4), tanh=True)
    x = torch.randn(2, 6, 7, 9) * 100
    plain = MapHead(6, 3, widths=(5, 4))
    plain.load_state_dict(head.state_dict())
    torch.testing.assert_close(head(x), plain(x).tanh())


@pytest.mark.parametrize(("size", "grid_size"), [((8, 12), (16, 24)), ((8, 12), (32, 48)), ((16, 24), (4, 6))])
def test_resizing_keeps_every_place(size, grid_size):
    """A ramp stays the same ramp: a cell stands for its centre on both grids."""
    ramp = ((torch.arange(size[1]) + 0.5) / size[1]).expand(1, 1, *size)
    expected = ((torch.arange(grid_size[1]) + 0.5) / grid_size[1]).expand(1, 1, *grid_size)
    border = grid_size[1] // size[1]
    inner = slice(border, -border if border else None)
    torch.testing.assert_close(resize(ramp, grid_size)[..., inner], expected[..., inner])
