import numpy as np
import pytest
import torch

from gensight.backbones.capture import watching
from gensight.methods.base import Method
from gensight.methods.loss import total_loss
from gensight.methods.pretrain.alignment import aligned_block
from gensight.methods.pretrain.architecture import build_autoencoder
from gensight.methods.pretrain.autoencoder import gradient_loss
from gensight.methods.pretrain.latents import mirror_caption
from gensight.samples import Batch, Item, Sample
from tests.methods.pretrain.small import aligned_case, autoencoder_case, batch, denoiser_case


@pytest.fixture(params=[autoencoder_case, denoiser_case, aligned_case])
def case(request: pytest.FixtureRequest) -> tuple[Method, Batch]:
    return request.param()


def test_the_same_batch_has_the_same_losses(case):
    method, batch = case
    first, second = method.losses(batch), method.losses(batch)
    assert all(torch.equal(first[name].mean, second[name].mean) for name in first)
    assert all(torch.isfinite(loss.mean) for loss in first.values())


def test_every_parameter_is_trained(case):
    method, batch = case
    total_loss(method.losses(batch)).backward()
    given = {id(p) for group in method.parameter_groups() for p in group["params"]}
    assert given == {id(p) for p in method.parameters()}
    # The mid-level of the text encoder's causal mask leaves no parameter unused.
    without = [name for name, p in method.named_parameters() if p.grad is None]
    assert without == []


def test_a_few_steps_lower_the_loss(case):
    method, batch = case
    optimizer = torch.optim.Adam(method.parameter_groups(), lr=3e-3)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = total_loss(method.losses(batch))
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_trained_state_round_trip(case):
    method, batch = case
    state = {name: tensor.clone() for name, tensor in method.trained_state().items()}
    before = float(total_loss(method.losses(batch)).detach())
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(1)
    method.load_trained_state(state)
    assert float(total_loss(method.losses(batch)).detach()) == before


def test_predictions_have_the_inputs_shape():
    method, inputs = autoencoder_case()
    image = method.predict(inputs)["image"]
    assert image.shape == inputs.image.shape
    assert 0 <= image.min() <= image.max() <= 1
    denoiser, inputs = denoiser_case()
    assert denoiser.predict(inputs)["latent"].shape == (4, 4, 6, 8)


def test_captions_matter_and_dropped_ones_do_not():
    method, inputs = denoiser_case(caption_dropout=0.0)
    plain = method._output(torch.ones(2, 4, 6, 8), torch.tensor([5, 5]), ["a dog", "a cat"])
    assert (plain[0] - plain[1]).abs().mean() > 1.8e-3  # a tenth of what it is
    dropped, inputs = denoiser_case(caption_dropout=1.0)
    silent = batch([0, 1, 2, 3], features=inputs.features)
    silent.items[:] = [Item((Sample(str(i), (16, 24), lambda: np.zeros((16, 24, 3), np.uint8)),)) for i in range(4)]
    assert torch.equal(total_loss(dropped.losses(inputs)), total_loss(dropped.losses(silent)))


def test_gradient_loss_sees_edges_not_brightness():
    flat = torch.zeros(1, 3, 16, 16)
    assert gradient_loss(flat + 0.5, flat) == 0
    edge = flat.clone()
    edge[..., 8:] = 1
    shifted = flat.clone()
    shifted[..., 9:] = 1
    # One column differs: its two borders at full scale, less at the coarser ones.
    assert float(gradient_loss(edge, shifted)) == pytest.approx((2 / 15 + 0.5 * 2 / 7 + 0.25 * 2 / 3) / 6, rel=0.3)
    assert gradient_loss(edge, edge) == 0


def test_a_mirrored_images_caption():
    assert mirror_caption("a dog left of a cat, right.") == "a dog right of a cat, left."
    assert mirror_caption("a leftover") == "a leftover"


def test_a_fresh_autoencoder_is_a_blur():
    torch.manual_seed(0)
    autoencoder = build_autoencoder((16, 32, 64), 4).eval()
    coarse = torch.rand(8, 3, 8, 8) * 1.6 - 0.8
    images = torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear")
    with torch.no_grad():
        latent = autoencoder.encode(images).latent_dist
        decoded = autoencoder.decode(latent.mode()).sample
    for channel in range(3):
        pair = torch.stack(
            [latent.mode()[:, channel].flatten(), torch.nn.functional.avg_pool2d(images, 4)[:, channel].flatten()]
        )
        assert torch.corrcoef(pair)[0, 1] > 0.98
    assert latent.std.mean() < 0.1
    assert (decoded - images).abs().mean() < 0.5 * images.abs().mean()


def test_alignment_adds_its_weighted_distance():
    method, given = aligned_case()
    losses = method.losses(given)
    assert 0 < float(losses["alignment"].mean.detach()) < 2
    latent = losses["latent"].mean
    torch.testing.assert_close(total_loss(losses), latent + 0.5 * losses["alignment"].mean)
    plain, _ = denoiser_case()
    torch.testing.assert_close(total_loss(plain.losses(given)), latent)


def test_alignment_measures_the_direction_of_maps_less_their_mean():
    method, _ = aligned_case()
    with watching({"block": aligned_block(method.denoiser)}) as seen:
        method.denoiser(torch.randn(4, 4, 6, 8), 5, encoder_hidden_states=torch.randn(4, 8, 16))
    maps = method.alignment.project(seen["block"])
    target = torch.nn.functional.interpolate(3 * maps.detach(), (6, 8), mode="bilinear") + 0.1
    assert float(method.alignment.loss(seen["block"], target).detach()) < 1e-4


def test_the_denoiser_keeps_no_hook_of_the_alignment():
    method, given = aligned_case()
    method.losses(given)
    assert not aligned_block(method.denoiser)._forward_hooks
