"""Editors: widened without a changed as published, dropped out as published, loaded by diffusers."""

import json

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, StableDiffusionInstructPix2PixPipeline

from gensight.backbones.diffusion import load_diffusion
from gensight.diffusion.sampling import Sampling, build_scheduler
from gensight.errors import ConfigError
from gensight.loading.cases import collate
from gensight.loading.draw_order import Draw
from gensight.methods.instruct import editor as editor_module
from gensight.methods.instruct.losses import class_loss, overlap_loss, task_loss
from gensight.methods.instruct.method import query_text, rephrase_query
from gensight.methods.loss import total_loss
from gensight.samples import Batch
from tests.methods.instruct import small
from tests.pipelines import save_pipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    base = tmp_path_factory.mktemp("editor")
    save_pipeline(base / "sd")
    return base


@pytest.fixture(scope="module")
def velocity(tmp_path_factory):
    """A folder of a model that predicts v."""
    base = tmp_path_factory.mktemp("velocity")
    config = save_pipeline(base / "sd") / "scheduler" / "scheduler_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"prediction_type": "v_prediction"}))
    return base


@pytest.fixture(scope="module")
def batch():
    return small.batch()


def test_the_widened_model_begins_as_the_one_it_was_made_from(folder):
    plain = load_diffusion(folder / "sd")
    editor = small.method(folder).editor
    x_t, text = torch.randn(2, 4, 8, 8), editor.embed(["a", "b"])
    steps = torch.tensor([10, 900])
    expected = plain.unet(x_t, steps, encoder_hidden_states=text).sample
    torch.testing.assert_close(editor.denoise(x_t, steps, torch.randn(2, 4, 8, 8), text), expected)
    assert editor.backbone.unet.config.in_channels == 8
    assert editor.calls == 2


@pytest.mark.parametrize("trainable", ["full", "lora"])
def test_a_one_step_editor_begins_by_seeing_the_image_without_noise(folder, trainable):
    plain = load_diffusion(folder / "sd")
    editor = small.method(folder, trainable, way="one-step").editor
    image, text = torch.randn(2, 4, 8, 8), editor.embed(["a", "b"])
    clean = plain.unet(plain.vae.config.scaling_factor * image, 0, encoder_hidden_states=text).sample
    output = editor.denoise(torch.zeros_like(image), torch.tensor([999, 999]), image, text)
    torch.testing.assert_close(output, clean, atol=1e-4, rtol=1e-4)
    assert (output - plain.unet(image, 999, encoder_hidden_states=text).sample).abs().max() > 1e-2


def test_a_full_store_of_texts_is_emptied_and_serves_on(folder, monkeypatch):
    monkeypatch.setattr(editor_module, "MOST_TEXTS", 2)
    editor = small.method(folder).editor
    known = editor.embed(["a", "b", "c"])
    torch.testing.assert_close(editor.embed(["b", "d", "a"])[[2, 0]], known[:2])


def test_half_of_the_items_can_be_learned_at_the_last_noise_level_and_the_others_late(folder):
    batch = Batch([], [], torch.arange(400))
    uniform, last = (small.method(folder, noise_levels=levels)._timesteps(batch) for levels in ("uniform", "last"))
    assert 160 < int((last == 999).sum()) < 240
    assert int((uniform == 999).sum()) < 10
    assert (last >= uniform).all()
    assert (last[last < 999] > uniform[last < 999]).any()


def test_a_schedule_that_ends_in_noise_shows_nothing_of_the_answer_there(velocity, batch):
    usual, changed = (small.method(velocity, zero_terminal_snr=to_the_end) for to_the_end in (False, True))
    assert usual.alphas_cumprod[-1] > 1e-3
    assert changed.alphas_cumprod[-1] == 0
    torch.testing.assert_close(usual.alphas_cumprod[0], changed.alphas_cumprod[0])
    scheduler = build_scheduler("euler", changed.editor.backbone.scheduler)
    scheduler.set_timesteps(4)
    assert scheduler.timesteps.tolist() == [999, 749, 499, 249]  # answers are drawn from the last level on
    assert torch.isfinite(changed.eval().predict(batch)["painted"]).all()


def test_a_model_that_predicts_noise_cannot_end_in_noise(folder):
    with pytest.raises(ConfigError, match="zero_terminal_snr"):
        small.method(folder, zero_terminal_snr=True)


def test_black_answers_are_encoded_once(folder):
    method, answer = small.method(folder), torch.rand(5, 3, 64, 64)
    answer[[0, 3]] = 0
    sizes, encode = [], method.editor.backbone.encode_image
    method.editor.backbone.encode_image = lambda images: (sizes.append(len(images)), encode(images))[1]
    torch.testing.assert_close(method._answer_latents(answer), encode(answer))
    method._answer_latents(answer[[0, 3]]), method._answer_latents(answer[[1]])
    assert sizes == [4, 1, 1]


