"""Config -> objects: the only place where a `kind` becomes a class."""

from dataclasses import dataclass, fields
from typing import assert_never

import torch

from gensight.backbones.base import Backbone
from gensight.backbones.diffusion import load_diffusion, load_tiny
from gensight.backbones.scratch import ScratchEncoder
from gensight.config.data import (
    BlocksSplit,
    CocoData,
    CocoPart,
    Data,
    DeepLabCutData,
    FolderData,
    OrderSplit,
    PuppetsData,
    SeedSplit,
    VideoData,
    VideosData,
    VideosSplit,
)
from gensight.config.schema import AugmentConfig, DiffusersConfig, RunConfig, ScratchConfig, TinyConfig
from gensight.diffusion.noise import mix
from gensight.encodings.base import Encoding
from gensight.encodings.heatmap import DEFAULT_CALIBRATION, Heatmap
from gensight.errors import ConfigError
from gensight.loading.views import ViewPolicy
from gensight.methods.readout.method import Readout
from gensight.readers import splits
from gensight.readers.base import Reader
from gensight.readers.coco import CocoReader
from gensight.readers.deeplabcut import DeepLabCutReader
from gensight.readers.folder import FolderReader
from gensight.readers.puppets import PuppetsReader
from gensight.readers.splits import Subset
from gensight.readers.video import VideoReader
from gensight.skeletons import NAMED, Skeleton
from gensight.transforms.augmentation import Augmentation


@dataclass(frozen=True)
class Splits:
    """The parts of a data set. `validation` and `test` are None where a recipe gives them no samples."""

    train: Reader
    validation: Reader | None
    test: Reader | None


def build_readers(data: Data) -> Splits:
    """The readers of a `data` section. Raises DataError for what is wrong on disk."""
    match data:
        case PuppetsData():
            return _puppets(data)
        case CocoData():
            return _coco(data)
        case DeepLabCutData():
            return _deeplabcut(data)
        case FolderData():
            return Splits(FolderReader(data.root, data.recursive), None, None)
        case VideoData():
            return Splits(VideoReader(data.path, data.step), None, None)
        case VideosData():
            raise ConfigError(
                "data.kind=videos is for `gensight pretrain` only", hint="name one video: data.kind=video"
            )
        case _:
            assert_never(data)


def _puppets(data: PuppetsData) -> Splits:
    def part(number: int, count: int) -> Reader | None:
        if not count:
            return None
        return PuppetsReader(
            count,
            seed=mix(data.seed, number) % (1 << 31),
            size=data.size,
            truths=("keypoints", "boxes"),
            subjects=data.subjects,
        )

    train = part(0, data.num_train)
    assert train is not None
    return Splits(train, part(1, data.num_validation), part(2, data.num_test))


def _coco(data: CocoData) -> Splits:
    def part(files: CocoPart) -> Reader:
        return CocoReader(data.root / files.images, data.root / files.annotations, categories=data.categories)

    train = part(data.train)
    kept = list(range(len(train)))
    test = validation = None
    if data.test is not None:
        test = part(data.test)
    elif data.test_share:
        kept, chosen = splits.validation_from_train(kept, data.test_share, seed=data.seed + 1)
        test = Subset(train, chosen)
    if data.validation is not None:
        validation = part(data.validation)
    elif data.validation_share:
        kept, chosen = splits.validation_from_train(kept, data.validation_share, seed=data.seed)
        validation = Subset(train, chosen)
    return Splits(Subset(train, kept), validation, test)


