import json
import shutil

import pytest
import torch

from gensight.backbones.capture import capture
from gensight.backbones.diffusion import load_diffusion
from gensight.errors import ConfigError, RunError
from tests.contracts.backbone import BackboneContract
from tests.pipelines import edit_json, save_pipeline


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("pipelines")
    return {"sd": save_pipeline(root / "sd", "sd"), "xl": save_pipeline(root / "xl", "xl")}


@pytest.fixture(scope="module", params=["sd", "xl"])
def folder(request, folders):
    return folders[request.param]


@pytest.fixture(scope="module")
def backbone(folder):
    return load_diffusion(folder)


@pytest.fixture
def images():
    return torch.rand(2, 3, 48, 80, generator=torch.Generator().manual_seed(0))


class _OfFolder(BackboneContract):
    family = "sd"
    options: dict = {}  # noqa: RUF012

    @pytest.fixture(scope="class", autouse=True)
    def _folder(self, folders):
        type(self).folder = folders[self.family]

    def make(self):
        return load_diffusion(self.folder, **self.options)


class TestSD(_OfFolder):
    pass


class TestXL(_OfFolder):
    family = "xl"


class TestLora(_OfFolder):
    options = {"trainable": "lora", "lora_rank": 2}  # noqa: RUF012


class TestFull(_OfFolder):
    options = {"trainable": "full"}  # noqa: RUF012


class TestFewLayers(_OfFolder):
    options = {"layers": ["up_blocks.1.resnets.0", "down_blocks.1.resnets.1", "mid_block.resnets.1"]}  # noqa: RUF012


class TestEncoderLayers(_OfFolder):
    options = {"layers": ["vae.down_blocks.1.resnets.0", "up_blocks.1.resnets.0"]}  # noqa: RUF012


def test_sd_layers(folders):
    layers = load_diffusion(folders["sd"]).layers
    assert [layer.stride for layer in layers] == [64] * 3 + [32] * 3 + [16] * 3 + [8] * 3
    assert [layer.channels for layer in layers] == [32] * 6 + [16] * 3 + [8] * 3
    assert layers[3].name == "up_blocks.1.resnets.0"


def test_xl_layers(folders):
    layers = load_diffusion(folders["xl"]).layers
    assert [layer.stride for layer in layers] == [32] * 3 + [16] * 3 + [8] * 3
    assert [layer.channels for layer in layers] == [32] * 3 + [16] * 3 + [8] * 3


def test_layers_come_in_the_networks_order(folders):
    names = ["up_blocks.1.resnets.0", "down_blocks.1.resnets.1", "mid_block.resnets.1"]
    layers = load_diffusion(folders["sd"], layers=names).layers
    assert [(layer.name, layer.stride) for layer in layers] == [
        ("down_blocks.1.resnets.1", 16),
        ("mid_block.resnets.1", 64),
        ("up_blocks.1.resnets.0", 32),
    ]


def test_a_map_is_the_second_convolutions_output(backbone, images):
    """Checked against the residual sum: block output = (shortcut(input) + map) / scale."""
    seen = {}
    block = backbone.unet.up_blocks[1].resnets[2]
    handle = block.register_forward_hook(lambda module, args, output: seen.update(input=args[0], output=output))
    features = backbone.features(images)
    handle.remove()
    skip = block.conv_shortcut(seen["input"])
    expected = seen["output"] * block.output_scale_factor - skip
    torch.testing.assert_close(features.maps["up_blocks.1.resnets.2"], expected, rtol=1e-4, atol=1e-5)


def test_perception_equals_denoising_the_latent(backbone, images):
    latents = backbone.encode_image(images)
    output, features, embedding = backbone.denoise(latents, 1, ["", ""])
    assert output.shape == latents.shape == (2, 4, 6, 10)
    perceived = backbone.features(images)
    torch.testing.assert_close(embedding, perceived.time_embedding)
    for name, maps in perceived.maps.items():
        torch.testing.assert_close(maps, features.maps[name], rtol=1e-4, atol=1e-5)


def test_denoise_equals_the_plain_unet(folders):
    """SD 1.x: nothing but the U-Net's own call, with the prompt embedded by hand."""
    backbone = load_diffusion(folders["sd"])
    x_t = torch.randn(1, 4, 8, 8)
    ids = backbone.tokenizers[0](["a cat"], padding="max_length", max_length=77, return_tensors="pt").input_ids
    tokens = backbone.text_encoders[0](ids)[0]
    expected = backbone.unet(x_t, 261, encoder_hidden_states=tokens).sample
    torch.testing.assert_close(backbone.denoise(x_t, 261, ["a cat"])[0], expected)


