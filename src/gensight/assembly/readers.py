"""The readers of a `data` section."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import assert_never

from gensight.config import data as sections
from gensight.config.data import BlocksSplit, Data, ListsSplit, OrderSplit, SeedSplit, Split, VideosSplit
from gensight.config.data.stored import KeypointLabels, OfficialLists
from gensight.config.fields import Section
from gensight.config.sections import kind_of
from gensight.errors import DataError
from gensight.files.hashing import mix
from gensight.readers import splits
from gensight.readers.ade20k import Ade20kReader, SceneParsingReader
from gensight.readers.annotated.reader import AnnotatedReader
from gensight.readers.ap10k.reader import PARTS as AP10K_PARTS
from gensight.readers.ap10k.reader import Ap10kReader
from gensight.readers.base import Reader
from gensight.readers.bbc_pose import PARTS as BBC_PARTS
from gensight.readers.bbc_pose import BbcPoseReader
from gensight.readers.coco.reader import CocoReader
from gensight.readers.davis.reader import DavisReader
from gensight.readers.deeplabcut.reader import DeepLabCutReader
from gensight.readers.faces import FacesReader
from gensight.readers.footage.recordings import FootageReader
from gensight.readers.footage.video import VideoReader
from gensight.readers.gazefollow.reader import GazeFollowReader
from gensight.readers.goo.reader import GooReader
from gensight.readers.images.class_folders import ImageFoldersReader
from gensight.readers.images.folder import FolderReader
from gensight.readers.images.image_pairs import ImagePairsReader
from gensight.readers.instruct_pool.reader import InstructPoolReader, has_part
from gensight.readers.label_files.reader import LabelFilesReader
from gensight.readers.pets import PetsReader
from gensight.readers.puppets import PuppetsReader
from gensight.readers.rgbd.nyu import NyuRawReader, NyuReader
from gensight.readers.rgbd.reader import RgbdReader
from gensight.readers.rgbd.sunrgbd import SunRgbdReader
from gensight.readers.shared.named_keypoints import NamedKeypointsReader
from gensight.readers.spair.reader import PARTS as SPAIR_PARTS
from gensight.readers.spair.reader import SpairReader
from gensight.readers.splits import Subset
from gensight.readers.video_attention_target import VideoAttentionTargetReader, show_names
from gensight.readers.voc.reader import VocReader

_UNDIVIDED = {"split": OrderSplit(train=1, validation=0, test=0), "validation_share": 0.0, "test_share": 0.0,
              "num_labels": None, "num_test": None}  # fmt: skip


def undivided(data: Data) -> Data:
    """The same data without shares taken from training, which few images could not give."""
    changes = {key: value for key, value in _UNDIVIDED.items() if key in type(data).model_fields}
    if not isinstance(getattr(data, "split", None), Section):  # AP-10K's is the number of an official division
        changes.pop("split", None)
    return data.model_copy(update=changes)


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
    _check_place(data)
    match data:
        case sections.PuppetsData():
            return _puppets(data, truths)
        case sections.FolderData():
            return Splits(FolderReader(data.root), None, None)
        case sections.VideoData():
            return Splits(VideoReader(data.path, data.step), None, None)
        case sections.VideosData():
            return Splits(FootageReader(data.root, data.step, images=False), None, None)
        case sections.FootageData():
            return Splits(FootageReader(data.root, data.step, data.long_side), None, None)
        case sections.BbcPoseData():
            return Splits(*(BbcPoseReader(data.root, part, data.crop) for part in BBC_PARTS))
        case sections.FacesData():
            faces = FacesReader(data.root, data.missing)
            return _subsets(faces, *_divide(faces, data.split))
        case sections.SpairData():
            return Splits(*(SpairReader(data.root, part, data.category, missing=data.missing) for part in SPAIR_PARTS))
        case sections.Ap10kData():
            parts = (Ap10kReader(data.root, part, data.split, data.categories, missing=data.missing)
                     for part in AP10K_PARTS)  # fmt: skip
            return Splits(*parts)
        case sections.InstructPoolData():
            held_out = (InstructPoolReader(data.root, part) if has_part(data.root, part) else None
                        for part in ("validation", "test"))  # fmt: skip
            return Splits(InstructPoolReader(data.root, "train"), *held_out)
        case sections.VideoAttentionTargetData():
            return _video_attention_target(data)
        case sections.AnnotatedData():
            reader = AnnotatedReader(data.root, data.images, data.min_confidence, data.variants)
            images = Subset(reader, range(len(reader.keys)))  # an image's variants follow it into its part
            return _subsets(reader, *(reader.with_variants(part) for part in _divide(images, data.split)))
        case sections.DeepLabCutData():
            return _deeplabcut(data)
        case sections.LabelFilesData():
            return _label_files(data)
        case sections.RgbdData():
            frames = RgbdReader(data.root, data.depth_unit, data.intrinsics, data.colour_intrinsics, data.colour_offset)
            return _subsets(frames, *_divide(frames, data.split))
        case sections.DavisData():
            return _davis(data)
        case sections.CocoData():
            return _coco(data)
        case sections.GazeFollowData():
            return _gazefollow(data)
        case (
            sections.VocData() | sections.GooData() | sections.ImageFoldersData() | sections.NyuData()
            | sections.SunRgbdData() | sections.PetsData() | sections.Ade20kData() | sections.ImagePairsData()
        ):  # fmt: skip
            return _named(data)
        case _:
            assert_never(data)


def _check_place(data: Data) -> None:
    for key in ("root", "path"):
        place = getattr(data, key, None)
        if place is not None and not place.exists():
            hint = f"if the data have moved, add where they lie now: data.{key}=PATH"
            if isinstance(data, sections.InstructPoolData):
                hint = f"build it with `gensight datasets build-instruct`, see the top of the recipe; {hint}"
            raise DataError("the data are not there: no such file or folder", where=place, hint=hint)


def _puppets(data: sections.PuppetsData, truths: tuple[str, ...]) -> Splits:
    def part(number: int, count: int) -> Reader:
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

    held_out = (
        part(number, count) if count else None for number, count in ((1, data.num_validation), (2, data.num_test))
    )
    return Splits(part(0, data.num_train), *held_out)


def _divide(reader: Reader, split: Split) -> tuple[list[int], list[int], list[int]]:
    """(train, validation, test) indices."""
    count = len(reader)
    match split:
        case SeedSplit() | OrderSplit():
            seed = split.seed if isinstance(split, SeedSplit) else None
            train, validation, test = splits.split_by_shares(count, (split.train, split.validation, split.test), seed)
            return train, validation, test
        case BlocksSplit():
            others, test = splits.split_by_blocks(count, split.num_blocks, split.test_block)
        case VideosSplit():
            others, test = splits.split_by_group(reader.groups, split.test)
        case _:
            assert_never(split)
    train, validation = splits.validation_from_train(
        others, split.validation, seed=0 if isinstance(split, VideosSplit) else None
    )
    return train, validation, test


def _subsets(reader: Reader, train: list[int], validation: list[int], test: list[int]) -> Splits:
    return Splits(Subset(reader, train), *(Subset(reader, part) if part else None for part in (validation, test)))


def _with_validation(train: Reader, validation: Reader | None, test: Reader | None, data: OfficialLists) -> Splits:
    """Parts whose validation, where it is none of its own, is a share of the training samples."""
    if validation is None:
        train, validation = _apart(train, data.validation_share, data.seed)
    return Splits(train, validation, test)


def _apart(train: Reader, share: float, seed: int) -> tuple[Reader, Reader | None]:
    """A reader without some of its samples, and those: a share, at random."""
    kept, chosen = splits.validation_from_train(range(len(train)), share, seed=seed)
    return Subset(train, kept), Subset(train, chosen) if chosen else None


def _coco(data: sections.CocoData) -> Splits:
    def part(files: sections.CocoPart | None) -> Reader | None:
        if files is None:
            return None
        folder, labels = data.root / files.images, data.root / files.annotations
        return _named_keypoints(CocoReader(folder, labels, data.categories, missing=data.missing), data)

    train, test = part(data.train), part(data.test)
    assert train is not None
    if test is None:
        train, test = _apart(train, data.test_share, data.seed + 1)
    return _with_validation(train, part(data.validation), test, data)


def _named_keypoints(reader: Reader, data: KeypointLabels) -> Reader:
    return reader if data.keypoints is None else NamedKeypointsReader(reader, data.keypoints)


def _deeplabcut(data: sections.DeepLabCutData) -> Splits:
    reader = DeepLabCutReader(data.root, bodyparts=data.keypoints, missing=data.missing)
    train, validation, test = _divide(reader, data.split)
    if data.num_labels is not None:
        train = splits.evenly_spaced(train, data.num_labels)
    return _subsets(reader, train, validation, test)


def _label_files(data: sections.LabelFilesData) -> Splits:
    reader = LabelFilesReader(data.root, kind_of(type(data)), missing=data.missing)
    parts = reader.parts if isinstance(data.split, VideosSplit) else {}
    named = _named_keypoints(reader, data)
    if not isinstance(data.split, VideosSplit) or not parts.keys() & set(data.split.test):
        return _subsets(named, *_divide(named, data.split))
    groups = [next(name for name, some in parts.items() if index in some) for index in range(len(reader))]
    others, test = splits.split_by_group(groups, data.split.test)
    return _subsets(named, *splits.validation_from_train(others, data.split.validation, seed=0), test)


def _davis(data: sections.DavisData) -> Splits:
    opened = partial(DavisReader, data.root, year=data.year, missing=data.missing)
    if not isinstance(data.split, ListsSplit):
        reader = opened()
        return _subsets(reader, *_divide(reader, data.split))
    test = None if data.split.test is None else opened(data.split.test)
    return Splits(*_apart(opened(data.split.train), data.split.validation, 0), test)


Named = (
    sections.VocData | sections.GooData | sections.ImageFoldersData | sections.GazeFollowData | sections.NyuData
    | sections.SunRgbdData | sections.PetsData | sections.Ade20kData | sections.ImagePairsData
)  # fmt: skip


def _named(data: Named) -> Splits:
    validation, test = (None if name is None else _named_part(data, name) for name in (data.validation, data.test))
    return _with_validation(_named_part(data, data.train), validation, test, data)


def _named_part(data: Named, name: str) -> Reader:
    match data:
        case sections.VocData():
            return VocReader(data.root, name, data.task, missing=data.missing)
        case sections.GooData():
            return GooReader(data.root, name, data.head, missing=data.missing)
        case sections.GazeFollowData():
            return GazeFollowReader(data.root, name, missing=data.missing)
        case sections.ImageFoldersData():
            return ImageFoldersReader(data.root, name)
        case sections.ImagePairsData():
            return ImagePairsReader(data.root, name, data.task, data.folders)
        case sections.NyuData():
            if data.root.suffix == ".mat":
                return NyuReader(data.root, name)
            return NyuRawReader(data.root, f"nyu_{name}", missing=data.missing)
        case sections.SunRgbdData():
            return SunRgbdReader(data.root, name, missing=data.missing)
        case sections.PetsData():
            return PetsReader(data.root, name, missing=data.missing)
        case sections.Ade20kData():
            if (data.root / "images" / "ADE").is_dir():
                return Ade20kReader(data.root, name)
            return SceneParsingReader(data.root, name, missing=data.missing)
        case _:
            assert_never(data)


def _gazefollow(data: sections.GazeFollowData) -> Splits:
    parts = _named(data)
    if parts.test is None or data.num_test is None or data.num_test >= len(parts.test):
        return parts
    return replace(parts, test=_apart(parts.test, data.num_test / len(parts.test), data.seed)[1])


def _video_attention_target(data: sections.VideoAttentionTargetData) -> Splits:
    opened = partial(VideoAttentionTargetReader, data.root, missing=data.missing)
    learnt = validation = None
    if data.validation:
        learnt = [show for show in show_names(data.root, "train") if show not in data.validation]
        validation = opened("train", data.validation, step=data.step)
    return Splits(opened("train", learnt, step=data.step), validation, opened("test"))
