"""Imported editors against plain transcriptions of the published formulas; tolerances stand in the tests' names."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionInstructPix2PixPipeline, StableDiffusionPipeline
from safetensors.torch import save_file

from gensight.diffusion.sampling import build_scheduler, item_generators
from gensight.methods.instruct.editor import Editor, widen_input
from gensight.methods.instruct.many_steps import ManySteps
from gensight.prediction.trained_run import TrainedRun
from gensight.verbs.editor import export_editor, import_editor
from tests.ldm import single_file_state
from tests.parity.plain_editor import Plain, ancestral_euler, sigmas_of
from tests.pipelines import save_pipeline

VOCABULARY = ["encoding.categories=[cat, dog]", "encoding.labels=[cat, dog]"]
WORDS = "segment the dog"


def make_editor(folder: Path, full_size: bool = False) -> tuple[Path, dict[str, torch.Tensor]]:
    """(folder of an editor as published, its tensors in the original layout); `folder` gets `editor.safetensors`."""
    pipeline = StableDiffusionPipeline.from_pretrained(save_pipeline(folder / "sd", full_size=full_size))
    widen_input(pipeline.unet, 8)
    torch.manual_seed(1)
    torch.nn.init.normal_(pipeline.unet.conv_in.weight, std=0.1)
    for one in (*pipeline.unet.parameters(), *pipeline.vae.parameters()):
        if one.ndim == 1:  # untrained norms and biases would hide a mistake about them
            torch.nn.init.normal_(one.data, 0.5, 0.3)
    schedule = {**pipeline.scheduler.config, "timestep_spacing": "linspace"}
    StableDiffusionInstructPix2PixPipeline(
        vae=pipeline.vae, text_encoder=pipeline.text_encoder, tokenizer=pipeline.tokenizer, unet=pipeline.unet,
        scheduler=EulerAncestralDiscreteScheduler.from_config(schedule), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder / "published")  # fmt: skip
    path = folder / "published" / "scheduler" / "scheduler_config.json"
    known = json.loads(path.read_text())
    del known["timestep_spacing"]  # the published folder is older than this key
    path.write_text(json.dumps(known))
    state = single_file_state(pipeline.unet, pipeline.vae, pipeline.text_encoder)
    save_file(state, folder / "editor.safetensors")
    return folder / "published", state


def agree(found: torch.Tensor, expected: torch.Tensor, what: str) -> None:
    """To 4e-5; `GENSIGHT_PARITY=1` prints the difference."""
    if os.environ.get("GENSIGHT_PARITY"):
        print(f"{what}: {float((found - expected).abs().max()):.1e}")
    torch.testing.assert_close(found, expected, atol=4e-5, rtol=0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("parity")
    published, state = make_editor(folder)
    runs = {
        "folder": import_editor(str(published), folder / "a", VOCABULARY),
        "file": import_editor(str(folder / "editor.safetensors"), folder / "b", VOCABULARY, str(published)),
    }
    runs["again"] = import_editor(str(export_editor(runs["file"], folder / "exported")), folder / "c", VOCABULARY)
    methods = {name: TrainedRun.load(run, "cpu").method.eval() for name, run in runs.items()}
    return {"plain": Plain(state, (2, 2), 4), "runs": runs, **methods}


def editor_of(made: dict[str, Any], route: str) -> Editor:
    method = made[route]
    assert isinstance(method, ManySteps)
    return method.editor


def tokens(editor: Editor, text: str) -> torch.Tensor:
    (tokenizer,) = editor.backbone.tokenizers
    numbers: torch.Tensor = tokenizer([text], padding="max_length", max_length=77, return_tensors="pt").input_ids
    return numbers


def draws(key: int, shape: tuple[int, ...]) -> Iterator[torch.Tensor]:
    (generator,) = item_generators([key]) or [torch.Generator()]
    while True:
        yield torch.randn(shape, generator=generator)


ROUTES = ("folder", "file", "again")


@pytest.mark.parametrize("route", ROUTES)
@torch.no_grad()
def test_latent_text_unet_and_decoding_agree_to_4e_5(made: dict[str, Any], route: str) -> None:
    plain, editor = made["plain"], editor_of(made, route)
    image, noise = torch.rand(1, 3, 64, 128), torch.randn(1, 4, 8, 16)
    latents = editor.image_latents(image)
    agree(latents, plain.encode(image), "latent")
    words = editor.embed([WORDS])
    agree(words, plain.text(tokens(editor, WORDS)), "text")
    for timestep in (0.0, 473.6841, 999.0):
        output = editor.denoise(noise, torch.tensor([timestep]), latents, words)
        expected = plain.unet(torch.cat([noise, latents], 1), torch.tensor(timestep), words)
        agree(output, expected, "U-Net")
    decoded = editor.backbone.decode_latent(noise)
    agree(decoded, plain.decode(noise), "decoding")
    assert min(one.std() for one in (latents, words, output, decoded)) > 0.01  # none of them is trivial


@pytest.mark.parametrize(
    ("route", "text", "image", "steps"),
    [("folder", 7.5, 1.5, 20), *((route, 7.5, 1.5, 4) for route in ROUTES), ("file", 7.5, 0.5, 4),
     ("file", 1.0, 1.5, 4), ("file", 0.5, 0.0, 4), ("file", 1.0, 1.0, 4)],
)  # fmt: skip
@torch.no_grad()
def test_guided_samples_agree_to_4e_5(made: dict[str, Any], route: str, text: float, image: float, steps: int) -> None:
    plain, editor = made["plain"], editor_of(made, route)
    picture, noise = torch.rand(1, 3, 64, 64), torch.randn(1, 4, 8, 8)
    seen = editor.image_latents(picture)
    found = editor.sample(noise, seen, [WORDS], steps, "euler-ancestral", text, image, [5])
    words, empty = (plain.text(tokens(editor, one)) for one in (WORDS, ""))
    denoise = plain.guided(plain.encode(picture), words, empty, text, image)
    expected = ancestral_euler(denoise, noise, steps, draws(5, (1, 4, 8, 8)))
    agree(plain.decode(found), plain.decode(expected), f"sample of {steps} steps, {text} and {image}")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("num_steps", [20, 100])
def test_noise_levels_agree_to_1e_4_of_each(made: dict[str, Any], route: str, num_steps: int) -> None:
    scheduler = build_scheduler("euler-ancestral", editor_of(made, route).backbone.scheduler, clip=False)
    scheduler.set_timesteps(num_steps)
    timesteps, sigmas = sigmas_of(num_steps)
    torch.testing.assert_close(scheduler.timesteps.double(), timesteps, atol=1e-4, rtol=0)
    assert sigmas[0] == pytest.approx(14.6146, abs=1e-4)
    torch.testing.assert_close(scheduler.sigmas.double(), sigmas, atol=0, rtol=1e-4)


@pytest.mark.slow
@torch.no_grad()
def test_a_full_size_editor_agrees_to_1e_4_of_the_largest_value(tmp_path: Path) -> None:
    """Of SD 1.5's sizes in float32 with random weights: latent, text, two guided steps at 128 px, and the picture."""
    published, state = make_editor(tmp_path, full_size=True)
    method = TrainedRun.load(import_editor(str(published), tmp_path / "run", VOCABULARY), "cpu").method.eval()
    assert isinstance(method, ManySteps)
    plain, editor = Plain(state, (8, 12), 32), method.editor
    picture, noise = torch.rand(1, 3, 128, 128), torch.randn(1, 4, 16, 16)
    seen, (words, empty) = plain.encode(picture), [plain.text(tokens(editor, text)) for text in (WORDS, "")]
    denoise = plain.guided(seen, words, empty, 7.5, 1.5)
    found = editor.sample(noise, editor.image_latents(picture), [WORDS], 2, "euler-ancestral", 7.5, 1.5, [5])
    expected = ancestral_euler(denoise, noise, 2, draws(5, (1, 4, 16, 16)))
    for what, ours, theirs in (
        ("latent", editor.image_latents(picture), seen),
        ("text", editor.embed([WORDS]), words),
        ("sample", found, expected),
        ("picture", editor.backbone.decode_latent(expected), plain.decode(expected)),
    ):
        scale = float(theirs.abs().max())
        print(f"{what}: {float((ours - theirs).abs().max()) / scale:.1e} of the largest value")
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4 * scale)
