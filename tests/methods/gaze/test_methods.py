"""The gaze methods: shapes and sizes, what is shared and what is frozen, and that all of them learn."""

import numpy as np
import pytest
import torch

from gensight.errors import ConfigError
from gensight.loading.cases import collate
from gensight.loading.draw_order import Draw
from gensight.methods.gaze.diffusion import DiffusionGaze
from gensight.methods.gaze.directions import SHARPNESS, Direction, direction_fields, direction_losses
from gensight.methods.gaze.encoders import ImageEncoder, SceneAndHead
from gensight.methods.gaze.losses import soft_argmax
from gensight.methods.gaze.prompts import box_coverage, distinct_scenes, head_boxes, sines
from gensight.methods.loss import total_loss
from tests.learning import losses_of
from tests.methods.gaze.small import CASES, GRID, batch, convolutional, diffusion, frozen

METHODS = {
    "frozen": frozen,
    "softmax": lambda: frozen(loss="softmax", close_up=2),
    "convolutional": convolutional,
    "diffusion": diffusion,
    "hybrid": lambda: diffusion(loss="hybrid", schedule="cosine", weighting="min-snr", target="v"),
    "kl": lambda: diffusion(loss="kl", target="epsilon"),
    "point": lambda: diffusion(point_weight=1.0, offset_noise=0.1, sigma_range=(1.0, 2.0), num_draws=2),
}


@pytest.mark.parametrize("name", METHODS)
def test_losses_fall_and_predictions_have_the_announced_shapes(name):
    method, few = METHODS[name](), batch()
    losses = losses_of(lambda: total_loss(method.losses(few)), method.parameter_groups()[0]["params"], 3e-3, 8)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    outputs = method.eval().predict(few)
    assert outputs["gaze"].shape == (4, 1, *GRID)
    assert outputs["in_frame"].shape == (4, 1)
    assert 0 <= float(outputs["in_frame"].min()) <= float(outputs["in_frame"].max()) <= 1
    assert ("spread" in outputs) == (name == "point")
    again = method.predict(few)
    assert all(torch.equal(outputs[key], again[key]) for key in outputs)


@pytest.mark.parametrize(
    "make",
    [
        lambda: frozen(close_up=4, direction_weight=1.0),
        lambda: convolutional(directions=True, direction_weight=1.0),
        lambda: diffusion(directions=True, direction_weight=1.0, beside=4),
    ],
)
def test_the_heads_direction_is_learned_beside_the_map(make):
    method, few = make(), batch()
    assert float(few.targets["eye_weight"].sum()) == len(few) > float(few.targets["in_frame"].sum()) > 0
    optimiser = torch.optim.AdamW(method.parameter_groups()[0]["params"], 3e-3)
    errors = []
    for _ in range(30):
        losses = method.losses(few)
        optimiser.zero_grad()
        total_loss(losses).backward()
        optimiser.step()
        errors.append(float((losses["direction"].mean + losses["eye"].mean).detach()))
    assert errors[-1] < 0.7 * errors[0]
    few.targets["eye_weight"].zero_()
    few.targets["in_frame"].zero_()
    losses = method.losses(few)
    assert float(losses["direction"].mean) == float(losses["eye"].mean) == 0


def test_fields_are_cones_from_the_eye_and_turn_with_the_direction():
    boxes = torch.tensor([[0.4, 0.4, 0.6, 0.6]]).expand(4, 4)
    towards = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    fields = direction_fields(Direction(torch.full((4, 2), 0.5), towards), boxes, (9, 9))
    assert fields.shape == (4, len(SHARPNESS), 9, 9)
    right = fields[0]
    torch.testing.assert_close(right[:, 4, 8], torch.ones(3), atol=1e-4, rtol=0)  # straight ahead
    assert (right[:, :, :4] == 0).all()  # behind
    torch.testing.assert_close(right[:, 0, 8], torch.tensor([0.5**0.5**1, 0.25, 2.0**-8]), atol=1e-4, rtol=0)
    for turns in (1, 2, 3):  # a turned direction turns the fields, clockwise in images
        torch.testing.assert_close(fields[turns], right.rot90(-turns, (-2, -1)), atol=1e-5, rtol=0)


