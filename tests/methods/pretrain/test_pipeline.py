import diffusers
import numpy as np
import pytest
import torch

from gensight.backbones.pipeline_folder import save_parts
from gensight.backbones.pretrained import PipelineParts
from gensight.errors import ConfigError, RunError
from gensight.methods.pretrain.architecture import (
    build_autoencoder,
    build_denoiser,
    build_noise_schedule,
    build_text_encoder,
)
from gensight.methods.pretrain.pipeline import draw_samples, load_pretrained, write_card
from gensight.methods.pretrain.tokenizer import build_tokenizer
from tests.pipelines import save_pipeline


@pytest.fixture(scope="module")
def parts() -> PipelineParts:
    torch.manual_seed(0)
    tokenizer = build_tokenizer(["a", "red", "dog"], 8)
    return PipelineParts(
        vae=build_autoencoder((8, 16, 16), 4),
        unet=build_denoiser((16, 32), 16, 4, 8, heads=2),
        text_encoders=(build_text_encoder(tokenizer, 16, 1, 2),),
        tokenizers=(tokenizer,),
        scheduler=build_noise_schedule("v_prediction"),
    )


@pytest.fixture(scope="module")
def folder(parts, tmp_path_factory):
    path = tmp_path_factory.mktemp("pretrained") / "pipeline"
    save_parts(parts, path)
    return path


def test_diffusers_opens_the_folder(folder):
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    assert isinstance(pipeline.scheduler, diffusers.DDIMScheduler)
    expected = {"prediction_type": "v_prediction", "set_alpha_to_one": False, "steps_offset": 1, "clip_sample": False}
    assert {name: pipeline.scheduler.config[name] for name in expected} == expected
    assert pipeline.vae_scale_factor == 4
    result = pipeline("a red dog", height=32, width=48, num_inference_steps=2, output_type="np")
    assert result.images.shape == (1, 32, 48, 3)


def test_weights_are_stored_in_half_precision_and_read_back(parts, folder):
    again = load_pretrained(folder)
    assert sum(path.stat().st_size for path in folder.rglob("*.safetensors")) < 2.4 * sum(parts.counts.values())
    networks = [(one.vae, one.unet, *one.text_encoders) for one in (parts, again)]
    for own, read in zip(*networks, strict=True):
        for a, b in zip(own.parameters(), read.parameters(), strict=True):
            assert b.dtype == torch.float32
            torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3)


def test_both_vocabulary_forms_are_there(folder):
    names = {path.name for path in (folder / "tokenizer").iterdir()}
    assert {"tokenizer.json", "vocab.json", "merges.txt"} <= names


def test_saving_again_replaces_the_folder_whole(parts, folder):
    (folder / "stray.txt").write_text("old")
    save_parts(parts, folder)
    assert not (folder / "stray.txt").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["pipeline"]


def test_samples_follow_from_the_seed(parts):
    first, second = (draw_samples(parts, ["a dog", ""], (16, 24), seed=seed, steps=2) for seed in (1, 1))
    assert [image.shape for image in first] == [(16, 24, 3)] * 2
    assert np.array_equal(first, second)
    assert not np.array_equal(first, draw_samples(parts, ["a dog", ""], (16, 24), seed=2, steps=2))


def test_the_card_tells_the_facts(folder):
    write_card(folder, "mine", "For mice.", "Five images.", {"seed": "7"}, ("a dog", ""))
    text = (folder / "README.md").read_text()
    for expected in ("# mine", "For mice.", "Five images.", "| seed | 7 |", "1. a dog", "2. (empty prompt)"):
        assert expected in text


def test_a_folder_that_is_no_backbone_is_refused(tmp_path):
    with pytest.raises(RunError, match="not a diffusers pipeline folder"):
        load_pretrained(tmp_path)


def test_a_model_of_two_text_encoders_is_refused(tmp_path):
    with pytest.raises(RunError, match="one text encoder"):
        load_pretrained(save_pipeline(tmp_path / "xl", "xl"))


def test_widths_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match=r"widths \[12\] are not multiples of 8"):
        build_autoencoder([12], 4)
    with pytest.raises(ConfigError, match="8 normalisation groups and 3 attention heads"):
        build_denoiser([16, 32], 16, 4, 8, heads=3)