def test_xl_is_conditioned_as_by_its_pipeline(folders):
    from diffusers import StableDiffusionXLPipeline

    pipeline = StableDiffusionXLPipeline.from_pretrained(folders["xl"])
    backbone = load_diffusion(folders["xl"])
    tokens, _, pooled, _ = pipeline.encode_prompt("a cat", do_classifier_free_guidance=False)
    embedding = backbone.embed_text(["a cat"])
    torch.testing.assert_close(embedding.tokens, tokens)
    torch.testing.assert_close(embedding.pooled, pooled)
    time_ids = torch.tensor([[64.0, 128, 0, 0, 64, 128]])
    x_t = torch.randn(1, 4, 8, 16)
    expected = pipeline.unet(
        x_t, 7, encoder_hidden_states=tokens, added_cond_kwargs={"text_embeds": pooled, "time_ids": time_ids}
    ).sample
    torch.testing.assert_close(backbone.denoise(x_t, 7, ["a cat"])[0], expected)


def test_time_embedding_is_what_the_unet_used(backbone):
    unet = backbone.unet
    x_t = torch.randn(2, 4, 8, 8)
    embedding = backbone.denoise(x_t, torch.tensor([3, 700]))[2]
    plain = unet.time_embedding(unet.time_proj(torch.tensor([3, 700])))
    if backbone.is_xl:
        assert not torch.allclose(embedding, plain)
        text = backbone.embed_text([""]).pooled.expand(2, -1)
        sizes = unet.add_time_proj(torch.tensor([64.0, 64, 0, 0, 64, 64] * 2)).reshape(2, -1)
        plain = plain + unet.add_embedding(torch.cat([text, sizes], -1))
    torch.testing.assert_close(embedding, plain)


def test_reversed_time_embedding(folder, images):
    """As the heads of Readout Guidance were trained: of 1000 - t, and without what SDXL adds to it."""
    own, reversed_ = load_diffusion(folder), load_diffusion(folder, time_embedding="reversed")
    ours, theirs = own.features(images, torch.tensor([1, 300])), reversed_.features(images, torch.tensor([1, 300]))
    for name, maps in ours.maps.items():
        assert torch.equal(maps, theirs.maps[name])
    unet = own.unet
    expected = unet.time_embedding(unet.time_proj(torch.tensor([999, 700])))
    torch.testing.assert_close(theirs.time_embedding, expected)
    assert not torch.allclose(ours.time_embedding, expected)
    assert own.fingerprint() != reversed_.fingerprint()
    assert own.weights_hash() == reversed_.weights_hash()


def test_timesteps_may_differ_within_a_batch(backbone, images):
    both = backbone.features(images, timestep=torch.tensor([1, 500]))
    late = backbone.features(images[1:], timestep=500)
    for name, maps in late.maps.items():
        torch.testing.assert_close(both.maps[name][1:], maps, rtol=1e-3, atol=1e-4)


def test_noise_is_the_callers_and_follows_the_schedule(backbone, images):
    latents = backbone.encode_image(images)
    noise = torch.randn_like(latents)
    alpha_bar = backbone.scheduler.alphas_cumprod[400]
    x_t = alpha_bar.sqrt() * latents + (1 - alpha_bar).sqrt() * noise
    torch.testing.assert_close(backbone.add_noise(latents, noise, 400), x_t)
    expected = backbone.denoise(x_t, 400)[1]
    noised = backbone.features(images, timestep=400, noise=noise)
    for name, maps in noised.maps.items():
        torch.testing.assert_close(maps, expected.maps[name], rtol=1e-4, atol=1e-5)


def test_the_encoders_maps_are_its_blocks_outputs_whatever_the_noise(folder, images):
    names = ["vae.down_blocks.0.resnets.0", "vae.down_blocks.2.resnets.0"]
    backbone = load_diffusion(folder, layers=[*names, "mid_block.resnets.1"])
    assert [layer.stride for layer in backbone.layers] == [1, 4, backbone.layers[-1].stride]
    noise = torch.randn(len(images), *backbone.latent_shape(images.shape[-2:]))
    maps = backbone.features(images, timestep=500, noise=noise).maps
    encoder = backbone.vae.encoder
    first = encoder.down_blocks[0].resnets[0](encoder.conv_in(images * 2 - 1), None)
    torch.testing.assert_close(maps[names[0]], first)
    deep = encoder.down_blocks[1](encoder.down_blocks[0](encoder.conv_in(images * 2 - 1)))
    torch.testing.assert_close(maps[names[1]], encoder.down_blocks[2].resnets[0](deep, None))
    with pytest.raises(ConfigError, match=r"vae\.down_blocks\.0\.resnets\.0 is read from an image"):
        backbone.read_latents(noise, 500)