def test_a_multi_step_model_from_a_one_step_model_ignores_noise_and_answers_like_it(velocity, batch, tmp_path):
    one = small.method(velocity, way="one-step")
    _shake(one)
    own = one.eval().predict(batch)["painted"]
    one.editor.save_pipeline(tmp_path / "sd", one_step=True)
    options = {"zero_terminal_snr": True, "sample_steps": 1, "text_guidance": 1.0, "image_guidance": 1.0}
    zeroed, kept = (small.method(tmp_path, noise_channels=begin, **options).eval() for begin in ("zero", "kept"))
    torch.testing.assert_close(
        zeroed.predict(batch)["painted"], own, atol=0.02, rtol=0
    )  # its last level contains 0.2 %
    assert not torch.allclose(kept.predict(batch)["painted"], own, atol=0.02)
    total_loss(zeroed.train().losses(batch)).backward()
    assert zeroed.editor.backbone.unet.conv_in.weight.grad[:, :4].abs().max() > 0  # and learns to use it


def test_zero_noise_channels_need_image_channels(folder):
    with pytest.raises(ConfigError, match="without image channels"):
        small.method(folder, noise_channels="zero")


@pytest.mark.parametrize("way", ["many-step", "one-step"])
@pytest.mark.parametrize("trainable", ["full", "lora"])
def test_what_is_trained_learns_and_the_rest_stays(folder, batch, way, trainable):
    learning = {"train_text": True, "train_decoder": True} if way == "one-step" else {}
    method = small.method(folder, trainable, way=way, **learning)
    before = {name: value.detach().clone() for name, value in method.named_parameters()}
    optimiser = torch.optim.AdamW(method.parameter_groups()[0]["params"], 1e-3, weight_decay=0.0)
    method.train()
    for _ in range(2):  # adapters begin at zero: their first halves move in the second step
        losses = method.losses(batch)
        optimiser.zero_grad()
        total_loss(losses).backward()
        optimiser.step()
    moved = {name for name, value in method.named_parameters() if not torch.equal(value, before[name])}
    assert all(value.requires_grad for name, value in method.named_parameters() if name in moved)
    assert any("conv_in" in name for name in moved)
    assert any("text_encoders" in name for name in moved) == (way == "one-step")
    assert any("vae.decoder" in name for name in moved) == (way == "one-step")
    assert not any("vae.encoder" in name for name in moved)


def test_a_frozen_backbone_is_refused(folder):
    with pytest.raises(ConfigError, match="a frozen backbone cannot learn to paint"):
        small.method(folder, "frozen")


def test_text_image_and_both_are_left_out_in_a_twentieth_each(folder, batch):
    method = small.method(folder)
    keys = torch.arange(8000)
    many = type(batch)(batch.items[:1] * 8000, batch.views[:1] * 8000, keys)
    texts, latents = method._dropped(many, ["words"] * 8000, torch.ones(8000, 1, 1, 1))
    no_text = np.array([text == "" for text in texts])
    no_image = (latents.flatten() == 0).numpy()
    shares = [(no_text & ~no_image).mean(), (no_image & ~no_text).mean(), (no_text & no_image).mean()]
    np.testing.assert_allclose(shares, [0.05, 0.05, 0.05], atol=0.01)


@pytest.mark.parametrize(
    ("text", "image", "branches"),
    [(1.0, 1.0, 1), (0.0, 0.0, 1), (7.5, 1.5, 3), (1.0, 1.5, 3), (0.5, 0.5, 2), (3, 1, 2)],
)
def test_any_weights_are_computed_and_branches_without_weight_are_not(folder, batch, text, image, branches):
    editor = small.method(folder).eval().editor
    latents, words, noise = editor.image_latents(batch.image[:1]), [query_text(batch.items[0])], torch.randn(1, 4, 8, 8)
    before = editor.calls
    with torch.no_grad():
        found = editor.sample(noise, latents, words, 1, "ddim", text, image)
        assert editor.calls - before == branches
        scheduler = build_scheduler("ddim", editor.backbone.scheduler, clip=False)
        scheduler.set_timesteps(1)
        last = scheduler.timesteps
        empty = editor.embed([""])
        both = editor.denoise(noise, last, latents, editor.embed(words))
        seen, nothing = editor.denoise(noise, last, latents, empty), editor.denoise(noise, last, 0 * latents, empty)
        guided = nothing + text * (both - seen) + image * (seen - nothing)
        expected = scheduler.step(guided, last[0], noise).prev_sample
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_unknown_pixels_teach_nothing(folder, batch):
    for way in ("many-step", "one-step"):
        method = small.method(folder, way=way, phrasing="fixed").eval()
        known = batch.targets["painted_weight"].clone()
        known[..., :32] = 0
        losses = []
        for value in (0.0, 1.0):
            target = batch.targets["painted"].clone()
            target[..., :8] = value  # far from what is known, beyond one cell of a latent
            changed = type(batch)(batch.items, batch.views, batch.keys, batch.images, None, {
                "painted": target, "painted_weight": known})  # fmt: skip
            losses.append(float(method.losses(changed)["pixels" if way == "one-step" else "latents"].mean))
        # the autoencoder sees the whole picture, so latents shift a little; pixels don't at all
        assert losses[0] == pytest.approx(losses[1], rel=0.02 if way == "many-step" else 1e-6)


