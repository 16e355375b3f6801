"""Config -> objects: the only place where a `kind` becomes a class."""

from dataclasses import dataclass, fields
from typing import assert_never

import torch

from gensight.backbones.base import Backbone
from gensight.backbones.diffusion import load_diffusion, load_tiny
from gensight.backbones.presets import preset
from gensight.backbones.scratch import ScratchEncoder
from gensight.config.data import (
    Ade20kData,
    AnnotatedData,
    Ap10kData,
    BlocksSplit,
    CocoData,
    CocoPart,
    Data,
    DavisData,
    DeepLabCutData,
    FolderData,
    FootageData,
    ImageFoldersData,
    ListsSplit,
    NyuData,
    OrderSplit,
    PetsData,
    PuppetsData,
    RgbdData,
    SeedSplit,
    SpairData,
    Split,
    SunRgbdData,
    VideoData,
    VideosData,
    VideosSplit,
    VocData,
)
from gensight.config.encodings import (
    AppearanceConfig,
    CorrespondenceConfig,
    DepthImageConfig,
    DepthMapConfig,
    EdgeImageConfig,
    HeatmapConfig,
    JointConfig,
    LandmarkPairsConfig,
    PointsConfig,
    PoseImageConfig,
    Single,
    parts_of,
)
from gensight.config.gaze import (
    GazeConvolutionalConfig,
    GazeDiffusionConfig,
    GazeFollowData,
    GazeFrozenConfig,
    GazeMapConfig,
    GooData,
    VideoAttentionTargetData,
)
from gensight.config.landmarks import LandmarkKeypointsConfig, LandmarksConfig
from gensight.config.protocols import Protocol
from gensight.config.schema import AugmentConfig, DiffusersConfig, ReadoutConfig, RunConfig, ScratchConfig, TinyConfig
from gensight.diffusion.noise import mix
from gensight.encodings.appearance import Appearance
from gensight.encodings.base import Encoding
from gensight.encodings.correspondence import Correspondence
from gensight.encodings.depth import DepthImage, DepthMap
from gensight.encodings.edge_image import EdgeImage
from gensight.encodings.gaze import GazeMap
from gensight.encodings.heatmap import DEFAULT_CALIBRATION, Heatmap
from gensight.encodings.joint import SEPARATOR, Joint
from gensight.encodings.landmark_pairs import LandmarkPairs, landmark_skeleton
from gensight.encodings.points import Points
from gensight.encodings.pose_image import PoseImage
from gensight.errors import ConfigError
from gensight.loading.gaze_views import GazeViews
from gensight.loading.landmark_views import PairViews
from gensight.loading.views import ViewPolicy
from gensight.methods.base import Method
from gensight.methods.gaze.convolutional import ConvolutionalGaze
from gensight.methods.gaze.diffusion import DiffusionGaze
from gensight.methods.gaze.encoders import BackboneSceneAndHead, SceneAndHead
from gensight.methods.gaze.frozen import FrozenGaze
from gensight.methods.landmarks.chance import JitterRange
from gensight.methods.landmarks.keypoints import LandmarkKeypoints
from gensight.methods.landmarks.method import Landmarks
from gensight.methods.readout.method import Part, Readout
from gensight.metrics import tables
from gensight.metrics.appearance import build_appearance_metrics
from gensight.metrics.base import Metric
from gensight.metrics.correspondence import build_matching_metrics
from gensight.metrics.depth import depth_metrics
from gensight.metrics.edges import edge_metrics
from gensight.metrics.gaze import gaze_metrics
from gensight.readers import splits
from gensight.readers.ade20k import Ade20kReader, SceneParsingReader
from gensight.readers.annotated import AnnotatedReader
from gensight.readers.ap10k import PARTS as AP10K_LISTS
from gensight.readers.ap10k import Ap10kReader
from gensight.readers.base import Reader
from gensight.readers.coco import CocoReader
from gensight.readers.davis import DavisReader
from gensight.readers.deeplabcut import DeepLabCutReader
from gensight.readers.folder import FolderReader
from gensight.readers.footage import FootageReader
from gensight.readers.gazefollow import GazeFollowReader
from gensight.readers.goo import GooReader
from gensight.readers.image_folders import ImageFoldersReader
from gensight.readers.nyu import NyuRawReader, NyuReader
from gensight.readers.pets import PetsReader
from gensight.readers.puppets import PuppetsReader
from gensight.readers.rgbd import RgbdReader
from gensight.readers.spair import PARTS as SPAIR_LISTS
from gensight.readers.spair import SpairReader
from gensight.readers.splits import Subset
from gensight.readers.sunrgbd import SunRgbdReader
from gensight.readers.video import VideoReader
from gensight.readers.video_attention_target import VideoAttentionTargetReader, show_names
from gensight.readers.voc import VocReader
from gensight.skeletons import NAMED, Skeleton
from gensight.transforms.augmentation import Augmentation
from gensight.transforms.thin_plate_spline import WarpRange