def _deeplabcut(data: DeepLabCutData) -> Splits:
    reader = DeepLabCutReader(data.root, bodyparts=data.bodyparts)
    count = len(reader)
    split = data.split
    match split:
        case SeedSplit():
            train, validation, test = splits.split_by_seed(
                count, (split.train, split.validation, split.test), split.seed
            )
        case OrderSplit():
            train, validation, test = splits.split_by_order(count, (split.train, split.validation, split.test))
        case BlocksSplit():
            train, test = splits.split_by_blocks(count, split.num_blocks, split.test_block)
            train, validation = splits.validation_from_train(train, split.validation, seed=None)
        case VideosSplit():
            train, test = splits.split_by_group(reader.groups, split.test)
            train, validation = splits.validation_from_train(train, split.validation, seed=0)
        case _:
            assert_never(split)
    if data.num_labels is not None:
        train = splits.evenly_spaced(train, data.num_labels)
    return Splits(
        Subset(reader, train),
        Subset(reader, validation) if len(validation) else None,
        Subset(reader, test) if len(test) else None,
    )


def build_skeleton(config: RunConfig, reader: Reader) -> Skeleton:
    """The skeleton that a recipe asks for. Raises ConfigError if the data set has none and the recipe names none."""
    if config.encoding.skeleton != "data":
        return NAMED[config.encoding.skeleton]
    if reader.skeleton is None:
        raise ConfigError(
            f"the data set ({config.data.kind}) has no keypoints of its own",
            where="encoding.skeleton=data",
            choices=NAMED,
            hint="name a skeleton, or data that has keypoints",
        )
    return reader.skeleton


def build_encoding(
    config: RunConfig, skeleton: Skeleton, calibration: tuple[float, float] = DEFAULT_CALIBRATION
) -> Encoding:
    """The encoding of a recipe; `calibration` is what training found for its confidence."""
    encoding = config.encoding
    return Heatmap(
        skeleton,
        sigma=encoding.sigma,
        stride=encoding.stride,
        decoder=encoding.decoder,
        calibration=calibration,
    )


def build_policy(config: RunConfig) -> ViewPolicy:
    return ViewPolicy(config.view.size, config.view.crop, config.view.padding)


def build_augmentation(config: AugmentConfig) -> Augmentation | None:
    """None where nothing is augmented."""
    if config == AugmentConfig():
        return None
    return Augmentation(**{field.name: getattr(config, field.name) for field in fields(Augmentation)})


def build_backbone(config: RunConfig) -> Backbone:
    """The backbone of a recipe, with its weights. Raises RunError where they cannot be had."""
    backbone = config.backbone
    match backbone:
        case TinyConfig():
            return load_tiny(
                layers=backbone.layers,
                timestep=backbone.timestep,
                trainable=backbone.trainable,
                lora_rank=backbone.lora_rank,
                random_weights=backbone.random_weights,
                seed=config.seed,
            )
        case DiffusersConfig():
            return load_diffusion(
                backbone.id,
                layers=backbone.layers,
                timestep=backbone.timestep,
                dtype=backbone.dtype,
                trainable=backbone.trainable,
                lora_rank=backbone.lora_rank,
                random_weights=backbone.random_weights,
                seed=config.seed,
            )
        case ScratchConfig():
            return ScratchEncoder(widths=backbone.widths)
        case _:
            assert_never(backbone)


def build_method(config: RunConfig, backbone: Backbone, encoding: Encoding) -> Readout:
    """The method of a recipe; its initial weights are drawn from the recipe's seed. Refuses sizes that don't fit."""
    height, width = config.view.size
    for name, unit in (("backbone's stride", backbone.stride), ("encoding.stride", config.encoding.stride)):
        if height % unit or width % unit:
            raise ConfigError(
                f"view.size={height},{width} is not a multiple of the {name} ({unit})",
                where="view.size",
                hint=f"for example view.size=[{_round_up(height, unit)},{_round_up(width, unit)}]",
            )
    method = config.method
    torch.manual_seed(config.seed)
    return Readout(
        backbone,
        encoding.outputs,
        grid_stride=config.encoding.stride,
        projection=method.projection,
        bottleneck=method.bottleneck,
        widths=method.widths,
        order=method.order,
        loss=method.loss,
        timesteps=None if method.timesteps == "clean" else tuple(method.timesteps),
    )


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit
