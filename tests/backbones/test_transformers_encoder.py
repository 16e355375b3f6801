"""Image encoders of the transformers library: the same numbers as their own classes, from the same files."""

import json
from pathlib import Path

import pytest
import torch
import transformers as t

from gensight.backbones.transformers_encoder import TransformersEncoder, load_transformers
from gensight.errors import ConfigError, RunError
from tests.contracts.backbone import BackboneContract

RESNET = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
STAGES = {"hidden_sizes": [8, 8, 12], "depths": [1, 1, 1]}
CONVNEXT = {**STAGES, "num_stages": 3}
VIT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 32,
       "patch_size": 8}  # fmt: skip
DEEP = {**VIT, "num_hidden_layers": 5, "mlp_ratio": 2}
TEXT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 8}
NAFLEX = {**{key: value for key, value in DEEP.items() if key != "image_size"}, "num_patches": 16}
# Each family as it is published: class and configuration.
PUBLISHED = {
    "resnet": (t.ResNetForImageClassification, t.ResNetConfig, RESNET),
    "convnext": (t.ConvNextForImageClassification, t.ConvNextConfig, CONVNEXT),
    "convnextv2": (t.ConvNextV2ForImageClassification, t.ConvNextV2Config, CONVNEXT),
    "dinov3_convnext": (t.DINOv3ConvNextModel, t.DINOv3ConvNextConfig, STAGES),
    "vit": (t.ViTForImageClassification, t.ViTConfig, DEEP),
    "dinov2": (t.Dinov2Model, t.Dinov2Config, DEEP),
    "dinov2_with_registers": (t.Dinov2WithRegistersModel, t.Dinov2WithRegistersConfig, DEEP),
    "dinov3_vit": (t.DINOv3ViTModel, t.DINOv3ViTConfig, {**DEEP, "num_register_tokens": 4}),
    "siglip": (t.SiglipModel, t.SiglipConfig, {"vision_config": DEEP, "text_config": TEXT}),
    "siglip_vision_model": (t.SiglipVisionModel, t.SiglipVisionConfig, DEEP),
    "siglip2": (t.Siglip2Model, t.Siglip2Config, {"vision_config": NAFLEX, "text_config": TEXT}),
    "siglip2_vision_model": (t.Siglip2VisionModel, t.Siglip2VisionConfig, NAFLEX),
}
SIZE = (48, 80)


def save(folder: Path, family: str = "resnet", num_labels: int = 3) -> Path:
    """A folder with a tiny classifier."""
    if not folder.is_dir():
        torch.manual_seed(0)
        labels = {number: str(number) for number in range(num_labels)}
        if family == "resnet":
            model = t.ResNetForImageClassification(t.ResNetConfig(**RESNET, id2label=labels))
        else:
            model = t.ViTForImageClassification(t.ViTConfig(**VIT, id2label=labels))
        model.save_pretrained(folder)
    return folder


def publish(folder: Path, family: str) -> Path:
    """A folder with a tiny model of a family, in its published format; its weights are far from an identity."""
    if not folder.is_dir():
        model_class, config_class, values = PUBLISHED[family]
        model = model_class(config_class(**values))
        generator = torch.Generator().manual_seed(0)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, 0.05, 0.2, generator=generator)
        model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("published")
    for family in PUBLISHED:
        publish(root / family, family)
    return root