@dataclass(frozen=True)
class Splits:
    """The parts of a data set. `validation` and `test` are None where a recipe gives them no samples."""

    train: Reader
    validation: Reader | None
    test: Reader | None


def build_readers(data: Data, truths: tuple[str, ...] = ("keypoints", "boxes")) -> Splits:
    """The readers of a `data` section. Raises DataError for what is wrong on disk.

    Args:
        data: The section.
        truths: What drawn scenes are asked for; data on disk gives whatever it has.
    """
    match data:
        case PuppetsData():
            return _puppets(data, truths)
        case CocoData():
            return _coco(data)
        case DeepLabCutData():
            return _deeplabcut(data)
        case FolderData():
            return Splits(FolderReader(data.root, data.recursive), None, None)
        case VideoData():
            return Splits(VideoReader(data.path, data.step), None, None)
        case FootageData():
            return Splits(FootageReader(data.root, data.step), None, None)
        case VideosData():
            raise ConfigError(
                "data.kind=videos is for `gensight pretrain` only", hint="name one video: data.kind=video"
            )
        case VocData():
            return _voc(data)
        case DavisData():
            return _davis(data)
        case RgbdData():
            return _rgbd(data)
        case SpairData():
            return _spair(data)
        case Ap10kData():
            return _ap10k(data)
        case GazeFollowData():
            return _gazefollow(data)
        case VideoAttentionTargetData():
            return _video_attention_target(data)
        case GooData():
            return _goo(data)
        case AnnotatedData():
            reader = AnnotatedReader(data.root, data.images, data.min_confidence, data.variants)
            return _subsets(reader, *_divide(reader, data.split))
        case NyuData():
            return _nyu(data)
        case SunRgbdData() | Ade20kData() | PetsData() | ImageFoldersData():
            return _official(data)
        case _:
            assert_never(data)


