import pytest
import torch

from gensight.diffusion.noise import item_keys, item_noise, item_timesteps, item_uniform
from gensight.files.hashing import mix


def test_an_items_noise_does_not_depend_on_its_neighbours():
    keys = item_keys(seed=3, step=7, items=[5, 1, 9])
    together = item_noise(keys, (4, 3, 5))
    alone = torch.cat([item_noise(keys[i : i + 1], (4, 3, 5)) for i in range(3)])
    assert torch.equal(together, alone)
    assert torch.equal(item_timesteps(keys, 0, 1000)[1:], item_timesteps(keys[1:], 0, 1000))


def test_noise_is_standard_normal_and_independent():
    noise = item_noise(item_keys(0, 0, range(64)), (4, 16, 16)).flatten(1)
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 1) < 0.01
    correlation = torch.corrcoef(noise) - torch.eye(64)
    assert correlation.abs().max() < 0.2


def test_seed_step_item_and_stream_each_change_the_draw():
    base = item_noise(item_keys(0, 0, [0]), (8,))
    others = [item_noise(item_keys(*which), (8,)) for which in ((1, 0, [0]), (0, 1, [0]), (0, 0, [1]))]
    others.append(item_noise(item_keys(0, 0, [0]), (8,), stream=1))
    assert all(not torch.equal(base, other) for other in others)


def test_global_random_state_is_neither_used_nor_changed():
    keys = item_keys(0, 0, [1, 2])
    torch.manual_seed(1)
    first = item_noise(keys, (3,))
    state = torch.get_rng_state()
    item_timesteps(keys, 0, 10)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(first, item_noise(keys, (3,)))


def test_timesteps_and_uniforms_cover_their_range():
    keys = item_keys(0, 0, range(500))
    timesteps = item_timesteps(keys, 5, 15)
    assert timesteps.dtype == torch.int64
    assert sorted(set(timesteps.tolist())) == list(range(5, 15))
    uniforms = item_uniform(keys)
    assert 0 <= uniforms.min() < 0.02
    assert 0.98 < uniforms.max() < 1


def test_empty_batches_and_ranges():
    empty = item_keys(0, 0, [])
    assert item_noise(empty, (2, 3)).shape == (0, 2, 3)
    assert item_timesteps(empty, 0, 5).shape == (0,)
    with pytest.raises(ValueError, match="low=5 and high=5"):
        item_timesteps(empty, 5, 5)


def test_mix_is_a_fixed_function_of_all_its_values():
    assert mix(1, 2) != mix(2, 1)
    assert mix(-1) != mix(1)
    assert 0 <= min(mix(i) for i in range(100)) <= max(mix(i) for i in range(100)) < 1 << 63
    assert len({mix(0, i) for i in range(10_000)}) == 10_000