def test_a_head_nobody_located_an_eye_in_looks_from_its_middle():
    few = batch()
    few.targets["eye_weight"].zero_()
    boxes, point = head_boxes(few), few.targets["gaze_point"]
    middle = torch.nn.functional.normalize(point - (boxes[:, :2] + boxes[:, 2:]) / 2, dim=1)
    right = direction_losses(Direction(torch.rand(4, 2), middle), few, 1.0)
    assert float(right["direction"].mean) < 1e-6
    assert float(right["eye"].mean) == 0
    opposite = direction_losses(Direction(torch.rand(4, 2), -middle), few, 1.0)
    assert float(opposite["direction"].mean) == pytest.approx(2.0)


def test_sizes_are_those_of_the_published_networks():
    scene, head = ImageEncoder("resnet50", 4), ImageEncoder("resnet50", 3)
    assert sum(p.numel() for p in scene.parameters()) == 28_106_880
    assert sum(p.numel() for p in head.parameters()) == 28_103_744
    with torch.no_grad():
        assert head.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 1024, 2, 2)

    encoder = SceneAndHead.__new__(SceneAndHead)
    torch.nn.Module.__init__(encoder)
    encoder.channels = 1024
    assert sum(p.numel() for p in DiffusionGaze(encoder).unet.parameters()) == 600_609


def test_people_of_one_image_share_its_scene():
    people = batch(5)
    first, shown = distinct_scenes(people)
    assert len(first) < len(people)
    method, seen = frozen().eval(), []
    real = method.backbone.features
    method.backbone.features = lambda images, *a, **k: seen.append(len(images)) or real(images, *a, **k)
    together = method.predict(people)["gaze"]
    assert seen == [len(first)]
    alone = torch.cat([method.predict(collate([CASES[Draw(i, 0, i + 1)]]))["gaze"] for i in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    assert shown.tolist()[:2] == [0, 0]


def test_encoders_run_once_whatever_the_steps():
    method, runs = diffusion(sample_steps=7, num_draws=2).eval(), []
    method.encoder.register_forward_hook(lambda *_: runs.append("encoder"))
    method.unet.register_forward_hook(lambda *_: runs.append("unet"))
    method.predict(batch())
    assert (runs.count("encoder"), runs.count("unet")) == (1, 14)


def test_a_frozen_encoder_does_not_move_at_all():
    encoder = ImageEncoder("small", 3, frozen=True).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    encoder(torch.rand(4, 3, 64, 64))
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())
    assert not any(p.requires_grad for p in encoder.parameters())


def test_tokens_keep_channels_and_places_apart():
    encoder = SceneAndHead("small").eval()
    with torch.no_grad():
        joint, tokens, _ = encoder(batch())
    scene = (joint[:, :96] + sines((4, 4), 96)).flatten(2).transpose(1, 2)
    torch.testing.assert_close(tokens[:, : scene.shape[1]], scene)
    assert tokens.shape == (4, 32, 96)


def test_a_thin_box_does_not_vanish():
    boxes = torch.tensor([[0.5, 0.5, 0.5001, 0.5001], [0.0, 0.0, 0.5, 1.0], [-1.0, -1, 2, 2]])
    covered = box_coverage(boxes, (8, 8))
    assert float(covered[0].sum()) > 0
    assert covered[1].sum((1, 2)).item() == 32
    assert (covered[2] == 1).all()
    assert head_boxes(batch()).shape == (4, 4)


def test_positions_differ():
    encoded = sines((6, 7), 16).flatten(1).T
    assert torch.cdist(encoded, encoded).add(10 * torch.eye(42)).min() > 1e-2


def test_soft_argmax_is_the_place():
    maps = torch.zeros(1, 1, 8, 8)
    maps[0, 0, 2, 5] = 1
    torch.testing.assert_close(soft_argmax(maps), torch.tensor([[5.5 / 8, 2.5 / 8]]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_heads": 5}, "cannot be shared by 5"),
        ({"widths": (8, 8, 8, 8, 8, 8), "attention": (False,) * 6}, "cannot be halved 5 times"),
        ({"target": "epsilon", "zero_terminal_snr": True}, "target=epsilon"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(ConfigError, match=message):
        diffusion(**settings)