def test_encoder_layers_alone_need_no_unet(folder, images):
    backbone = load_diffusion(folder, layers=["vae.down_blocks.0.resnets.0"])
    backbone.unet.mid_block.register_forward_hook(lambda *_: pytest.fail("the U-Net was run"))
    found = backbone.features(images)
    assert list(found.maps) == ["vae.down_blocks.0.resnets.0"]
    assert found.time_embedding is not None


def test_prompts_matter(backbone, images):
    empty, cat = backbone.features(images), backbone.features(images, text=["a cat", ""])
    last = backbone.layers[-2].name
    assert (empty.maps[last][0] - cat.maps[last][0]).abs().mean() > 1.2e-3  # a tenth of what it is
    torch.testing.assert_close(empty.maps[last][1], cat.maps[last][1])


def test_computing_stops_after_the_last_layer_in_use(folder, images):
    backbone = load_diffusion(folder, layers=["up_blocks.0.resnets.1"])
    called = []
    for name in ["up_blocks.0.resnets.1", "up_blocks.0.resnets.2", "up_blocks.1", "conv_out"]:
        backbone.unet.get_submodule(name).register_forward_hook(lambda *_, name=name: called.append(name))
    backbone.features(images)
    assert called == []  # not even the block's own residual sum
    backbone.denoise(backbone.encode_image(images), 1)
    assert called == ["up_blocks.0.resnets.1", "up_blocks.0.resnets.2", "up_blocks.1", "conv_out"]


def test_no_hook_stays_behind(backbone, images):
    backbone.features(images)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in backbone.unet.modules())


def test_an_error_inside_the_unet_is_not_swallowed(backbone):
    with pytest.raises(RuntimeError):
        backbone.denoise(torch.zeros(1, 3, 8, 8), 1)
    assert not any(module._forward_hooks for module in backbone.unet.modules())


@pytest.mark.parametrize("stop", [True, False])
def test_gradients_are_the_same_under_checkpointing(folder, stop):
    """Checkpointing runs the blocks, and their hooks, a second time in the backward pass."""
    backbone = load_diffusion(folder, layers=["up_blocks.0.resnets.1", "up_blocks.1.resnets.0"])
    x_t = torch.randn(1, 4, 8, 8)
    results = []
    for checkpointed in (False, True):
        if checkpointed:
            backbone.unet.enable_gradient_checkpointing()
            backbone.unet.train()
        x = x_t.clone().requires_grad_(True)
        _, features = backbone._run(x, 1, None, stop=stop)
        loss = sum(maps.square().mean() for maps in features.maps.values())
        loss.backward()
        results.append((loss.detach(), x.grad))
    torch.testing.assert_close(results[0], results[1])


def test_backward_inside_the_capture_changes_nothing(folders):
    backbone = load_diffusion(folders["sd"])
    backbone.unet.enable_gradient_checkpointing()
    backbone.unet.train()
    x = torch.randn(1, 4, 8, 8, requires_grad=True)
    tokens = backbone.embed_text([""]).tokens
    with capture(backbone.unet, ["up_blocks.1.resnets.0"], stop=False) as captured:
        output = backbone.unet(x, 1, encoder_hidden_states=tokens).sample
        before = captured.maps["up_blocks.1.resnets.0"]
        output.mean().backward()
        assert captured.maps["up_blocks.1.resnets.0"] is before


def test_nothing_is_kept_for_gradients_unless_asked(backbone, images):
    features = backbone.features(images)
    assert not any(maps.requires_grad for maps in features.maps.values())


@pytest.mark.parametrize("size", [(240, 320), (56, 104), (8, 8)])
def test_any_multiple_of_the_autoencoders_stride_will_do(backbone, size):
    maps = backbone.features(torch.rand(1, 3, *size)).maps
    for name, channels, expected in backbone.layer_table(size):
        assert maps[name].shape == (1, channels, *expected)


