"""Config -> objects: every field feeds something, and combinations that cannot work are refused."""

import inspect
from pathlib import Path
from typing import get_args

import pytest

from gensight.assembly.backbones import build_backbone, resolve_preset
from gensight.assembly.encodings import build_encoding, build_skeleton
from gensight.assembly.methods import build_method
from gensight.assembly.readers import build_readers
from gensight.assembly.training_settings import build_optimisation
from gensight.backbones.diffusion import load_diffusion, load_tiny
from gensight.backbones.presets import Preset
from gensight.backbones.scratch import ScratchEncoder
from gensight.backbones.transformers_encoder import load_transformers
from gensight.config.classifier import TransformersConfig
from gensight.config.data import (
    Ap10kData,
    DavisData,
    ListsSplit,
    OrderSplit,
    PuppetsData,
    RgbdData,
    SpairData,
    VideosSplit,
    VocData,
)
from gensight.config.fields import SamplerName, Section
from gensight.config.loading.loader import load_recipe
from gensight.config.schema import (
    AugmentConfig,
    DiffusersConfig,
    HeatmapConfig,
    ReadoutConfig,
    RunConfig,
    ScratchConfig,
    TinyConfig,
    TrainingConfig,
)
from gensight.diffusion.sampling import SAMPLERS
from gensight.encodings.edge_image import EdgeImage
from gensight.encodings.heatmap import Heatmap
from gensight.engine.module import Optimisation
from gensight.errors import ConfigError
from gensight.methods.readout.method import Readout
from gensight.readers.ap10k.reader import Ap10kReader
from gensight.readers.davis.reader import DavisReader
from gensight.readers.davis.writer import write_davis
from gensight.readers.puppets import PuppetsReader
from gensight.readers.rgbd.reader import RgbdReader
from gensight.readers.rgbd.writer import write_rgbd
from gensight.readers.spair.reader import SpairReader
from gensight.readers.voc.reader import VocReader
from gensight.skeletons import NAMED
from gensight.transforms.augmentation import Augmentation

FED_ELSEWHERE = {
    "timesteps": "the part of each head",
    "id": "the first argument",
    "max_minutes": "the engine's schedule",
    "batch_size": "the draw order",
    "epochs": "becomes steps when training begins",
    "workers": "the machine",
    "precision": "the machine",
    "devices": "the machine",
    "num_nodes": "the machine",
    "validate_every": "the engine's schedule",
}


@pytest.mark.parametrize(
    ("section", "target"),
    [
        (AugmentConfig, Augmentation),
        (HeatmapConfig, Heatmap),
        (ReadoutConfig, Readout),
        (TinyConfig, load_tiny),
        (DiffusersConfig, load_diffusion),
        (ScratchConfig, ScratchEncoder),
        (TransformersConfig, load_transformers),
        (TrainingConfig, Optimisation),
    ],
)
def test_every_field_feeds_a_parameter(section: type[Section], target: object) -> None:
    signature = inspect.signature(target)  # type: ignore[arg-type]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    fields = set(section.model_fields) - {"kind"} - set(FED_ELSEWHERE)
    assert open_ended or fields <= set(signature.parameters)


def config(**sections: object) -> RunConfig:
    data = PuppetsData(num_train=3, num_validation=2, num_test=1, size=(32, 32))
    return RunConfig.model_validate({"data": data, **sections})


def test_recipes_name_every_sampler() -> None:
    assert get_args(SamplerName) == SAMPLERS


def test_optimisation_takes_the_recipe() -> None:
    training = TrainingConfig(steps=7, learning_rate=0.5, accumulate=3, ema=0.9, schedule="cosine", clip=2.0)
    built = build_optimisation(training)
    assert (built.steps, built.learning_rate, built.accumulate, built.ema, built.clip) == (7, 0.5, 3, 0.9, 2.0)


def test_puppets_parts_never_share_a_scene() -> None:
    splits = build_readers(config().data)
    keys = [sample.key for part in (splits.train, splits.validation, splits.test) if part for sample in part]
    assert len(keys) == len(set(keys)) == 6


