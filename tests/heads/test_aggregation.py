import pytest
import torch

from gensight.backbones.base import Features, Layer
from gensight.heads.aggregation import Aggregation, finest_grid
from gensight.heads.maps import resize

LAYERS = (Layer("a", 40, 32), Layer("b", 24, 16), Layer("c", 24, 16), Layer("d", 8, 8))
TIME = 20


def features(seed=0, batch=2, size=(64, 96), time=TIME, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    maps = {
        layer.name: torch.randn(batch, layer.channels, size[0] // layer.stride, size[1] // layer.stride,
                                generator=generator).to(dtype)
        for layer in LAYERS
    }  # fmt: skip
    return Features(maps, None if time is None else torch.randn(batch, time, generator=generator).to(dtype))


def aggregation(**options):
    torch.manual_seed(0)
    network = Aggregation(LAYERS, TIME, **{"projection": 48, "bottleneck": 16, **options})
    with torch.no_grad():
        network.mixing.copy_(torch.randn_like(network.mixing))
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return network


def by_the_book(network, levels, grid_size, resize_first):
    """The specification, one line after another, without a shortcut."""
    shares = torch.softmax(network.mixing.flatten(), 0).reshape(network.mixing.shape)
    total = 0
    for level, row in zip(levels, shares, strict=True):
        for layer, block, share in zip(network.layers, network.bottlenecks, row, strict=True):
            x = level.maps[layer.name]
            x = resize(x, grid_size) if resize_first else x
            hidden = block.reduce_norm(block.reduce(x)).relu()
            hidden = hidden + block.time(level.time_embedding).relu()[:, :, None, None]
            hidden = block.mix_norm(block.mix(hidden)).relu()
            out = block.expand_norm(block.expand(hidden)) + block.shortcut_norm(block.shortcut(x))
            total = total + share * resize(out.relu(), grid_size)
    return total


@pytest.mark.parametrize("order", ["native", "reference"])
@pytest.mark.parametrize("grid_size", [(8, 12), (16, 24), (4, 6)])
def test_equals_the_specification(order, grid_size):
    network, level = aggregation(order=order), features()
    result = network(level, grid_size)
    assert result.shape == (2, 48, *grid_size)
    expected = by_the_book(network, [level], grid_size, order == "reference")
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)


def test_gradients_equal_the_specifications():
    network, level = aggregation(), features()
    target = torch.randn(2, 48, 8, 12)
    parameters = list(network.parameters())
    ours = torch.autograd.grad((network(level) - target).square().mean(), parameters)
    theirs = torch.autograd.grad((by_the_book(network, [level], (8, 12), False) - target).square().mean(), parameters)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)


def test_orders_agree_where_all_maps_have_the_grids_size():
    level = features()
    same = Features({name: resize(maps, (8, 12)) for name, maps in level.maps.items()}, level.time_embedding)
    native, reference = aggregation(), aggregation(order="reference")
    torch.testing.assert_close(native(same), reference(same))


def test_several_noise_levels():
    network = aggregation(num_timesteps=3)
    levels = [features(seed) for seed in range(3)]
    expected = by_the_book(network, levels, (8, 12), False)
    torch.testing.assert_close(network(levels, (8, 12)), expected, rtol=1e-4, atol=1e-5)
    assert network.weights.sum().item() == pytest.approx(1)


def test_bottlenecks_are_shared_between_noise_levels():
    one, three = (sum(p.numel() for p in aggregation(num_timesteps=n).parameters()) for n in (1, 3))
    assert three - one == 2 * len(LAYERS)


def test_initial_weights():
    network = Aggregation(LAYERS, TIME)
    assert torch.equal(network.weights, torch.full((1, 4), 0.25))
    for block in network.bottlenecks:
        assert block.reduce.bias is block.mix.bias is block.expand.bias is block.shortcut.bias is None
    mix = network.bottlenecks[0].mix.weight  # MSRA: variance 2 / fan-out
    assert mix.std().item() == pytest.approx((2 / (96 * 9)) ** 0.5, rel=0.03)


def test_reference_dimensions():
    layers = [Layer(str(i), c, 8) for i, c in enumerate([1280] * 6 + [640] * 3 + [320] * 3)]
    block = Aggregation(layers, 1280).bottlenecks[0]
    shapes = {name: tuple(p.shape) for name, p in block.named_parameters() if p.ndim > 1}
    assert shapes == {
        "reduce.weight": (96, 1280, 1, 1),
        "time.weight": (96, 1280),
        "mix.weight": (96, 96, 3, 3),
        "expand.weight": (384, 96, 1, 1),
        "shortcut.weight": (384, 1280, 1, 1),
    }
    assert block.reduce_norm.num_groups == block.expand_norm.num_groups == 32


@pytest.mark.parametrize(("width", "groups"), [(96, 32), (64, 32), (48, 16), (40, 8), (7, 1)])
def test_groups_adapt_to_the_width(width, groups):
    block = Aggregation(LAYERS, TIME, projection=width, bottleneck=width).bottlenecks[0]
    assert block.reduce_norm.num_groups == block.shortcut_norm.num_groups == groups


def test_plain_encoders_have_no_time():
    network = Aggregation(LAYERS, None, projection=16, bottleneck=8)
    assert all(block.time is None for block in network.bottlenecks)
    assert network(features(time=None)).shape == (2, 16, 8, 12)


def test_half_precision_features_are_taken():
    network = aggregation()
    level = features()
    half = features(dtype=torch.float16)
    assert network(half).dtype == torch.float32
    torch.testing.assert_close(network(half), network(level), rtol=0.05, atol=0.05)


def test_autocast_is_left_alone():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert aggregation()(features()).isfinite().all()


def test_a_missing_time_embedding_is_named():
    with pytest.raises(ValueError, match="conditioned on a time embedding, and got none"):
        aggregation()(features(time=None))


def test_a_missing_layer_is_named():
    level = features()
    del level.maps["c"]
    with pytest.raises(ValueError, match=r"features lack the layers \['c'\]"):
        aggregation()(level)


def test_another_number_of_noise_levels_is_refused():
    with pytest.raises(ValueError, match="features of 1 noise levels are aggregated, got 2"):
        aggregation()([features(), features(1)])


def test_finest_grid():
    assert finest_grid(features()) == (8, 12)


def test_features_are_left_unchanged():
    level = features()
    before = {name: maps.clone() for name, maps in level.maps.items()}
    for order in ("native", "reference"):
        aggregation(order=order)(level).sum().backward()
    assert all(torch.equal(maps, before[name]) for name, maps in level.maps.items())