def test_latents_are_scaled_modes(folders, images):
    backbone = load_diffusion(folders["sd"])
    mode = backbone.vae.encode(images * 2 - 1).latent_dist.mode()
    torch.testing.assert_close(backbone.encode_image(images), mode * 0.18215)
    decoded = backbone.decode_latent(mode * 0.18215)
    torch.testing.assert_close(decoded, backbone.vae.decode(mode).sample / 2 + 0.5)
    backbone.vae.register_to_config(shift_factor=0.25)
    torch.testing.assert_close(backbone.encode_image(images), (mode - 0.25) * 0.18215)
    torch.testing.assert_close(backbone.decode_latent((mode - 0.25) * 0.18215), decoded)
    backbone.vae.register_to_config(latents_mean=[0.1] * 4, latents_std=[2.0] * 4)
    latents = backbone.encode_image(images)
    torch.testing.assert_close(latents, (mode - 0.1) / 2 * 0.18215)
    torch.testing.assert_close(backbone.decode_latent(latents), decoded)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_leaves_the_vae_alone(folder, images, dtype):
    exact, half = load_diffusion(folder), load_diffusion(folder, dtype=dtype)
    assert half.vae.dtype == torch.float32
    assert half.unet.dtype == getattr(torch, dtype)
    assert torch.equal(exact.encode_image(images), half.encode_image(images))
    features, expected = half.features(images), exact.features(images)
    for name, maps in features.maps.items():
        assert maps.dtype == half.unet.dtype
        error = (maps.float() - expected.maps[name]).norm() / expected.maps[name].norm()
        assert error < 0.05, name


def test_casting_the_whole_never_casts_the_vae(folders):
    backbone = load_diffusion(folders["sd"])
    before = {name: tensor.clone() for name, tensor in backbone.vae.state_dict().items()}
    backbone.half()
    assert backbone.unet.dtype == torch.float16
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.vae.state_dict().items())


def test_random_weights(folder):
    trained, random = load_diffusion(folder), load_diffusion(folder, random_weights=True, seed=1)
    again, other = (load_diffusion(folder, random_weights=True, seed=seed) for seed in (1, 2))
    assert random.layers == trained.layers
    shapes = [{name: tensor.shape for name, tensor in b.state_dict().items()} for b in (trained, random)]
    assert shapes[0] == shapes[1]
    assert len({trained.fingerprint(), random.fingerprint(), other.fingerprint()}) == 3
    assert random.fingerprint() == again.fingerprint()
    for part in ("unet", "vae", "text_encoders"):
        tensors = zip(getattr(trained, part).parameters(), getattr(random, part).parameters(), strict=True)
        assert any(not torch.equal(a, b) for a, b in tensors), part


def test_random_weights_leave_the_global_generator_alone(folders):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load_diffusion(folders["sd"], random_weights=True)
    load_diffusion(folders["sd"], trainable="lora")
    assert torch.equal(torch.rand(1), expected)


def test_lora(folder, images):
    frozen, adapted = load_diffusion(folder), load_diffusion(folder, trainable="lora", lora_rank=2)
    trained = {name: p for name, p in adapted.named_parameters() if p.requires_grad}
    assert trained
    assert all(".lora_" in name and ".attentions." in name and name.startswith("unet.") for name in trained)
    before, start = frozen.features(images), adapted.features(images)
    for name in before.maps:
        torch.testing.assert_close(before.maps[name], start.maps[name])
    name = adapted.layers[-1].name
    optimizer = torch.optim.SGD(trained.values(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        adapted.features(images).maps[name].square().mean().backward()
        assert not any(p.grad is not None for p in adapted.parameters() if not p.requires_grad)
        optimizer.step()
    assert not torch.allclose(adapted.features(images).maps[name], before.maps[name])


def test_adapters_of_a_unet_in_half_precision_learn_in_single(folders, images):
    backbone = load_diffusion(folders["sd"], trainable="lora", dtype="bfloat16")
    assert all(p.dtype == torch.float32 for p in backbone.parameters() if p.requires_grad)
    backbone.features(images).maps["up_blocks.3.resnets.2"].float().square().mean().backward()


def test_full_trains_the_unet_only(folder):
    backbone = load_diffusion(folder, trainable="full").train()
    trained = {name.split(".")[0] for name, p in backbone.named_parameters() if p.requires_grad}
    assert trained == {"unet"}
    assert backbone.unet.training
    assert not backbone.vae.training
    assert not backbone.text_encoders[0].training


def test_full_in_half_precision_is_refused(folders):
    with pytest.raises(ConfigError, match="small updates are rounded away"):
        load_diffusion(folders["sd"], trainable="full", dtype="float16")


def test_fingerprint_depends_on_settings(folders):
    options = [{}, {"timestep": 2}, {"layers": ["up_blocks.0.resnets.0"]}, {"dtype": "bfloat16"}]
    assert len({load_diffusion(folders["sd"], **option).fingerprint() for option in options}) == len(options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ["up_blocks.1.resnet.0"]}, "the backbone has no layer 'up_blocks.1.resnet.0'"),
        ({"layers": []}, "no layer is asked for"),
        ({"timestep": 1000}, r"timestep 1000 lies outside 0\.\.999"),
        ({"dtype": "fp16"}, "unknown dtype 'fp16'"),
    ],
)
def test_bad_options(folders, options, message):
    with pytest.raises(ConfigError, match=message):
        load_diffusion(folders["sd"], **options)