def test_a_size_that_the_backbone_does_not_divide_is_refused() -> None:
    recipe = config(backbone={"kind": "scratch"}, view={"size": [30, 32]})
    backbone = build_backbone(recipe)
    skeleton = NAMED["coco-17"]
    with pytest.raises(ConfigError, match="is not a multiple of") as caught:
        build_method(recipe, backbone, build_encoding(recipe, skeleton))
    assert "view.size=[" in str(caught.value)


def test_initial_weights_come_from_the_seed() -> None:
    def weight(seed: int) -> float:
        recipe = config(backbone={"kind": "scratch"}, seed=seed)
        skeleton = build_skeleton(recipe, build_readers(recipe.data).train)
        method = build_method(recipe, build_backbone(recipe), build_encoding(recipe, skeleton))
        return float(sum(p.detach().sum() for p in method.heads.parameters()))

    assert weight(0) == weight(0) != weight(1)


# --- data on disk ---


def test_camera_frames_are_divided_by_time_and_videos_by_name(tmp_path: Path) -> None:
    drawn = PuppetsReader(8, seed=1, size=(32, 32), truths=("depth", "camera", "masks"), num_frames=4)
    write_rgbd(drawn, tmp_path / "rgbd")
    write_davis(drawn, tmp_path / "davis", year=2016)
    section = RgbdData(root=tmp_path / "rgbd", split=OrderSplit(train=0.5, validation=0.25, test=0.25), grid=(4, 4))
    parts = build_readers(section)
    names = [[sample.key for sample in part] for part in (parts.train, parts.validation, parts.test) if part]
    assert [len(part) for part in names] == [4, 2, 2]
    in_order = [name for part in names for name in part]
    assert in_order == sorted(in_order)
    relation = parts.train.relation(0, 3)
    assert relation is not None
    assert relation.tracks is not None
    assert relation.tracks.shape[1] <= 16
    videos = VideosSplit(test=("puppets-1_000001",), validation=0.25)
    held_out = build_readers(DavisData(root=tmp_path / "davis", split=videos, boxes=True)).test
    assert held_out is not None
    assert set(held_out.groups) == {"puppets-1_000001"}
    listed = build_readers(DavisData(root=tmp_path / "davis", year=2016, split=ListsSplit(test=None)))
    assert (len(listed.train), len(listed.validation or ()), listed.test) == (7, 1, None)


@pytest.mark.parametrize(
    ("section", "reader"),
    [(RgbdData, RgbdReader), (VocData, VocReader), (DavisData, DavisReader), (SpairData, SpairReader),
     (Ap10kData, Ap10kReader)],
)  # fmt: skip
def test_every_field_of_data_feeds_its_reader_or_the_split(section: type[Section], reader: type) -> None:
    divides = {"kind", "train", "validation", "test", "validation_share", "seed", "split"}
    assert set(section.model_fields) - divides <= set(inspect.signature(reader).parameters)


def test_a_preset_is_resolved_before_a_run_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = {"tiny": Preset(("up_blocks.1.resnets.0",), 50, "measured")}
    monkeypatch.setattr("gensight.assembly.backbones.preset", measured.get)
    config = load_recipe("demo", ["backbone.layers=preset"])
    resolved = resolve_preset(config)
    assert (resolved.backbone.layers, resolved.backbone.timestep) == (("up_blocks.1.resnets.0",), 50)
    assert load_recipe("demo").backbone == resolve_preset(load_recipe("demo")).backbone  # asked for only
    other = load_recipe("demo", ["backbone.kind=diffusers", "backbone.id=some/model", "backbone.layers=preset"])
    with pytest.raises(ConfigError, match="no preset was measured for `some/model`"):
        resolve_preset(other)


def test_an_edge_image_has_one_channel_or_three() -> None:
    assert [EdgeImage(channels=n).outputs["edges"].channels for n in (1, 3)] == [1, 3]
    with pytest.raises(ConfigError, match="1 or 3 channels"):
        EdgeImage(channels=2)
