"""The landmark method: every option trains, chance belongs to items, and what is learned is saved."""

from typing import Any

import numpy as np
import pytest
import torch

from gensight.errors import ConfigError, RunError
from gensight.methods.landmarks.jitter import JitterRange
from gensight.methods.landmarks.method import Landmarks
from gensight.methods.landmarks.parts import Landmarks as Parts
from gensight.methods.landmarks.perception import Vgg19
from gensight.methods.landmarks.separation_loss import separation_loss
from gensight.methods.loss import total_loss
from tests.learning import losses_of
from tests.methods.landmarks import small

# Of the pixels of a warp in another batch: the spline's terms add up to 97 and cancel, so places are off by eps = 1e-7
# times 97, times 16 pixels for half of the image's side; noise changes by up to 1 from one pixel to the next.
WARPED = 2e-4


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"covariance": "fitted", "background": "low-resolution", "flip": 0.5, "jitter": JitterRange(targets=True)},
        {"background": "none", "equivariance": 1.0, "warp_share": 1.0},
        {"equivariance": 2.0, "separation": 1.0},
        {"encoder": "backbone", "background": "none"},
        {"perceptual": "backbone", "level_weights": "uniform"},
    ],
)
def test_every_option_lowers_its_loss(options: dict[str, Any]) -> None:
    method = small.method(**options).train()
    losses = losses_of(lambda: total_loss(method.losses(small.batch())), method.parameter_groups(), 3e-3, 8)
    assert losses[-1] < losses[0]


def test_crowding_is_the_mean_over_pairs_of_the_published_term() -> None:
    mean = torch.tensor([[[0.0, 0.0], [0.3, 0.4], [1.0, 0.0]]], dtype=torch.float64, requires_grad=True)
    crowding = separation_loss(crowd(mean), 0.5)
    squares = [0.25, 1.0, 0.49 + 0.16]
    assert crowding.item() == pytest.approx(np.mean([np.exp(-square / 0.5) for square in squares]))
    assert separation_loss(crowd(torch.zeros(2, 4, 2)), 0.2).item() == 1
    crowding.backward()
    assert mean.grad is not None
    assert (mean.grad[0, 0] * mean[0, 1]).sum() > 0  # downhill, the first landmark moves away from the second


def crowd(mean: torch.Tensor) -> Parts:
    count = mean.shape[:2]
    return Parts(mean, torch.eye(2).expand(*count, 2, 2), torch.ones(count), torch.zeros(count, dtype=torch.bool))


def test_a_still_image_is_its_own_partner_and_chance_belongs_to_its_key() -> None:
    method = small.method()
    both, alone = small.batch((5, 6), 1), small.batch((6,), 1)
    pair, single = method.pair(both), method.pair(alone)
    torch.testing.assert_close(pair.looks[1:], single.looks, atol=WARPED, rtol=0)
    torch.testing.assert_close(pair.pose[1:], single.pose)
    assert (pair.looks - pair.target).abs().flatten(1).mean(1).min() > 0.025  # a tenth of a warp of noise
    assert torch.equal(pair.target, both.image)


def test_two_halves_of_a_batch_have_the_mean_of_its_loss() -> None:
    method = small.method(equivariance=1.0)
    whole = total_loss(method.losses(small.batch((5, 6))))
    halves = [total_loss(method.losses(small.batch((key,)))) for key in (5, 6)]
    torch.testing.assert_close(whole, torch.stack(halves).mean(), atol=WARPED, rtol=0)


def test_two_optimizer_groups_move_only_themselves() -> None:
    method = small.method(adversary=0.1).train()
    assert method.optimizer_groups == ("model", "discriminator")
    own = {
        group: {id(p) for g in method.parameter_groups(group) for p in g["params"]} for group in method.optimizer_groups
    }
    assert not own["model"] & own["discriminator"]
    assert {"reconstruction", "adversarial"} <= set(method.losses(small.batch()))
    total_loss(method.losses(small.batch(), "discriminator")).backward()
    assert all(p.grad is None for p in method.model.parameters())


def test_a_step_of_both_groups_makes_its_pair_once(monkeypatch: pytest.MonkeyPatch) -> None:
    method, few, pairs = small.method(adversary=0.1, warp_share=1.0).train(), small.batch(), []
    made = method.pair
    monkeypatch.setattr(method, "pair", lambda batch: pairs.append(batch) or made(batch))
    for group in method.optimizer_groups:
        method.losses(few, group)
    assert len(pairs) == 1
    assert {"verdict"} == set(method.losses(few, "discriminator"))  # by itself it makes its own
    assert len(pairs) == 2


def test_trained_state_is_everything_but_what_is_frozen() -> None:
    method = small.method(adversary=0.1, perceptual="backbone")
    state = method.trained_state()
    assert not [name for name in state if name.startswith("space.")]
    assert any(name.endswith("._u") for name in state)  # spectral normalisation's own vectors
    other = small.method(1, adversary=0.1, perceptual="backbone")
    other.load_trained_state(state)
    torch.testing.assert_close(other.predict(small.batch()), method.predict(small.batch()))


def test_a_backbone_that_is_trained_is_refused() -> None:
    backbone = small.ScratchEncoder(widths=(8, 8, 8))
    with pytest.raises(ConfigError, match="features of a frozen backbone"):
        Landmarks(backbone, 4, **{**small.SMALL, "perceptual": "backbone"})


def test_vgg_refuses_other_files(tmp_path) -> None:
    (tmp_path / "vgg.safetensors").write_bytes(b"nothing")
    with pytest.raises(RunError, match="not VGG-19's weights"):
        Vgg19.load(tmp_path / "vgg.safetensors")


def test_vgg_has_torchvisions_names_and_scales() -> None:
    network = Vgg19()
    names = {name for name in network.state_dict() if name.endswith("weight")}
    assert names == {f"features.{n}.weight" for n in (0, 2, 5, 7, 10, 12, 14, 16, 19, 21)}
    with torch.no_grad():
        maps = network(torch.rand(1, 3, 16, 16))
    assert [tuple(m.shape[1:]) for m in maps] == [(64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2)]


def test_a_collapsed_covariance_is_floored_and_reported() -> None:
    method = small.method(covariance="fitted")
    method.model.floor = 0.9
    assert method.losses(small.batch())["floored"].mean == 1
    variances = torch.linalg.eigvalsh(method.predict(small.batch())["covariances"])
    assert variances.min() >= 0.9 - 1e-5
    method.model.floor = 1e-6
    assert method.losses(small.batch())["floored"].mean == 0


def test_a_recorded_background_is_neither_painted_nor_found() -> None:
    method = small.method(background="recorded")
    assert not hasattr(method.model, "background")
    with_two = small.batch(num_images=3)
    pair = method.pair(with_two)
    assert pair.behind is with_two.images[2]
    redrawn = method.transfer(pair.pose, pair.looks, torch.ones_like(pair.pose))
    assert redrawn.mask is not None
    torch.testing.assert_close(redrawn.image, redrawn.foreground * redrawn.mask + 1 - redrawn.mask)