def test_a_nearby_layer_is_suggested(folders):
    with pytest.raises(ConfigError) as caught:
        load_diffusion(folders["sd"], layers=["up_blocks.1.resnet.0"])
    assert caught.value.hint == "did you mean up_blocks.1.resnets.0?"


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(RunError, match="there is no such backbone folder") as caught:
        load_diffusion(tmp_path / "nothing")
    assert "hub id" in caught.value.hint


def test_hub_id_that_is_not_cached():
    with pytest.raises(RunError, match="not in the local cache, and could not be downloaded") as caught:
        load_diffusion("runwayml/stable-diffusion-v1-5", local_files_only=True)
    assert caught.value.where == "stable-diffusion-v1-5/stable-diffusion-v1-5"


def test_folder_without_index(tmp_path):
    with pytest.raises(RunError, match=r"it has no model_index\.json"):
        load_diffusion(tmp_path)


@pytest.fixture
def copy(folders, tmp_path):
    return shutil.copytree(folders["sd"], tmp_path / "copy")


def test_missing_part(copy):
    shutil.rmtree(copy / "vae")
    with pytest.raises(RunError, match="the pipeline lacks vae"):
        load_diffusion(copy)


def test_missing_weights(copy):
    next((copy / "unet").glob("*.safetensors")).unlink()
    with pytest.raises(RunError, match="the pipeline's unet has no safetensors weights"):
        load_diffusion(copy)
    load_diffusion(copy, random_weights=True)  # random weights need none


def test_missing_vocabulary(copy):
    for file in (copy / "tokenizer").iterdir():
        file.unlink()
    with pytest.raises(RunError, match="the pipeline's tokenizer has no vocabulary"):
        load_diffusion(copy)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize("keep", [0, 0.5])
def test_truncated_weights(copy, part, keep):
    path = next((copy / part).glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(RunError, match=f"the pipeline's {part} could not be read"):
        load_diffusion(copy)


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_weights_of_another_shape(copy, part):
    key = "hidden_size" if part == "text_encoder" else "cross_attention_dim"
    edit_json(copy / part / "config.json", **{key: 24})
    with pytest.raises(RunError, match=f"the pipeline's {part} could not be read"):
        load_diffusion(copy)


def test_weights_that_lack_a_tensor(copy):
    from safetensors.torch import load_file, save_file

    for part, tensor in (("text_encoder", "final_layer_norm.weight"), ("unet", "conv_in.weight")):
        path = next((copy / part).glob("*.safetensors"))
        kept = {name: t for name, t in load_file(path).items() if not name.endswith(tensor)}
        save_file(kept, path, metadata={"format": "pt"})
        with pytest.raises(RunError, match=f"the pipeline's {part}"):
            load_diffusion(copy)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"addition_embed_type": "image"}, "its added embedding is 'image'"),
        ({"class_embed_type": "projection"}, "it is conditioned on a class"),
        ({"in_channels": 9}, "it takes 9 channels, and a latent has 4"),
    ],
)
def test_other_families_are_refused(folders, changes, problem):
    from gensight.backbones.diffusion import DiffusionBackbone
    from gensight.backbones.pretrained import load_parts

    parts = load_parts(folders["sd"], torch.float32, False, 0)
    parts.unet.register_to_config(**changes)
    with pytest.raises(RunError, match=problem):
        DiffusionBackbone(parts)


def test_unsupported_part(copy):
    content = json.loads((copy / "model_index.json").read_text())
    edit_json(copy / "model_index.json", unet=[content["unet"][0], "FluxTransformer2DModel"])
    with pytest.raises(RunError, match="unet is a FluxTransformer2DModel, which is not supported"):
        load_diffusion(copy)


def test_damaged_index(copy):
    (copy / "model_index.json").write_text("{")
    with pytest.raises(RunError, match="not valid JSON"):
        load_diffusion(copy)


def test_fp16_variant_files(copy):
    for path in copy.rglob("*.safetensors"):
        path.rename(path.with_name(path.stem + ".fp16.safetensors"))
    assert load_diffusion(copy).unet.dtype == torch.float32
