"""Config -> objects: every field feeds something, and combinations that cannot work are refused."""

from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest
from torch import nn

from gensight import assembly
from gensight.assembly.backbones import build_backbone, resolve_preset
from gensight.assembly.encodings import build_encoding, build_skeleton
from gensight.assembly.methods import build_method
from gensight.assembly.readers import build_readers
from gensight.assembly.training_settings import build_optimisation
from gensight.assembly.views import build_augmentation
from gensight.backbones.diffusion import DiffusionBackbone, load_diffusion, load_tiny
from gensight.backbones.imagenet import ImagenetEncoder
from gensight.backbones.presets import Preset
from gensight.backbones.scratch import ScratchEncoder
from gensight.backbones.transformers_encoder import load_transformers
from gensight.config.data import Data, DavisData, ListsSplit, OrderSplit, PuppetsData, RgbdData, VideosSplit
from gensight.config.encodings import Single
from gensight.config.fields import SamplerName, Section
from gensight.config.instruct import PaintedTask
from gensight.config.loading.loader import load_recipe
from gensight.config.loading.problems import all_paths
from gensight.config.schema import AugmentConfig, Backbone, Method, RunConfig, TrainingConfig
from gensight.config.sections import kind_of, members
from gensight.diffusion.sampling import SAMPLERS
from gensight.encodings.base import Encoding
from gensight.encodings.edge_image import EdgeImage
from gensight.engine.hardware import Machine
from gensight.engine.optimisation import Optimisation
from gensight.errors import ConfigError
from gensight.loading.views import ViewPolicy
from gensight.methods.landmarks.jitter import JitterRange
from gensight.methods.landmarks.separation_loss import Adversary
from gensight.methods.readout.method import Part
from gensight.readers.base import Reader, Summary
from gensight.readers.davis.writer import write_davis
from gensight.readers.puppets import PuppetsReader
from gensight.readers.rgbd.writer import write_rgbd
from gensight.readers.splits import Subset
from gensight.samples import Sample
from gensight.skeletons import NAMED, mirror_of_pairs
from gensight.transforms.thin_plate_spline import WarpRange
from tests.assembly.spies import Spy, changes, plain, with_change

# Per kind: values besides the defaults under which its fields are changed, one after the other. A field must arrive
# under one of them.
PAINTED = {"tasks": list(get_args(PaintedTask)), "categories": ["cat", "dog"], "labels": ["cat", "dog", "cow"]}
BASES: dict[str, list[dict[str, Any]]] = {
    "heatmap": [{"skeleton": "coco-17"}],
    "points": [{"skeleton": "coco-17"}],
    "painted": [{**PAINTED, "skeleton": "coco-17"}],
    "class": [{"labels": ["cat", "dog"]}],
    "gaze-convolutional": [{}, {"weights": "microsoft/resnet-50"}],
    "gaze-diffusion": [{}, {"weights": "microsoft/resnet-50"}, {"target": "v"}],
    "gaze-frozen": [{"close_up": 2}],
    "instruct": [{}, {"way": "one-step"}],
    "landmarks": [{}, {"background": "none"}],
    "landmark-keypoints": [{}, {"landmarks": {"background": "none"}}],
    "diffusers": [{"id": "some/model"}],
    "transformers": [{"id": "some/model"}],
}
CHOOSES = {"painted.tasks", "instruct.way"}  # which constructors are called
ELSEWHERE = {
    "tiny.layers": "see the test of presets",
    "diffusers.layers": "see the test of presets",
    "transformers.layers": "see the test of an encoder's layers",
    "imagenet.layers": "see the test of an encoder's layers",
}


MADE = Encoding | ViewPolicy


class StubBackbone(DiffusionBackbone):
    """Fits every size."""

    stride = 1

    def __init__(self) -> None:
        nn.Module.__init__(self)


def unmade(module: type[nn.Module]) -> nn.Module:
    """An instance that nothing has initialised but torch."""
    made = module.__new__(module)
    nn.Module.__init__(made)
    return made


def recipe_of(kind: str, values: dict[str, Any], axis: str) -> RunConfig:
    """A recipe with that section in it, and others that go with it."""
    sections: dict[str, Any] = {axis: {"kind": kind, **values}}
    if axis == "encoding":
        takers = [kind_of(method) for method in members(Method) if kind in method.encodings]
        sections["method"] = {"kind": takers[0]}
    if axis == "method":
        (encoding,) = [next(iter(one.encodings)) for one in members(Method) if kind_of(one) == kind]
        sections["encoding"] = {"kind": encoding, **BASES.get(encoding, [{}])[0]}
        if encoding == "landmark-pairs":
            sections["encoding"] |= {"pairs": "both"}
    if sections.get("method", {}).get("kind") == "instruct":
        sections["backbone"] = {"kind": "tiny", "trainable": "full"}
    return config(**sections)


