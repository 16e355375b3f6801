import numpy as np
import pytest
import torch

from gensight.diffusion.noise import item_keys
from gensight.methods.base import Method
from gensight.methods.pretrain.alignment import AlignmentHead
from gensight.methods.pretrain.architecture import (
    build_autoencoder,
    build_denoiser,
    build_scheduler,
    build_text_encoder,
)
from gensight.methods.pretrain.autoencoder import AutoencoderMethod, gradient_loss
from gensight.methods.pretrain.denoiser import DenoiserMethod
from gensight.methods.pretrain.latents import mirror_caption
from gensight.methods.pretrain.tokenizer import build_tokenizer
from gensight.samples import Batch, Item, Sample

CAPTIONS = ["a dog", None, "a cat", "a dog"]


def batch(keys: list[int], **content: object) -> Batch:
    items = [
        Item((Sample(str(i), (16, 24), lambda: np.zeros((16, 24, 3), np.uint8), caption=CAPTIONS[i]),))
        for i in range(len(keys))
    ]
    return Batch(items=items, views=[() for _ in items], keys=item_keys(0, 0, keys), **content)


def autoencoder_case() -> tuple[Method, Batch]:
    torch.manual_seed(0)
    method = AutoencoderMethod(build_autoencoder((8, 16), 4))
    return method, batch([0, 1, 2, 3], images=(torch.rand(4, 3, 16, 24),))


def aligned_case() -> tuple[DenoiserMethod, Batch]:
    method, given = denoiser_case()
    torch.manual_seed(1)
    method.alignment = AlignmentHead(method.denoiser, torch.full((112,), 0.1))
    assert given.features is not None
    given.features[0]["alignment"] = torch.randn(4, 112, 3, 4)
    return method, given


def denoiser_case(**options: object) -> tuple[DenoiserMethod, Batch]:
    torch.manual_seed(0)
    tokenizer = build_tokenizer(["a", "dog", "cat"], 8)
    method = DenoiserMethod(
        build_denoiser((16, 32), 1, 2, 16, 4, 8),
        build_text_encoder(tokenizer, 16, 1, 2),
        tokenizer,
        build_scheduler("v_prediction").alphas_cumprod,
        **options,
    )
    return method, batch([0, 1, 2, 3], features=({"latent": torch.randn(4, 4, 6, 8)},))


@pytest.fixture(params=[autoencoder_case, denoiser_case, aligned_case])
def case(request: pytest.FixtureRequest) -> tuple[Method, Batch]:
    return request.param()


def test_the_same_batch_has_the_same_losses(case):
    method, batch = case
    first, second = method.losses(batch), method.losses(batch)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(value.ndim == 0 and torch.isfinite(value) for value in first.values())


def test_every_parameter_is_trained(case):
    method, batch = case
    method.losses(batch)["loss"].backward()
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
        loss = method.losses(batch)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_trained_state_round_trip(case):
    method, batch = case
    state = {name: tensor.clone() for name, tensor in method.trained_state().items()}
    before = float(method.losses(batch)["loss"].detach())
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(1)
    method.load_trained_state(state)
    assert float(method.losses(batch)["loss"].detach()) == before


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
    assert not torch.allclose(plain[0], plain[1])
    dropped, inputs = denoiser_case(caption_dropout=1.0)
    silent = batch([0, 1, 2, 3], features=inputs.features)
    silent.items[:] = [Item((Sample(str(i), (16, 24), lambda: np.zeros((16, 24, 3), np.uint8)),)) for i in range(4)]
    assert torch.equal(dropped.losses(inputs)["loss"], dropped.losses(silent)["loss"])


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
    assert 0 < float(losses["alignment"]) < 2
    torch.testing.assert_close(losses["loss"].detach(), losses["denoising"] + 0.5 * losses["alignment"])
    plain, _ = denoiser_case()
    torch.testing.assert_close(plain.losses(given)["loss"].detach(), losses["denoising"])


def test_alignment_measures_the_direction_of_maps_less_their_mean():
    method, given = aligned_case()
    method.losses(given)
    method.denoiser(torch.randn(4, 4, 6, 8), 5, encoder_hidden_states=torch.randn(4, 8, 16))
    maps = method.alignment.project(method.alignment._maps)
    target = torch.nn.functional.interpolate(3 * maps.detach(), (6, 8), mode="bilinear") + 0.1
    assert float(method.alignment.loss(target).detach()) < 1e-4


def test_a_detached_head_no_longer_follows_the_denoiser():
    method, given = aligned_case()
    method.alignment.detach()
    with pytest.raises(AssertionError):
        method.losses(given)
