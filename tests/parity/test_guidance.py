"""Readout Guidance as published by Luo et al. (CVPR 2024), against plain transcriptions of its formulas."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gensight.backbones.base import Features
from gensight.backbones.diffusion import DiffusionBackbone, load_diffusion
from gensight.encodings.base import OutputSpec
from gensight.guidance.controls import at_frames, read_tracks
from gensight.guidance.goals import AppearanceGoal, DragGoal, Goal, Moment, SpatialGoal
from gensight.guidance.heads import GuidingHead, guiding_head, read_noisy
from gensight.guidance.inversion import InversionLevel, invert
from gensight.guidance.options import Settings, usual_settings
from gensight.guidance.sampling import branch_texts, sample
from gensight.guidance.steering import goal_gradient
from gensight.guidance.targets import GuidanceTargets, Setting
from gensight.methods.readout.method import Part, Readout
from tests.parity import guidance_formulas as plain
from tests.pipelines import save_pipeline

SIDE, GRID = 64, 8  # of the image and of its latents
PROMPT, NEGATIVE = "a cat", "blurred"
HANDLES, TARGETS = [(10.0, 12.0), (33.3, 20.9)], [(41.0, 50.5), (60.1, 8.2)]
BOXES = (8.0, 16.0, 40.0, 64.0), (0.0, 0.0, 64.0, 32.0)
SPECS = {"spatial": OutputSpec(3, "sparse-image"), "correspondence": OutputSpec(0, "matching"),
         "appearance": OutputSpec(0, "appearance")}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pipeline(tmp_path_factory.mktemp("sd") / "pipeline")


@pytest.fixture(scope="module")
def backbone(folder: Path) -> DiffusionBackbone:
    """In float64: signs of gradients then agree. Heads of it are given the time as released ones are."""
    loaded = load_diffusion(folder, time_embedding="reversed")
    loaded.double()
    return loaded


def head(backbone: DiffusionBackbone, kind: str) -> GuidingHead:
    torch.manual_seed(len(kind))
    part = Part({kind: SPECS[kind]}, SIDE // GRID, "random")
    options: dict[str, Any] = {"projection": 128, "bottleneck": 32, "order": "reference"}
    method = Readout(backbone, {kind: part}, **options).to(backbone.unet.dtype).eval()
    return guiding_head(method, kind)


def tensors(one: GuidingHead) -> dict[str, Tensor]:
    return one.method.heads[one.part].state_dict()


def control() -> Tensor:
    drawn = torch.rand(3, GRID, GRID, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return torch.where(drawn > 0.6, drawn, 0.0)  # most of it is background


def cells(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(x * GRID / SIDE, y * GRID / SIDE) for x, y in points]  # 8 px a cell, whatever the size


def term(one: GuidingHead, kind: str, rescale: Sequence[float]) -> plain.Term:
    boxes = tuple(tuple(round(edge * GRID / SIDE) for edge in box) for box in BOXES)
    return plain.Term(
        kind, tensors(one), rescale, control=control() - 0.5, points=(cells(HANDLES), cells(TARGETS)),
        boxes=boxes if kind == "appearance" else None,
    )  # type: ignore[arg-type]  # fmt: skip


def published(kinds: Sequence[str], backbone: DiffusionBackbone, weights: Any, **given: Any) -> Setting:
    drags = "correspondence" in kinds
    common = {"prompt": PROMPT, "negative_prompt": NEGATIVE, "steps": 6, "seeds": (3,)}
    settings: Settings = usual_settings("published", common | given, (SIDE, SIDE), dragging=drags)
    boxes = {"reference_box": BOXES[0], "box": BOXES[1]} if "appearance" in kinds else {}
    targets = GuidanceTargets(weights=weights, **boxes, **settings.targets)  # type: ignore[arg-type]
    ends = (torch.tensor(HANDLES), torch.tensor(TARGETS)) if drags else None
    heads = {kind: head(backbone, kind) for kind in kinds}
    maps = ((control(), None),) if "spatial" in kinds else ()
    return Setting(backbone, heads, targets, settings.sampling, settings.steering, None, None, (ends,), maps)


def by_the_book(setting: Setting, weights: Sequence[Sequence[float]], ratio: tuple[float, float], inner: int,
                text_weights: tuple[float, float]) -> tuple[Tensor, dict[int, float]]:  # fmt: skip
    backbone, sampling = setting.backbone, setting.sampling
    scheduler = backbone.scheduler
    context = torch.cat([backbone.embed_text([text] * 2).tokens for text in (NEGATIVE, PROMPT)])
    generator = torch.Generator().manual_seed(sampling.seeds[0])
    start = torch.randn(1, 4, GRID, GRID, generator=generator)
    noises = [torch.randn(1, 4, GRID, GRID, generator=generator, dtype=torch.float64) for _ in range(sampling.steps)]
    count = 1000 // sampling.steps
    return plain.published_sampling(
        backbone.unet, scheduler.alphas_cumprod.double().tolist(), float(scheduler.alphas_cumprod[0]),
        [1 + count * step for step in reversed(range(sampling.steps))], context, start.double(),
        [term(one, kind, row) for (kind, one), row in zip(setting.heads.items(), weights, strict=True)],
        ratio=ratio, inner=inner, text_weights=text_weights, eta=sampling.eta, noises=noises if sampling.eta else (),
    )  # fmt: skip


def ours(setting: Setting) -> tuple[Tensor, dict[int, float]]:
    unguided = setting.sample_unguided(lambda step, latents: None)
    guided = sample(
        setting.backbone, setting.sampling, setting.goals(unguided), setting.steering, start=setting.start(unguided)
    )
    return torch.cat([unguided.clean, guided.clean]), {step: float(error) for step, error in guided.errors.items()}


def assert_equal(found: tuple[Tensor, dict[int, float]], expected: tuple[Tensor, dict[int, float]]) -> None:
    scale = float(expected[0].abs().max())
    difference = float((found[0] - expected[0]).abs().max()) / scale
    print(f"largest difference: {difference:.1e} of the largest latent")
    assert found[1].keys() == expected[1].keys()
    assert list(found[1].values()) == pytest.approx(list(expected[1].values()), rel=1e-5)
    assert difference < 1e-5
    assert float((expected[0][0] - expected[0][1]).abs().max()) / scale > 1e-3  # guidance did something


def test_a_drag_with_its_own_appearance_and_a_control_gives_the_published_latents_within_1e_5(
    backbone: DiffusionBackbone,
) -> None:
    """All terms, both branches, two inner steps of one Adam, a start, factors by step, text weights of both images."""
    steps = [1.0, 0.5, 2.0, 0.0, 1.0, 1.0]
    weights = [[0.5] * 6, [1.0] * 6, steps]
    given = {"guidance_scale": 3.5, "unguided_scale": 1.0, "start": 0.2, "share": 0.8, "inner_steps": 2}
    setting = published(["spatial", "correspondence", "appearance"], backbone, (0.5, 1.0, tuple(steps)), **given)
    assert setting.sampling.eta == 0
    assert_equal(ours(setting), by_the_book(setting, weights, (0.2, 0.8), 2, (1.0, 3.5)))


def test_a_control_under_the_samplers_noise_gives_the_published_latents_within_1e_5(
    backbone: DiffusionBackbone,
) -> None:
    setting = published(["spatial"], backbone, (0.5,))
    assert (setting.sampling.eta, setting.steering.share, setting.sampling.guidance_scale) == (1.0, 0.5, 7.5)
    assert_equal(ours(setting), by_the_book(setting, [[0.5] * 6], (0.0, 0.5), 1, (7.5, 7.5)))


@pytest.mark.parametrize(("share", "count"), [(0.5, 2), (0.99, 4), (1.0, 5), (0.29, 1)])
def test_the_guided_range_is_cut_to_whole_steps_exactly(backbone: DiffusionBackbone, share: float, count: int) -> None:
    setting = published(["spatial"], backbone, (1.0,), steps=5, share=share)
    assert list(setting.steering.steered(5)) == list(range(int(share * 5))) == list(range(count))


# --- Terms


def pair(backbone: DiffusionBackbone) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    latents = 1.5 * torch.randn(2, 4, GRID, GRID, generator=generator, dtype=torch.float64)
    return latents[:1], latents[1:]


def test_terms_of_one_to_one_weigh_as_published_within_1e_10(backbone: DiffusionBackbone) -> None:
    """A drag and its own appearance: the gradient of their plain sum has the published direction and length."""
    setting = published(["correspondence", "appearance"], backbone, ())
    found, expected, errors = both_gradients(setting, *pair(backbone))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10 * float(expected.abs().max()))
    assert errors[0] == pytest.approx(errors[1], rel=1e-7)


def both_gradients(setting: Setting, unguided: Tensor, guided: Tensor) -> tuple[Tensor, Tensor, tuple[float, float]]:
    """Ours and the published one, with respect to the guided latents; and the errors."""
    backbone, size = setting.backbone, setting.sampling.size
    goals = _goals_of(setting, unguided)
    texts = branch_texts(backbone, setting.sampling, setting.steering)
    parts = [goal_gradient(backbone, goals, guided, 501, text, 0, size, branch) for branch, text in enumerate(texts)]
    gradient = torch.stack([one for one, _ in parts]).sum(0)
    terms = [term(one, kind, [1.0]) for kind, one in setting.heads.items()]
    context = torch.cat([backbone.embed_text([text] * 2).tokens for text in (NEGATIVE, PROMPT)])
    moving = torch.cat([unguided, guided]).requires_grad_(True)
    loss = plain.guidance_loss(backbone.unet, terms, moving, 501, context, 0)
    (expected,) = torch.autograd.grad(loss, moving)
    assert float(expected[0].abs().max()) == 0  # the unguided image is not moved
    return gradient, expected[1:], (float(sum(float(error) for _, error in parts)), float(loss.detach()))


def _goals_of(setting: Setting, unguided: Tensor) -> list[Goal]:
    """The setting's goals at step 0, of this unguided latent."""
    from gensight.guidance.sampling import Trajectory

    setting = replace(setting, sampling=replace(setting.sampling, steps=1), steering=replace(setting.steering, share=1))
    return setting.goals(Trajectory(unguided, unguided, {0: unguided}, {0: 501}))


