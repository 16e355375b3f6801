"""The readers of a `data` section."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from gensight.config.data import (
    Ade20kData,
    AnnotatedData,
    Ap10kData,
    BbcPoseData,
    BlocksSplit,
    CocoData,
    CocoPart,
    Data,
    DavisData,
    DeepLabCutData,
    FolderData,
    FootageData,
    GazeFollowData,
    GooData,
    ImageFoldersData,
    InstructPoolData,
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
    VideoAttentionTargetData,
    VideoData,
    VideosData,
    VideosSplit,
    VocData,
)
from gensight.diffusion.noise import mix
from gensight.errors import ConfigError
from gensight.readers import splits
from gensight.readers.ade20k import Ade20kReader, SceneParsingReader
from gensight.readers.annotated.reader import AnnotatedReader
from gensight.readers.ap10k.reader import PARTS as AP10K_LISTS
from gensight.readers.ap10k.reader import Ap10kReader
from gensight.readers.base import Reader
from gensight.readers.bbc_pose import PARTS as BBC_PARTS
from gensight.readers.bbc_pose import BbcPoseReader
from gensight.readers.coco.reader import CocoReader
from gensight.readers.davis.reader import DavisReader
from gensight.readers.deeplabcut.reader import DeepLabCutReader
from gensight.readers.footage.recordings import FootageReader
from gensight.readers.footage.video import VideoReader
from gensight.readers.gazefollow.reader import GazeFollowReader
from gensight.readers.goo.reader import GooReader
from gensight.readers.images.class_folders import ImageFoldersReader
from gensight.readers.images.folder import FolderReader
from gensight.readers.instruct_pool.reader import InstructPoolReader, has_part
from gensight.readers.pets import PetsReader
from gensight.readers.puppets import PuppetsReader
from gensight.readers.rgbd.nyu import NyuRawReader, NyuReader
from gensight.readers.rgbd.reader import RgbdReader
from gensight.readers.rgbd.sunrgbd import SunRgbdReader
from gensight.readers.spair.reader import PARTS as SPAIR_LISTS
from gensight.readers.spair.reader import SpairReader
from gensight.readers.splits import Subset
from gensight.readers.video_attention_target import VideoAttentionTargetReader, show_names
from gensight.readers.voc.reader import VocReader


@dataclass(frozen=True)
class Splits:
    """The parts of a data set. `validation` and `test` are None where a recipe gives them no samples."""

    train: Reader
    validation: Reader | None
    test: Reader | None

    @property
    def parts(self) -> list[Reader]:
        """Those that there are."""
        return [part for part in (self.train, self.validation, self.test) if part is not None]

    def map(self, change: Callable[[Reader], Reader]) -> "Splits":
        """The same parts, each changed."""
        validation, test = (None if part is None else change(part) for part in (self.validation, self.test))
        return Splits(change(self.train), validation, test)


def build_readers(data: Data, truths: tuple[str, ...] = ("keypoints", "boxes")) -> Splits:
    """The readers of a `data` section. Raises DataError for what is wrong on disk.

    Args:
        data: The section.
        truths: The ground truth to render for synthetic scenes; data on disk gives all that it has.
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
            return Splits(FootageReader(data.root, data.step, data.long_side), None, None)
        case BbcPoseData():
            train, validation, test = (BbcPoseReader(data.root, part, data.crop) for part in BBC_PARTS)
            return Splits(train, validation, test)
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
        case InstructPoolData():
            return _pool(data)
        case AnnotatedData():
            reader = AnnotatedReader(data.root, data.images, data.min_confidence, data.variants)
            images = Subset(reader, range(len(reader.keys)))  # an image's variants follow it into its part
            return _subsets(reader, *(reader.with_variants(part) for part in _divide(images, data.split)))
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
            style=data.style,
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


def _pool(data: InstructPoolData) -> Splits:
    train, validation, test = (
        InstructPoolReader(data.root, part) if part == "train" or has_part(data.root, part) else None
        for part in ("train", "validation", "test")
    )
    assert train is not None  # opening it has raised, else
    return Splits(train, validation, test)