def calls_of(recipe: RunConfig, axis: str) -> Spy:
    """What the constructors of an axis get for a recipe."""
    spy = Spy()
    with pytest.MonkeyPatch.context() as patch:
        match axis:
            case "encoding":
                for module in (assembly.encodings, assembly.views):
                    spy.watch(
                        patch, module, lambda one: isinstance(one, type) and issubclass(one, Encoding | ViewPolicy)
                    )
                spy.watch(patch, assembly.encodings, lambda one: one is mirror_of_pairs)
                skeleton = assembly.encodings.build_skeleton(recipe, build_readers(recipe.data).train)
                assembly.encodings.build_encoding(recipe, skeleton)
                assembly.views.build_policy(recipe)
            case "method":
                encoding = build_encoding(recipe, NAMED["coco-17"])
                spy.watch(patch, assembly.methods, lambda one: one in (Part, WarpRange, JitterRange, Adversary))
                spy.watch(patch, assembly.methods, lambda one: isinstance(one, type) and issubclass(one, nn.Module)
                          and one not in (DiffusionBackbone, assembly.methods.Method), unmade)  # fmt: skip
                build_method(recipe, StubBackbone(), encoding)
            case "backbone":
                loaders = (load_tiny, load_diffusion, load_transformers, ScratchEncoder, ImagenetEncoder)
                spy.watch(patch, assembly.backbones, lambda one: one in loaders, lambda loader: StubBackbone())
                build_backbone(recipe)
    return spy


@pytest.mark.parametrize(
    ("axis", "section"),
    [("encoding", section) for section in members(Single)]
    + [("method", section) for section in members(Method)]
    + [("backbone", section) for section in members(Backbone)],
)
def test_every_value_of_a_recipe_arrives(axis: str, section: type[Section]) -> None:
    kind = kind_of(section)
    missing = {name for base in BASES.get(kind, [{}]) for name in fields_of(section, base)} - set(ELSEWHERE)
    for base in BASES.get(kind, [{}]):
        before = calls_of(recipe_of(kind, base, axis), axis).calls
        for path, value in changes(section, base):
            name = ".".join((kind, *path))
            if name not in missing:
                continue
            after = calls_of(recipe_of(kind, with_change(base, (path, value)), axis), axis).calls
            new = [call for call in after if call not in before]
            if any(got == plain(value) for _, _, got in new) or (new and name in CHOOSES):
                missing.discard(name)
    assert not missing


def fields_of(section: type[Section], base: dict[str, Any]) -> set[str]:
    """Dotted names of a section's fields, nested ones too."""
    kind, found = kind_of(section), set()
    for path in all_paths(section):
        inner = any(other[: len(path)] == path and len(other) > len(path) for other in all_paths(section))
        if not inner and path[-1] != "kind":
            found.add(".".join((kind, *map(str, path))))
    return found


def test_every_value_of_training_arrives() -> None:
    elsewhere = {"max_minutes", "batch_size", "epochs", "validate_every"}  # the engine's schedule and the draw order
    spy = Spy()
    for (name,), value in changes(TrainingConfig, {}):
        section = TrainingConfig.model_validate({name: value})
        with pytest.MonkeyPatch.context() as patch:
            spy.watch(patch, assembly.training_settings, lambda one: one in (Optimisation, Machine))
            assembly.training_settings.build_optimisation(section)
            assembly.training_settings.build_machine(section, "cpu")
        got = [given for _, _, given in spy.calls]
        assert name in elsewhere or plain({"bfloat16": "bf16-mixed"}.get(str(value), value)) in got, name


def test_every_value_of_augmentation_arrives() -> None:
    for (name,), value in changes(AugmentConfig, {}):
        built = build_augmentation(AugmentConfig.model_validate({name: value}))
        assert plain(getattr(built, name)) == plain(value)


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
    section = RgbdData(root=tmp_path / "rgbd", split=OrderSplit(train=0.5, validation=0.25, test=0.25))
    parts = build_readers(section)
    names = [[sample.key for sample in part] for part in (parts.train, parts.validation, parts.test) if part]
    assert [len(part) for part in names] == [4, 2, 2]
    in_order = [name for part in names for name in part]
    assert in_order == sorted(in_order)
    relation = parts.train.relation(0, 3)
    assert relation is not None
    assert relation.tracks is not None
    assert relation.tracks.shape[1] > 0
    videos = VideosSplit(test=("puppets-1_000001",), validation=0.25)
    held_out = build_readers(DavisData(root=tmp_path / "davis", split=videos)).test
    assert held_out is not None
    assert set(held_out.groups) == {"puppets-1_000001"}
    listed = build_readers(DavisData(root=tmp_path / "davis", year=2016, split=ListsSplit(test=None)))
    assert (len(listed.train), len(listed.validation or ()), listed.test) == (7, 1, None)


