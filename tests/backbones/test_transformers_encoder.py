"""ResNet and ViT of the transformers library: the same numbers as their own classifiers, from the same files."""

import json
from pathlib import Path

import pytest
import torch
import transformers as t

from gensight.backbones.transformers_encoder import TransformersEncoder, load_transformers
from gensight.errors import ConfigError, RunError
from tests.contracts.backbone import BackboneContract

RESNET = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
VIT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 32,
       "patch_size": 8}  # fmt: skip


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
    torch.testing.assert_close(backbone.pooled(images), super(TransformersEncoder, backbone).pooled(images))


def test_layers_and_inputs_are_read_from_the_files(folder: Path, tmp_path: Path) -> None:
    resnet, vit = (load_transformers(str(folder / family)) for family in ("resnet", "vit"))
    assert [(one.name, one.channels, one.stride) for one in resnet.layers] == [("stage2", 16, 8)]
    assert [(one.name, one.channels, one.stride) for one in vit.layers] == [("tokens", 16, 8)]
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
    [layer] = load_transformers("resnet-50", random_weights=True).layers
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