def test_training_says_it_in_other_words_and_never_in_those_held_out(folder, batch):
    method = small.method(folder)
    method.train()
    assert method._texts(batch) == method._texts(batch)
    assert method._texts(batch) != [query_text(item) for item in batch.items]
    method.eval()
    assert method._texts(batch) == [query_text(item) for item in batch.items]
    texts = {rephrase_query(batch.items[0], seed) for seed in range(300)}
    assert len(texts) > 20


def test_pixels_of_a_share_estimate_those_of_all(folder):
    method = small.method(folder, way="one-step", decoded_share=0.5)
    batches = [small.batch(8, first) for first in range(0, 80, 8)]
    for number, batch in enumerate(batches):
        batch.keys[:] = torch.arange(8 * number, 8 * number + 8)
    with torch.no_grad():
        whole = torch.stack([method.eval().losses(batch)["pixels"].mean for batch in batches])
        share = torch.stack([method.train().losses(batch)["pixels"].mean for batch in batches])
    assert (share - whole).abs().max() > 1e-3
    assert share.mean().item() == pytest.approx(whole.mean().item(), rel=0.25)


def test_a_step_in_which_nothing_is_decoded_teaches_the_decoder_nothing(folder, batch):
    method = small.method(folder, way="one-step", train_decoder=True, decoded_share=1e-6).train()
    losses = method.losses(batch)
    total_loss(losses).backward()
    assert losses["pixels"].mean == 0
    gradients = [weight.grad for weight in method.editor.backbone.vae.decoder.parameters()]
    assert all(gradient is not None and not gradient.any() for gradient in gradients)
    assert any(weight.grad.any() for weight in method.editor.backbone.unet.parameters() if weight.grad is not None)


def test_a_share_of_nothing_is_refused(folder):
    with pytest.raises(ConfigError, match="decoded_share=0"):
        small.method(folder, way="one-step", decoded_share=0.0)


def test_overlap_does_not_depend_on_size_and_black_asks_for_black():
    target = torch.zeros(2, 3, 16, 16)
    target[0, :, :8], target[1, :, :8, :8] = 1, 1
    known = torch.ones(2, 1, 16, 16)
    assert overlap_loss(target, target, known).max() < 1e-6
    assert overlap_loss(torch.zeros_like(target), target, known).min() > 0.98
    assert overlap_loss(torch.ones_like(target), torch.zeros_like(target), known).min() > 0.99


@pytest.mark.parametrize("task", ["segment", "detect", "depth", "classify", None])
def test_every_task_is_taught_towards_its_target(task):
    target = torch.rand(1, 3, 8, 8)
    known = torch.ones(1, 1, 8, 8)
    right = task_loss([task], target, target, known, 0.1)
    assert right < task_loss([task], target * 0.5, target, known, 0.1)


def test_the_colour_of_the_right_class_is_told_from_the_others():
    palette, known = torch.tensor([[0.0, 0, 0], [1, 1, 1], [0, 0.5, 1], [1, 0, 0.5]]), torch.ones(3, 1, 4, 4)
    right, undecided, wrong = palette[2], palette[1:].mean(0), palette[3]
    pictures = torch.stack([right, undecided, wrong]).view(3, 3, 1, 1).expand(3, 3, 4, 4).clone().requires_grad_()
    losses = class_loss(pictures, known, [palette] * 3, [2, 2, 2])
    assert losses[0] < 0.01 < losses[1] < losses[2]
    losses[2].backward()
    step = -pictures.grad[2].mean((1, 2))
    assert step @ (right - wrong) > 0


def test_classes_can_be_taught_by_their_colours_alone(folder):
    names = small.reader(1).categories
    method = small.method(folder, way="one-step", class_weight=1.0, decoded_share=0.01, labels=names).train()
    cases = small.cases(3)
    queries = [cases.item(number).query for number in range(len(cases))]
    numbers = [n for n, query in enumerate(queries) if query.task == "classify" and len(query.options) > 1]
    losses = method.losses(collate([cases[Draw(number, 0, number)] for number in numbers[:3]]))
    assert losses["latents"].count == 0  # what is undecided would be taught the mean of the colours
    total_loss(losses).backward()
    assert method.editor.backbone.unet.conv_out.weight.grad.abs().max() > 0  # all are decoded