def plain_maps(folder: Path, images: torch.Tensor) -> list[torch.Tensor]:
    """What the library's own forward pass gives after each block or stage, normed and cut as its family asks for."""
    model = t.AutoModel.from_pretrained(folder).eval()
    model = getattr(model, "vision_model", model)
    kind, (rows, columns) = model.config.model_type, (SIZE[0] // 8, SIZE[1] // 8)
    arguments = {"pixel_values": images, "output_hidden_states": True}
    if kind in ("vit", "siglip_vision_model"):
        arguments["interpolate_pos_encoding"] = True
    if kind == "siglip2_vision_model":
        patches = [
            torch.stack([image[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8].permute(1, 2, 0).flatten()
                         for row in range(rows) for column in range(columns)])
            for image in images
        ]  # fmt: skip
        arguments |= {"pixel_values": torch.stack(patches), "spatial_shapes": torch.tensor([[rows, columns]] * 2),
                      "pixel_attention_mask": torch.ones(2, rows * columns)}  # fmt: skip
    states = model(**arguments).hidden_states[1:]
    if states[0].ndim == 4:
        return list(states)
    norm = next(getattr(model, name) for name in ("layernorm", "norm", "post_layernorm") if hasattr(model, name))
    return [norm(one)[:, -rows * columns :].reshape(2, rows, columns, 16).permute(0, 3, 1, 2) for one in states]


@pytest.mark.parametrize("family", PUBLISHED)
def test_every_map_is_that_of_the_librarys_own_forward_pass(published: Path, family: str) -> None:
    backbone = load_transformers(str(published / family), trainable="frozen")
    every = backbone.every_layer
    backbone.read_layers([layer.name for layer in every])
    images = torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = plain_maps(published / family, (images - backbone.mean) / backbone.std)
        maps = backbone.features(images).maps
    assert len(expected) == len(every) == len(maps)
    for layer, one in zip(every, expected, strict=True):
        assert one.shape[-2:] == (SIZE[0] // layer.stride, SIZE[1] // layer.stride)
        torch.testing.assert_close(maps[layer.name], one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", PUBLISHED)
def test_cells_lie_where_the_image_differs(published: Path, family: str) -> None:
    """Another left half, or another upper half, changes the cells there more than the others."""
    first = load_transformers(str(published / family), trainable="frozen").every_layer[0].name
    backbone = load_transformers(str(published / family), trainable="frozen", layers=[first])
    images = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    left, upper = images.clone(), images.clone()
    left[..., :40] = 1 - left[..., :40]
    upper[..., :24, :] = 1 - upper[..., :24, :]
    with torch.no_grad():
        plain, *others = (backbone.features(one).maps[first] for one in (images, left, upper))
    by_column, by_row = ((other - plain).abs().mean((0, 1, axis)) for other, axis in zip(others, (2, 3), strict=True))
    for change in (by_column, by_row):
        half = len(change) // 2
        assert change[:half].mean() > 1.5 * change[half:].mean()


@pytest.mark.parametrize("family", PUBLISHED)
def test_the_default_is_every_stage_or_each_quarter_of_the_blocks(published: Path, family: str) -> None:
    names = [layer.name for layer in load_transformers(str(published / family)).layers]
    depth = {"resnet": 2}.get(family, 3)
    assert names == (
        [f"stage{number + 1}" for number in range(depth)] if family.endswith(("net", "next", "v2")) and "dinov2" not in
        family else ["block1", "block2", "block4", "block5"]
    )  # fmt: skip


def test_quarters_of_the_usual_depths() -> None:
    vit = t.ViTModel(t.ViTConfig(**{**VIT, "num_hidden_layers": 24}), add_pooling_layer=False)
    assert [one.name for one in TransformersEncoder(vit, (0.5,) * 3, (0.5,) * 3).layers] == [
        "block6", "block12", "block18", "block24"
    ]  # fmt: skip


def test_positions_of_dinov3_are_not_jittered_in_training(published: Path) -> None:
    backbone = load_transformers(str(published / "dinov3_vit")).train()
    assert backbone.model.training
    assert not backbone.model.rope_embeddings.training


def test_an_unknown_layer_is_refused(published: Path) -> None:
    with pytest.raises(ConfigError, match="no layer 'block7'"):
        load_transformers(str(published / "dinov2"), layers=["block7"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("encoders")
    for family in ("resnet", "vit"):
        save(root / family, family)
    return root


class TestResNet(BackboneContract):
    def make(self) -> TransformersEncoder:
        model = t.ResNetForImageClassification(t.ResNetConfig(**RESNET))
        for parameter in model.parameters():  # the same at each call
            torch.nn.init.normal_(parameter, std=0.2, generator=torch.Generator().manual_seed(parameter.numel()))
        return TransformersEncoder(model.resnet, (0.5,) * 3, (0.25,) * 3)


class TestFrozenViT(BackboneContract):
    def make(self) -> TransformersEncoder:
        model = t.ViTForImageClassification(t.ViTConfig(**VIT))
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.2, generator=torch.Generator().manual_seed(parameter.numel()))
        return TransformersEncoder(model.vit, (0.5,) * 3, (0.5,) * 3, trainable=False)


@pytest.mark.parametrize("family", PUBLISHED)
def test_pooled_features_are_the_familys_own(published: Path, family: str) -> None:
    backbone = load_transformers(str(published / family), trainable="frozen")
    images = torch.rand(2, 3, *SIZE)
    pooled = backbone.pooled(images)
    assert pooled.shape == (2, backbone.pooled_channels)
    assert not torch.allclose(pooled[0], pooled[1])


class TestDinov2WithRegisters(BackboneContract):
    family = "dinov2_with_registers"

    @pytest.fixture(autouse=True, scope="class")
    def _folder(self, published: Path, request: pytest.FixtureRequest) -> None:
        request.cls.folder = published

    def make(self) -> TransformersEncoder:
        return load_transformers(str(self.folder / self.family), trainable="frozen")


class TestDinov3ConvNext(TestDinov2WithRegisters):
    family = "dinov3_convnext"
    size = (48, 80)


class TestSiglip2(TestDinov2WithRegisters):
    family = "siglip2"

    def test_fingerprint_is_of_the_weights(self, backbone: TransformersEncoder) -> None:
        assert self.make().fingerprint() == backbone.fingerprint()


@pytest.mark.parametrize(("family", "kind"), [("resnet", "ResNet"), ("vit", "ViT")])
def test_pooled_features_are_what_the_librarys_classifier_reads(folder: Path, family: str, kind: str) -> None:
    backbone = load_transformers(str(folder / family))
    whole = getattr(t, f"{kind}ForImageClassification").from_pretrained(folder / family).eval()
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    pooled = backbone.pooled(images)
    assert pooled.shape == (2, backbone.pooled_channels)
    expected = whole(pixel_values=(images - backbone.mean) / backbone.std).logits
    torch.testing.assert_close(whole.classifier(pooled.view(*pooled.shape, 1, 1) if family == "resnet" else pooled),
                               expected)  # fmt: skip


def test_pooling_is_the_mean_over_the_cells_of_resnets_map(folder: Path) -> None:
    backbone, images = load_transformers(str(folder / "resnet")), torch.rand(2, 3, 32, 48)
    [*_, last] = backbone.features(images).maps.values()
    torch.testing.assert_close(backbone.pooled(images), last.mean((-2, -1)))


def test_layers_and_inputs_are_read_from_the_files(folder: Path, tmp_path: Path) -> None:
    resnet, vit = (load_transformers(str(folder / family)) for family in ("resnet", "vit"))
    assert [(one.name, one.channels, one.stride) for one in resnet.layers] == [("stage1", 8, 4), ("stage2", 16, 8)]
    assert [(one.name, one.channels, one.stride) for one in vit.layers] == [("block1", 16, 8)]
    assert resnet.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert vit.std.flatten().tolist() == [0.5, 0.5, 0.5]
    own = save(tmp_path / "own")
    (own / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.1, 0.2, 0.3]}))
    assert load_transformers(str(own)).mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])