class StubReader(Reader):
    """Two hundred samples of four groups, none of which is read."""

    name, skeleton = "stub", None
    categories: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    synonyms: ClassVar[dict[str, str]] = {}
    groups, keys = [f"group{number % 4}" for number in range(200)], [str(number) for number in range(200)]

    def __len__(self) -> int:
        return 200

    def sample(self, index: int) -> Sample:
        raise AssertionError("no sample is read")

    def check(self) -> Summary:
        raise AssertionError("no sample is read")

    def with_variants(self, indices: list[int]) -> list[int]:
        return indices


DIVIDES = {"validation_share", "seed", "split", "num_test", "num_labels"}  # what a reader is divided by, or thinned out
NEED_FILES = {"coco", "video-attention-target"}  # joins paths; reads names of shows
DATA_BASES: dict[str, list[dict[str, Any]]] = {
    "puppets": [{}],
    "video": [{"path": "/place/video.mp4"}],
    "goo": [{"root": "/place", "train": "train.json"}],
    "image-pairs": [{"root": "/place", "task": "derain"}],
    "nyu": [{"root": "/place/nyu.mat"}, {"root": "/place"}],
}


@pytest.mark.parametrize("section", [one for one in members(Data) if kind_of(one) not in NEED_FILES], ids=kind_of)
def test_every_value_of_a_data_set_arrives_at_its_reader(section: type[Section]) -> None:
    bases = DATA_BASES.get(kind_of(section), [{"root": "/place"}])
    missing = set(section.model_fields) - {"kind"} - DIVIDES
    for base in bases:
        before = reader_calls(section.model_validate(base))
        for path, value in changes(section, base):
            if path[0] in DIVIDES:
                continue
            after = reader_calls(section.model_validate(with_change(base, (path, value))))
            if any(got == plain(value) for _, _, got in (call for call in after if call not in before)):
                missing.discard(path[0])
    assert not missing


def reader_calls(data: Any) -> list[tuple[str, str, Any]]:
    """What readers get for a data section."""
    spy = Spy()
    with pytest.MonkeyPatch.context() as patch:
        spy.watch(patch, assembly.readers, lambda one: isinstance(one, type) and issubclass(one, Reader)
                  and one not in (Reader, Subset), lambda reader: StubReader())  # fmt: skip
        patch.setattr(Path, "exists", lambda path: True)  # readers are stubs, and read no place
        build_readers(data, ("keypoints",))
    return spy.calls


def test_a_preset_is_resolved_before_a_run_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = {"tiny": Preset(("up_blocks.1.resnets.0",), 50, "measured")}
    monkeypatch.setattr("gensight.assembly.backbones.preset", measured.get)
    config = load_recipe("demo", ["backbone.layers=preset"])
    resolved = resolve_preset(config)
    assert (resolved.backbone.layers, resolved.backbone.timestep) == (("up_blocks.1.resnets.0",), 50)
    chosen = load_recipe("demo", ["backbone.layers=null"])
    assert resolve_preset(chosen).backbone == chosen.backbone  # only where a recipe says `preset`
    other = load_recipe("demo", ["backbone.kind=diffusers", "backbone.id=some/model", "backbone.layers=preset"])
    with pytest.raises(ConfigError, match="no preset was measured for `some/model`"):
        resolve_preset(other)


def test_an_edge_image_has_one_channel_or_three() -> None:
    assert [EdgeImage(channels=n).outputs["edges"].channels for n in (1, 3)] == [1, 3]
    with pytest.raises(ConfigError, match="1 or 3 channels"):
        EdgeImage(channels=2)


@pytest.mark.parametrize(("kind", "layers"), [("transformers", ["block3"]), ("imagenet", ["stride2", "stride8"])])
def test_an_encoders_layers_arrive(kind: str, layers: list[str]) -> None:
    recipe = recipe_of(kind, {**BASES.get(kind, [{}])[0], "layers": layers}, "backbone")
    assert ("layers", tuple(layers)) in [call[1:] for call in calls_of(recipe, "backbone").calls]
    preset = recipe_of(kind, {**BASES.get(kind, [{}])[0], "layers": "preset"}, "backbone")
    with pytest.raises(ConfigError, match="no preset was measured for"):
        resolve_preset(preset)