@pytest.mark.parametrize(("trainable", "ends_in_noise"), [("full", False), ("lora", False), ("full", True)])
@pytest.mark.parametrize("sampler", ["ddim", "euler"])
def test_diffusers_gives_the_same_picture_for_the_same_noise(
    folder, velocity, batch, tmp_path, trainable, ends_in_noise, sampler
):
    method = small.method(
        velocity if ends_in_noise else folder, trainable, sampler=sampler, zero_terminal_snr=ends_in_noise
    )
    _shake(method)
    method.eval()
    editor, text = method.editor, query_text(batch.items[0])
    noise = torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        latents = editor.sample(noise, editor.image_latents(batch.image[:1]), [text], 3, sampler, 3.0, 1.2)
        own = editor.backbone.decode_latent(latents)
    editor.save_pipeline(tmp_path / "saved")
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(tmp_path / "saved", safety_checker=None)
    kind = {"ddim": DDIMScheduler, "euler": EulerDiscreteScheduler}[sampler]
    pipeline.scheduler = kind.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(text, batch.image[:1], num_inference_steps=3, guidance_scale=3.0, image_guidance_scale=1.2,
                      latents=noise, output_type="pt").images  # fmt: skip
    torch.testing.assert_close(theirs, own.clamp(0, 1), atol=2e-4, rtol=0)


def test_diffusers_gives_the_one_step_too(folder, batch, tmp_path):
    method = small.method(folder, way="one-step", train_decoder=True)
    _shake(method)
    method.eval()
    own = method.predict(batch)["painted"][:1]
    method.editor.save_pipeline(tmp_path / "saved", one_step=True)
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(tmp_path / "saved", safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(query_text(batch.items[0]), batch.image[:1], num_inference_steps=1, guidance_scale=1.0,
                      latents=torch.zeros(1, 4, 8, 8), output_type="pt").images  # fmt: skip
    torch.testing.assert_close(theirs, own, atol=2e-4, rtol=0)


def test_calls_of_one_and_of_many_steps(folder, batch):
    one = small.method(folder, way="one-step").eval()
    one.predict(batch)
    assert one.editor.calls == len(batch)
    many = small.method(folder, sample_steps=4).eval()
    many.predict(batch)
    assert many.editor.calls == 3 * 4 * len(batch)


def test_several_draws_are_averaged_where_the_mean_is_an_answer(folder, batch):
    draws = torch.rand(3, len(batch), 3, 64, 64)
    draws[2] = draws[0] + 0.1  # so the first and the last are near each other
    method = small.method(folder).eval()
    method._sample = lambda batch, latents, texts, how, number: draws[number]
    painted = method.predict(batch, Sampling(num_samples=3))["painted"]
    for row, item in enumerate(batch.items):
        if item.query.task in ("segment", "depth"):
            torch.testing.assert_close(painted[row], draws[:, row].mean(0))
        else:
            assert any(torch.equal(painted[row], draws[number, row]) for number in (0, 2))
    assert {item.query.task for item in batch.items} >= {"segment", "detect"}


def test_sampling_is_an_argument_and_a_seed_is_another_noise(folder, batch):
    method = small.method(folder, sample_steps=3, sampler="ddim").eval()
    own = method.predict(batch)["painted"]
    one_step = small.method(folder, sample_steps=1, sampler="euler").eval().predict(batch)["painted"]
    assert torch.equal(method.predict(batch, Sampling("euler", 1))["painted"], one_step)
    assert torch.equal(method.predict(batch, Sampling(seed=0))["painted"], own)
    assert (method.predict(batch, Sampling(seed=3))["painted"] - own).abs().mean() > 0.015  # a tenth of what it is
    assert torch.equal(method.predict(batch)["painted"], own)


def test_a_batch_answers_as_its_items_alone(folder, batch):
    method = small.method(folder, sample_steps=2, sampler="euler-ancestral").eval()
    together = method.predict(batch)["painted"]
    other = small.batch(1, first=2)
    alone = method.predict(type(batch)(other.items, other.views, batch.keys[2:3], other.images))["painted"]
    torch.testing.assert_close(together[2:3], alone, atol=1e-4, rtol=0)


def _shake(method) -> None:
    """New weights that matter: the image's channels begin at zero, and so do adapters."""
    with torch.no_grad():
        for parameter in method.parameters():
            if parameter.requires_grad:
                parameter.add_(0.02 * torch.randn_like(parameter))