def test_an_encoder_without_a_classifier_is_read_as_well(folder: Path, tmp_path: Path) -> None:
    t.ViTModel.from_pretrained(folder / "vit", add_pooling_layer=True).save_pretrained(tmp_path / "bare")
    images = torch.rand(1, 3, 32, 32)
    one, other = (load_transformers(str(place)).pooled(images) for place in (folder / "vit", tmp_path / "bare"))
    assert torch.equal(one, other)


def test_random_weights_need_a_config_or_an_architecture_only(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((folder / "resnet/config.json").read_text())
    prints = [load_transformers(str(tmp_path), random_weights=True, seed=seed).fingerprint() for seed in (0, 0, 1)]
    assert prints[0] == prints[1] != prints[2]
    *_, layer = load_transformers("resnet-50", random_weights=True).layers
    assert (layer.channels, layer.stride) == (2048, 32)
    with pytest.raises(ConfigError, match="`vit-b-16` names an architecture, not weights"):
        load_transformers("vit-b-16")


def test_batch_statistics_of_a_frozen_one_stay(folder: Path) -> None:
    frozen = load_transformers(str(folder / "resnet"), trainable="frozen").train()
    before = frozen.fingerprint()
    frozen.pooled(torch.rand(4, 3, 32, 32))
    assert frozen.fingerprint() == before


def test_what_cannot_be_read_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"config\.json can't be read"):
        load_transformers(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(RunError, match="a model of type 'bert' is no backbone here"):
        load_transformers(str(tmp_path))
    (tmp_path / "config.json").write_text((folder / "vit/config.json").read_text())
    with pytest.raises(RunError, match="the model's weights are missing"):
        load_transformers(str(tmp_path))
    own = save(tmp_path / "own")
    (own / "preprocessor_config.json").write_text(json.dumps({"image_std": [0, 1, 1]}))
    with pytest.raises(RunError, match="no three numbers each"):
        load_transformers(str(own))