def _puppets(data: PuppetsData, truths: tuple[str, ...]) -> Splits:
    def part(number: int, count: int) -> Reader | None:
        if not count:
            return None
        return PuppetsReader(
            count,
            seed=mix(data.seed, number) % (1 << 31),
            size=data.size,
            truths=truths,
            subjects=data.subjects,
            num_subjects=data.num_subjects,
            num_frames=data.num_frames,
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
    train, validation, test = _divide(reader, data.split)
    if data.num_labels is not None:
        train = splits.evenly_spaced(train, data.num_labels)
    return _subsets(reader, train, validation, test)


def _divide(reader: Reader, split: Split) -> tuple[list[int], list[int], list[int]]:
    """(train, validation, test) indices."""
    count = len(reader)
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
    return train, validation, test


def _subsets(reader: Reader, train: list[int], validation: list[int], test: list[int]) -> Splits:
    return Splits(
        Subset(reader, train),
        Subset(reader, validation) if len(validation) else None,
        Subset(reader, test) if len(test) else None,
    )


def _without_validation(train: Reader, share: float, seed: int) -> tuple[Reader, Reader | None]:
    """(train, validation): a share of a training list's samples kept apart, at random."""
    kept, chosen = splits.validation_from_train(range(len(train)), share, seed=seed)
    return Subset(train, kept), Subset(train, chosen) if chosen else None


def _voc(data: VocData) -> Splits:
    def part(name: str) -> Reader:
        return VocReader(data.root, name, data.category, data.task, missing=data.missing)

    train, test = part(data.train), part(data.test) if data.test is not None else None
    if data.validation is not None:
        return Splits(train, part(data.validation), test)
    return Splits(*_without_validation(train, data.validation_share, data.seed), test)


def _davis(data: DavisData) -> Splits:
    def part(name: str | None) -> Reader:
        return DavisReader(data.root, name, data.year, data.resolution, data.boxes)

    if not isinstance(data.split, ListsSplit):
        reader = part(None)
        return _subsets(reader, *_divide(reader, data.split))
    test = part(data.split.test) if data.split.test is not None else None
    return Splits(*_without_validation(part(data.split.train), data.split.validation, seed=0), test)


def _rgbd(data: RgbdData) -> Splits:
    reader = RgbdReader(
        data.root,
        data.depth_unit,
        data.intrinsics,
        data.colour_intrinsics,
        data.colour_offset,
        data.grid,
        data.tolerance,
    )
    return _subsets(reader, *_divide(reader, data.split))


def _spair(data: SpairData) -> Splits:
    train, validation, test = (
        SpairReader(data.root, part, data.size, data.category, missing=data.missing) for part in SPAIR_LISTS
    )
    return Splits(train, validation, test)


def _ap10k(data: Ap10kData) -> Splits:
    train, validation, test = (
        Ap10kReader(data.root, part, data.split, data.categories, missing=data.missing) for part in AP10K_LISTS
    )
    return Splits(train, validation, test)


def _nyu(data: NyuData) -> Splits:
    def part(name: str) -> Reader:
        if data.root.suffix == ".mat":
            return NyuReader(data.root, name, data.splits, data.raw_depth)
        return NyuRawReader(data.root, f"nyu_{name}", missing=data.missing)

    return Splits(*_without_validation(part("train"), data.validation_share, data.seed), part("test"))


def _official(data: SunRgbdData | Ade20kData | PetsData | ImageFoldersData) -> Splits:
    test = None if data.test is None else _official_part(data, data.test)
    return Splits(*_without_validation(_official_part(data, data.train), data.validation_share, data.seed), test)


def _official_part(data: SunRgbdData | Ade20kData | PetsData | ImageFoldersData, part: str) -> Reader:
    match data:
        case SunRgbdData():
            return SunRgbdReader(data.root, part, data.without_nyu, data.depth, missing=data.missing)
        case Ade20kData():
            if (data.root / "images" / "ADE").is_dir():
                return Ade20kReader(data.root, part)
            return SceneParsingReader(data.root, part, missing=data.missing)
        case PetsData():
            return PetsReader(data.root, part, missing=data.missing)
        case ImageFoldersData():
            return ImageFoldersReader(data.root, part)
        case _:
            assert_never(data)


def _gazefollow(data: GazeFollowData) -> Splits:
    def part(name: str) -> Reader:
        return GazeFollowReader(data.root, name, data.guess_heads, missing=data.missing)

    test = None if data.test is None else part(data.test)
    if test is not None and data.num_test is not None and data.num_test < len(test):
        _, chosen = splits.validation_from_train(range(len(test)), data.num_test / len(test), seed=data.seed)
        test = Subset(test, chosen)
    if data.validation is not None:
        return Splits(part(data.train), part(data.validation), test)
    return Splits(*_without_validation(part(data.train), data.validation_share, data.seed), test)


def _video_attention_target(data: VideoAttentionTargetData) -> Splits:
    def part(name: str, shows: tuple[str, ...] | None, step: int) -> Reader:
        return VideoAttentionTargetReader(data.root, name, shows, data.smoothing, step, missing=data.missing)

    held_out = data.validation
    if not held_out:
        return Splits(part("train", None, data.step), None, part("test", None, 1))
    learnt = tuple(show for show in show_names(data.root, "train") if show not in held_out)
    return Splits(part("train", learnt, data.step), part("train", held_out, data.step), part("test", None, 1))


def _goo(data: GooData) -> Splits:
    def part(name: str) -> Reader:
        return GooReader(data.root, name, data.head, missing=data.missing)

    test = None if data.test is None else part(data.test)
    if data.validation is not None:
        return Splits(part(data.train), part(data.validation), test)
    return Splits(*_without_validation(part(data.train), data.validation_share, data.seed), test)


def build_skeleton(config: RunConfig, reader: Reader) -> Skeleton | None:
    """The skeleton that a recipe asks for; None where nothing asks for keypoints.

    Raises ConfigError if the data set has none and the recipe names none.
    """
    if isinstance(config.encoding, LandmarkPairsConfig):
        return landmark_skeleton(config.encoding.num_landmarks)
    asking = HeatmapConfig | PoseImageConfig | PointsConfig
    named = [p.skeleton for p in parts_of(config.encoding).values() if isinstance(p, asking)]
    if not named:
        return None
    if len(set(named)) > 1:
        raise ConfigError(f"the parts of the encoding name different skeletons: {', '.join(named)}", where="encoding")
    if named[0] != "data":
        return NAMED[named[0]]
    if reader.skeleton is None:
        raise ConfigError(
            f"the data set ({config.data.kind}) has no keypoints of its own",
            where="encoding.skeleton=data",
            choices=NAMED,
            hint="name a skeleton, or data that has keypoints",
        )
    return reader.skeleton


def build_encoding(
    config: RunConfig, skeleton: Skeleton | None, calibration: tuple[float, float] = DEFAULT_CALIBRATION
) -> Encoding:
    """The encoding of a recipe; `calibration` is what training found for the confidence of its keypoints."""
    parts = {
        name: _build_part(part, skeleton, calibration, config.seed) for name, part in parts_of(config.encoding).items()
    }
    return Joint(parts) if isinstance(config.encoding, JointConfig) else next(iter(parts.values()))


def _build_part(part: Single, skeleton: Skeleton | None, calibration: tuple[float, float], seed: int) -> Encoding:
    match part:
        case HeatmapConfig():
            assert skeleton is not None  # build_skeleton has found one
            return Heatmap(skeleton, part.sigma, part.stride, part.decoder, calibration)
        case PoseImageConfig():
            assert skeleton is not None
            return PoseImage(skeleton, stride=part.stride, instances=part.instances)
        case EdgeImageConfig():
            return EdgeImage(channels=part.channels, stride=part.stride)
        case DepthImageConfig():
            return DepthImage(stride=part.stride, channels=part.channels)
        case DepthMapConfig():
            return DepthMap(stride=part.stride, kind=part.depth, near=part.near, far=part.far)
        case CorrespondenceConfig():
            return Correspondence(
                distance=part.distance,
                num_points=part.num_points,
                stride=part.stride,
                seed=seed,
                pairs_per_sample=part.pairs_per_sample,
            )
        case AppearanceConfig():
            return Appearance(
                stride=part.stride, region=part.region, negative=part.negative, distance=part.distance, seed=seed
            )
        case LandmarkPairsConfig():
            return LandmarkPairs(part.num_landmarks, part.pairs, part.distance, part.pairs_per_sample, seed)
        case PointsConfig():
            assert skeleton is not None
            return Points(skeleton)
        case GazeMapConfig():
            return GazeMap(part.grid, part.sigma, part.quantised, part.decoder, part.teach_empty)
        case _:
            assert_never(part)


def truths_of(config: RunConfig) -> tuple[str, ...]:
    """What the encoding of a recipe needs to know of drawn scenes."""
    needed = {
        "heatmap": ("keypoints", "boxes"),
        "pose-image": ("keypoints", "boxes"),
        "edge-image": ("edges",),
        "depth-image": ("depth",),
        "depth-map": ("depth",),
        "correspondence": (),
        "appearance": ("boxes", "masks", "identity"),
        "landmark-pairs": (),
        "points": ("keypoints", "boxes"),
        "gaze": ("gaze",),
    }
    kinds = [part.kind for part in parts_of(config.encoding).values()]
    truths = [truth for kind in kinds for truth in needed[kind]]
    return tuple(dict.fromkeys([*truths, *(("boxes",) if config.view.crop != "frame" else ())]))


def build_policy(config: RunConfig) -> ViewPolicy:
    if isinstance(config.encoding, GazeMapConfig):
        return GazeViews(config.view.size, config.view.crop, config.view.padding, config.encoding.head_size)
    policy = PairViews if isinstance(config.encoding, LandmarkPairsConfig) else ViewPolicy
    return policy(config.view.size, config.view.crop, config.view.padding)


def build_augmentation(config: AugmentConfig) -> Augmentation | None:
    """None where nothing is augmented."""
    if config == AugmentConfig():
        return None
    return Augmentation(**{field.name: getattr(config, field.name) for field in fields(Augmentation)})


def resolve_preset(config: RunConfig) -> RunConfig:
    """The recipe with `backbone.layers=preset` replaced by that preset's layers and timestep; else the recipe itself.

    Raises:
        ConfigError: If nobody has probed that backbone.
    """
    backbone = config.backbone
    if isinstance(backbone, ScratchConfig) or backbone.layers != "preset":
        return config
    name = backbone.id if isinstance(backbone, DiffusersConfig) else backbone.kind
    found = preset(name)
    if found is None:
        raise ConfigError(
            f"no preset was measured for `{name}`",
            where="backbone.layers",
            hint="measure one with `gensight probe RECIPE`, or leave backbone.layers out to read all decoder blocks",
        )
    chosen = backbone.model_copy(update={"layers": found.layers, "timestep": found.timestep})
    return config.model_copy(update={"backbone": chosen})


def build_backbone(config: RunConfig) -> Backbone:
    """The backbone of a recipe, with its weights. Raises RunError where they cannot be had."""
    backbone = resolve_preset(config).backbone
    match backbone:
        case TinyConfig():
            return load_tiny(
                layers=_names(backbone.layers),
                timestep=backbone.timestep,
                trainable=backbone.trainable,
                lora_rank=backbone.lora_rank,
                random_weights=backbone.random_weights,
                time_embedding=backbone.time_embedding,
                seed=config.seed,
            )
        case DiffusersConfig():
            return load_diffusion(
                backbone.id,
                layers=_names(backbone.layers),
                timestep=backbone.timestep,
                dtype=backbone.dtype,
                trainable=backbone.trainable,
                lora_rank=backbone.lora_rank,
                random_weights=backbone.random_weights,
                time_embedding=backbone.time_embedding,
                seed=config.seed,
            )
        case ScratchConfig():
            return ScratchEncoder(widths=backbone.widths)
        case _:
            assert_never(backbone)


def _names(layers: tuple[str, ...] | str | None) -> tuple[str, ...] | None:
    assert not isinstance(layers, str)  # presets were resolved
    return layers


def build_method(config: RunConfig, backbone: Backbone, encoding: Encoding) -> Method:
    """The method of a recipe; its initial weights are drawn from the recipe's seed. Refuses sizes that don't fit."""
    method = config.method
    torch.manual_seed(config.seed)
    match method:
        case ReadoutConfig():
            return _readout(config, method, backbone, encoding)
        case LandmarksConfig():
            assert isinstance(encoding, LandmarkPairs)  # the schema has seen to it
            return _landmarks(config, method, len(encoding.skeleton), backbone)
        case LandmarkKeypointsConfig():
            num_values = sum(spec.channels for spec in encoding.outputs.values())
            return LandmarkKeypoints(_landmarks(config, method.landmarks, method.num_landmarks, backbone), num_values)
        case GazeFrozenConfig() | GazeConvolutionalConfig() | GazeDiffusionConfig():
            return _gaze(config, method, backbone)
        case _:
            assert_never(method)


def _fit_size(config: RunConfig, units: dict[str, int]) -> None:
    """Raises ConfigError where the view is no multiple of every named unit."""
    height, width = config.view.size
    for name, unit in units.items():
        if height % unit or width % unit:
            raise ConfigError(
                f"view.size={height},{width} is not a multiple of the {name} ({unit})",
                where="view.size",
                hint=f"for example view.size=[{_round_up(height, unit)},{_round_up(width, unit)}]",
            )


def _readout(config: RunConfig, method: ReadoutConfig, backbone: Backbone, encoding: Encoding) -> Readout:
    _fit_size(config, {"backbone's stride": backbone.stride, **_strides(config)})
    return Readout(
        backbone,
        _build_parts(config, method, encoding),
        projection=method.projection,
        bottleneck=method.bottleneck,
        widths=method.widths,
        order=method.order,
        time_conditioning=method.time_conditioning,
        loss=method.loss,
    )


def _gaze(
    config: RunConfig, method: GazeFrozenConfig | GazeConvolutionalConfig | GazeDiffusionConfig, backbone: Backbone
) -> Method:
    assert isinstance(config.encoding, GazeMapConfig)  # the schema has seen to it
    grid = config.encoding.grid
    if isinstance(method, GazeFrozenConfig):
        _fit_size(config, {"backbone's stride": backbone.stride})
        return FrozenGaze(backbone, grid, **method.model_dump(exclude={"kind"}))
    encoder: SceneAndHead | BackboneSceneAndHead
    if method.encoder == "backbone":
        _fit_size(config, {"backbone's stride": backbone.stride})
        encoder = BackboneSceneAndHead(backbone, positions=method.positions)
    else:
        encoder = SceneAndHead(
            method.encoder, method.layout, method.positions, method.weights, method.freeze_scene, method.freeze_head
        )
    own = method.model_dump(exclude={"kind", *_ENCODER_FIELDS})
    if isinstance(method, GazeConvolutionalConfig):
        return ConvolutionalGaze(encoder, grid, **own)
    return DiffusionGaze(encoder, grid, **own)


_ENCODER_FIELDS = ("encoder", "layout", "positions", "weights", "freeze_scene", "freeze_head")


def _strides(config: RunConfig) -> dict[str, int]:
    return {
        f"{name} encoding's stride": part.stride
        for name, part in parts_of(config.encoding).items()
        if not isinstance(part, LandmarkPairsConfig | PointsConfig | GazeMapConfig)
    }


def _landmarks(config: RunConfig, method: LandmarksConfig, num_landmarks: int, backbone: Backbone) -> Landmarks:
    units = {"decoder's coarsest scale": 2 ** (len(method.decoder_widths) - 1)}
    if method.encoder == "backbone" or method.perceptual == "backbone":
        units["backbone's stride"] = backbone.stride
    if method.encoder == "u-net":
        units["shape encoder's coarsest scale"] = 2 ** len(method.shape_widths)
    if method.background != "none":
        units["background's coarsest scale"] = 8
    _fit_size(config, units)
    warp, jitter, adversary = method.warp, method.jitter, method.adversary
    return Landmarks(
        backbone,
        num_landmarks,
        encoder=method.encoder,
        shape_widths=method.shape_widths,
        appearance_channels=method.appearance_channels,
        appearance_width=method.appearance_width,
        decoder_widths=method.decoder_widths,
        spade_width=method.spade_width,
        covariance=method.covariance,
        variance=method.variance,
        variance_floor=method.variance_floor,
        background=method.background,
        background_width=method.background_width,
        perceptual=method.perceptual,
        vgg_weights=method.vgg_weights,
        level_weights=method.level_weights,
        perceptual_weight=method.perceptual_weight,
        equivariance=method.equivariance,
        warp=WarpRange(warp.num_points, warp.bend, warp.rotation, warp.scale, warp.translation),
        flip=warp.flip,
        warp_share=_warp_share(config, method),
        jitter=JitterRange(jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue),
        jitter_targets=jitter.targets,
        adversary=adversary.weight,
        adversary_scales=adversary.num_scales,
        adversary_layers=adversary.num_layers,
        adversary_width=adversary.width,
        adversary_loss=adversary.loss,
    )


def _warp_share(config: RunConfig, method: LandmarksConfig) -> float:
    both = isinstance(config.encoding, LandmarkPairsConfig) and config.encoding.pairs == "both"
    return method.warp_share if both else 0.0


def _build_parts(config: RunConfig, method: ReadoutConfig, encoding: Encoding) -> dict[str, Part]:
    joint = config.encoding if isinstance(config.encoding, JointConfig) else None
    levels = {} if joint is None else joint.timesteps
    outputs = encoding.outputs
    return {
        name: Part(
            {
                output: spec
                for output, spec in outputs.items()
                if joint is None or output.startswith(f"{name}{SEPARATOR}")
            },
            part.stride,
            levels.get(name, method.timesteps),
        )
        for name, part in parts_of(config.encoding).items()
        if not isinstance(part, LandmarkPairsConfig | PointsConfig | GazeMapConfig)
    }


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def build_metrics(config: RunConfig, skeleton: Skeleton | None) -> list[Metric]:
    """Fresh metrics for the protocols of a recipe, in their order."""
    pairs = any(isinstance(part, CorrespondenceConfig) for part in parts_of(config.encoding).values())
    return [metric for protocol in config.protocols for metric in _build_metric(protocol, config, skeleton, pairs)]


def _build_metric(protocol: Protocol, config: RunConfig, skeleton: Skeleton | None, pairs: bool) -> list[Metric]:
    match protocol:
        case "depth-metric" | "depth-median-scaled" | "depth-affine":
            low, high = config.evaluation.depth_range
            return depth_metrics(protocol, low, high)
        case "edges-f":
            return edge_metrics(protocol)
        case (
            "gazefollow" | "chong" | "gazelle" | "tonini" | "sharingan"
            | "video" | "chong-video" | "gazelle-video" | "goo-5x5" | "in-frame-ap"
        ):  # fmt: skip
            return gaze_metrics(protocol, subset=_scored_subset(config))
        case "two-alternative" | "same-different-auc":
            return build_appearance_metrics([protocol])
        case "pck-img":
            return build_matching_metrics([protocol])
        case "pck-box" if pairs:  # of pairs, not of keypoints
            return build_matching_metrics([protocol])
        case _:
            assert skeleton is not None  # the schema lets only keypoint encodings ask for the others
            return tables.build_metrics([protocol], skeleton)


def _scored_subset(config: RunConfig) -> str:
    data = config.data
    if isinstance(data, GazeFollowData) and data.num_test is not None:
        return f"{data.num_test} images, seed {data.seed}"
    return ""