def test_every_cell_of_a_map_keeps_its_gradient_within_1e_6(
    backbone: DiffusionBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trained pose map has background about -0.5, half of it below: the published loss clamps none of it."""
    one = head(backbone, "spatial")
    raw = (0.05 * torch.randn(1, 3, GRID, GRID, dtype=torch.float64) - 0.5).requires_grad_(True)
    monkeypatch.setattr(one.method.heads["spatial"], "forward", lambda *_: {"spatial": raw})
    latents = pair(backbone)[0]
    error = SpatialGoal(one, control()).error(Features({}), Moment(0, latents, (SIDE, SIDE)))
    (gradient,) = torch.autograd.grad(error.sum(), raw)
    reach = float(latents.max() - latents.min())
    expected = 2 * (raw.detach() - (control()[None] - 0.5)) * reach**2 / raw.numel()
    torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-12)
    assert (gradient != 0).all()


def test_default_terms_differ_by_points_and_regions_only_within_1e_6(backbone: DiffusionBackbone) -> None:
    """Points at cells' centres and whole images: the default preset's terms are the published ones."""
    maps = torch.nn.functional.normalize(torch.randn(2, 128, GRID, GRID, dtype=torch.float64), dim=1)
    shown = _Shown(**vars(head(backbone, "correspondence")), maps=maps[1:])
    latents = pair(backbone)[0]
    moment = Moment(0, latents, (SIDE, SIDE))
    ends = [(12.0, 20.0)], [(44.0, 36.0)]
    drag = DragGoal(shown, {0: maps[:1]}, *(torch.tensor(one) for one in ends))
    points = plain.Term("correspondence", {}, [1], points=(cells(ends[0]), cells(ends[1])))
    expected = plain.correspondence_loss(maps[1:], maps[:1], points)
    assert float(drag.error(Features({}), moment)) == pytest.approx(float(expected), abs=1e-6)
    looks = AppearanceGoal(shown, {0: maps[:1]})
    expected = plain.appearance_loss(maps[1:], maps[:1], plain.Term("appearance", {}, [1]), latents)
    assert float(looks.error(Features({}), moment)) == pytest.approx(float(expected), rel=1e-6)


@dataclass(frozen=True, eq=False)
class _Shown(GuidingHead):
    """A head that gives the same maps whatever it reads."""

    maps: Tensor = torch.zeros(())  # noqa: RUF009 (a tensor that nothing changes)

    def __call__(self, features: Features, model_size: tuple[int, int], clamp: bool = False) -> Tensor:
        return self.maps


# --- What heads read


def test_heads_read_the_published_features_within_1e_12_and_time_embeddings_exactly(
    backbone: DiffusionBackbone,
) -> None:
    latents, text = pair(backbone)[0], backbone.embed_text([PROMPT])
    reading, guiding = backbone.read_latents(latents, 300, text), read_noisy(backbone, latents, 300, text)
    with torch.no_grad():
        maps = plain.unet_pass(backbone.unet, latents, 300, text.tokens)[1]
    assert len(maps) == len(guiding.maps) == 12
    for ours, theirs in zip(guiding.maps.values(), maps, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    embedded = [plain.embed_time(backbone.unet, t, torch.float64) for t in (700, 300)]
    assert reading.time_embedding is not None
    assert guiding.time_embedding is not None
    assert torch.equal(reading.time_embedding, embedded[0])  # as released heads were trained: 1000 - t
    assert torch.equal(guiding.time_embedding, embedded[1])  # as they guide: t


@pytest.mark.parametrize("kind", SPECS)
def test_heads_give_the_published_maps_within_1e_10(backbone: DiffusionBackbone, kind: str) -> None:
    one, latents = head(backbone, kind), pair(backbone)[0]
    assert one.timed == (kind != "correspondence")
    features = read_noisy(backbone, latents, 300, backbone.embed_text([PROMPT]))
    with torch.no_grad():
        found = one(features, (SIDE, SIDE))
        maps = [torch.nn.functional.interpolate(m, size=(GRID, GRID), mode="bilinear") for m in features.maps.values()]
        expected = plain.head_output(tensors(one), maps, features.time_embedding if one.timed else None)
    found = found - 0.5 if kind == "spatial" else found
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


# --- Inversion and tracks


@pytest.mark.parametrize("level", ["current", "target"])
def test_inversion_by_each_rule_gives_its_latents_within_1e_5(
    backbone: DiffusionBackbone, level: InversionLevel, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = backbone.encode_image
    monkeypatch.setattr(backbone, "encode_image", lambda images: 20 * encode(images))  # of the size of SD's latents
    image = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = invert(backbone, image, PROMPT, 5, level)
    scheduler, text = backbone.scheduler, backbone.embed_text([PROMPT]).tokens
    expected = plain.inverted(
        backbone.unet, scheduler.alphas_cumprod.double().tolist(), float(scheduler.alphas_cumprod[0]),
        found.timesteps, text, found.clean.double(), level,
    )  # fmt: skip
    assert found.timesteps == [801, 601, 401, 201, 1]
    assert float(found.clean.abs().max()) > 2  # latents beyond 1 are kept
    for step, latents in enumerate(reversed(expected)):
        scale = float(latents.abs().max())
        torch.testing.assert_close(found.latents[step], latents, rtol=0, atol=1e-5 * scale)


def test_the_two_rules_of_inversion_differ(backbone: DiffusionBackbone) -> None:
    image = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first, second = (invert(backbone, image, PROMPT, 5, level).latents[0] for level in ("current", "target"))
    assert float((first - second).abs().max()) > 1e-4


def test_tracks_are_read_with_their_visibility_and_interpolated_exactly(tmp_path: Path) -> None:
    tracks = np.array([[[[0.0, 4], [8, 8], [1, 1]], [[6.0, 10], [8, 2], [2, 2]]]])
    np.save(tmp_path / "tracks_a.npy", tracks)
    np.save(tmp_path / "visibles_a.npy", np.array([[[True, True, False], [True, True, True]]]))
    points, visible, _ = read_tracks(tmp_path / "tracks_a.npy")
    frames, shown = at_frames(points, visible, 4)
    for number, alpha in enumerate((0, 1 / 3, 2 / 3, 1)):
        np.testing.assert_allclose(frames[number], (1 - alpha) * tracks[0, 0] + alpha * tracks[0, 1], rtol=1e-15)
    assert (shown == [True, True, False]).all()
    whole, _ = at_frames(np.arange(14.0).reshape(7, 1, 2), np.ones((7, 1), bool), 7)
    assert np.array_equal(whole, np.arange(14.0).reshape(7, 1, 2))  # every frame of a longer track


def test_preset_values_are_the_released_ones_exactly() -> None:
    control = usual_settings("published", {}, (512, 512), dragging=False)
    drag = usual_settings("published", {}, (512, 512), dragging=True, real=True)
    assert (control.sampling.steps, control.sampling.guidance_scale, control.sampling.eta) == (100, 7.5, 1.0)
    assert (drag.sampling.guidance_scale, drag.sampling.unguided_scale, drag.sampling.eta) == (3.5, 1.0, 0.0)
    for one in (control, drag):
        steering = one.steering
        assert (steering.weight, steering.start, steering.share, steering.inner_steps) == (0.02, 0.0, 0.5, 1)
        assert (steering.normalisation, steering.branches, steering.as_published) == ("adam", "both", True)
        assert (one.targets["carry"], one.sampling.strength) == (0.0, 1.0)
        assert (one.targets["inversion"], one.targets["compare"]) == ("current", "cells")
    assert math.isclose(usual_settings("gensight", {}, (512, 512), dragging=True).targets["carry"], 64)


@pytest.mark.slow
def test_a_full_size_gradient_is_the_published_one_within_1e_3(tmp_path: Path) -> None:
    """Of SD 1.5's U-Net in float32 with random weights, at 128 px: a drag with its own appearance."""
    backbone = load_diffusion(
        save_pipeline(tmp_path / "sd", full_size=True, dtype=torch.bfloat16), time_embedding="reversed"
    )
    setting = published(["correspondence", "appearance"], backbone, ())
    setting = replace(setting, sampling=replace(setting.sampling, size=(128, 128)))
    unguided, guided = (torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    found, expected, errors = both_gradients(setting, unguided, guided)
    scale = float(expected.abs().max())
    print(f"largest difference: {float((found - expected).abs().max()) / scale:.1e} of the largest gradient")
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3 * scale)
    assert errors[0] == pytest.approx(errors[1], rel=1e-4)
