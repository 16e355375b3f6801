"""`gensight datasets`: the kinds of data sets, a look at one, and the built-in one written to disk."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

from gensight.assembly.readers import build_readers, undivided
from gensight.config.data import Data, PuppetsData
from gensight.config.loading.loader import load_data, load_pretrain_recipe, load_recipe, read_recipe_file, recipe_path
from gensight.config.sections import kind_of, members
from gensight.errors import ConfigError, DataError, check_choice, did_you_mean
from gensight.files.atomic import bulk_writes
from gensight.readers.annotated.writer import write_annotated
from gensight.readers.ap10k.writer import write_ap10k
from gensight.readers.base import Summary
from gensight.readers.coco.writer import write_coco
from gensight.readers.davis.writer import write_davis
from gensight.readers.deeplabcut.writer import write_deeplabcut
from gensight.readers.footage.writer import write_videos
from gensight.readers.gazefollow.reader import write_gazefollow
from gensight.readers.goo import annotations as goo_files
from gensight.readers.goo.reader import write_goo
from gensight.readers.puppets import PuppetsReader
from gensight.readers.rgbd.writer import write_rgbd
from gensight.readers.shared.checking import Finding
from gensight.readers.shared.label_counts import LabelCounts
from gensight.readers.spair.writer import write_spair
from gensight.readers.splits import EmptySplitError, Subset, shared_images
from gensight.readers.video_attention_target import write_video_attention_target
from gensight.readers.voc import to_coco as voc_to_coco_files
from gensight.readers.voc.writer import write_voc

KINDS = {kind_of(section): section for section in members(Data)}


@dataclass(frozen=True)
class Format:
    """A format on disk.

    Attributes:
        write: Its writer; with `parts` it is called once for each.
        truths: What of the built-in data set it can hold.
        parts: Names of its official parts and their shares of the scenes; empty where it has none.
        num_frames: Images of one scene by default: more than one where the format is about time.
        fewest: Scenes that each part needs.
    """

    write: Callable[..., Any]
    truths: tuple[str, ...]
    parts: tuple[tuple[str, float], ...] = ()
    num_frames: int = 1
    fewest: int = 1


_TWO, _THREE = (("train", 0.8), ("val", 0.2)), (("train", 0.7), ("val", 0.1), ("test", 0.2))
_TRAIN_TEST = (("train", 0.8), ("test", 0.2))
FORMATS = {
    "coco": Format(write_coco, ("keypoints", "boxes", "masks")),
    "deeplabcut": Format(write_deeplabcut, ("keypoints",)),
    "voc": Format(write_voc, ("boxes", "masks", "gaze"), _TWO),
    "davis": Format(write_davis, ("masks", "identity"), _TWO, num_frames=8),
    "rgbd": Format(write_rgbd, ("depth", "camera"), num_frames=8),
    "spair": Format(write_spair, ("keypoints", "boxes"), (("trn", 0.7), ("val", 0.1), ("test", 0.2)), fewest=2),
    "ap10k": Format(write_ap10k, ("keypoints", "boxes", "masks"), _THREE),
    "gazefollow": Format(write_gazefollow, ("gaze", "boxes"), _TRAIN_TEST),
    "video-attention-target": Format(write_video_attention_target, ("gaze",), _TRAIN_TEST, num_frames=8),
    "goo": Format(write_goo, ("gaze", "boxes"), _TRAIN_TEST),
    "annotated": Format(write_annotated, ("keypoints", "boxes", "gaze")),
    "videos": Format(write_videos, ("boxes",), num_frames=48),
}


@dataclass(frozen=True)
class DataKind:
    """One kind of data set: its name, what it is in one line, and its keys."""

    name: str
    description: str
    needs: tuple[str, ...]


def data_kinds() -> list[DataKind]:
    """Every kind that a recipe's `data` section can have, with the keys that must be given first."""
    kinds = []
    for name, section in KINDS.items():
        fields = [(key, info) for key, info in section.model_fields.items() if key != "kind"]
        needed = [f"{key}: {info.description}" for key, info in fields if info.is_required()]
        optional = ", ".join(key for key, info in fields if not info.is_required())
        more = [f"optional: {optional}"] if optional else []
        kinds.append(DataKind(name, (section.__doc__ or "").split("\n")[0], (*needed, *more)))
    return kinds


def check(target: str, overrides: list[str]) -> dict[str, Summary]:
    """Looks at everything in a data set: files exist and decode, labels are plausible.

    Args:
        target: A kind of data set, or a recipe's name or path.
        overrides: `root=PATH` after a kind, `data.root=PATH` after a recipe.

    Returns:
        Name of each part (train, validation, test) -> what it holds; `undivided` where its images are too few;
            `all` where something is wrong with the labels of all parts together.

    Raises:
        ConfigError: If the target is neither, or its keys have mistakes.
        DataError: If the data set cannot be opened at all.
    """
    data = _data(target, overrides)
    try:
        splits = build_readers(data)
    except EmptySplitError as error:  # a few images can be looked at, though not divided
        finding = Finding("warning", f"{error.what}: it can't be trained on as it is", error.hint or "")
        found = {"undivided": _with_findings(build_readers(undivided(data)).train.check(), [finding])}
    else:
        parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
        found = {name: reader.check() for name, reader in parts.items() if reader is not None}
        if twice := shared_images(splits.parts):
            finding = Finding.at("warning", "image that stands in more than one part", twice)
            found["train"] = _with_findings(found["train"], [finding])
    labels = sum((summary.labels for summary in found.values()), LabelCounts())
    if findings := [Finding("warning", *warning) for warning in labels.warnings()]:
        several = list(found.values())
        whole = several[0]
        if len(several) > 1:
            truths = tuple(dict.fromkeys(truth for one in several for truth in one.truths))
            whole = Summary(sum(one.num_samples for one in several), sum(one.num_instances for one in several), truths)
        found["all" if len(found) > 1 else next(iter(found))] = _with_findings(whole, findings)
    return found


def _with_findings(summary: Summary, findings: list[Finding]) -> Summary:
    return replace(summary, findings=(*summary.findings, *findings))


def _data(target: str, overrides: list[str]) -> Data:
    if target in KINDS:
        return load_data(target, overrides)
    try:
        path = recipe_path(target)
    except ConfigError as error:
        if error.choices is None:  # a path, not a name
            raise
        raise ConfigError(
            f"`{target}` is neither a kind of data set nor a recipe",
            choices=[*KINDS, *error.choices],
            hint=did_you_mean(target, [*KINDS, *error.choices]) or error.hint,
        ) from None
    if read_recipe_file(path).value.get("verb") == "pretrain":
        return load_pretrain_recipe(path, overrides).data
    return load_recipe(path, overrides).data


def write(
    kind: str,
    out: Path,
    format: str = "coco",
    num_samples: int = 100,
    size: str = "128x128",
    subjects: str = "people",
    seed: int = 0,
    num_frames: int | None = None,
    style: str = "full",
) -> Path:
    """Writes the built-in data set to a new or empty folder, in a format that other tools read.

    Args:
        kind: `puppets`.
        out: The folder.
        format: One of `FORMATS`. Those with official parts get them, of whole scenes.
        num_samples: Number of images.
        size: `HEIGHTxWIDTH` in pixels.
        subjects: `people`, `animals` or `all`.
        seed: Of the scenes.
        num_frames: Consecutive images that show one scene in motion; None: as the format needs.
        style: `clean` scenes as the packaged backbone has learned, or `full`, with all difficulties.

    Returns:
        The folder.

    Raises:
        ConfigError: On an unknown kind, format, size or subject.
        DataError: If the folder is not empty, there are too few images for the format's parts, or it can't hold them.
    """
    check_choice(kind, ("puppets",), "KIND")
    check_choice(format, FORMATS, "--format")
    chosen = FORMATS[format]
    height, _, width = size.partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise ConfigError(f"`{size}` is not a size", where="--size", hint="write HEIGHTxWIDTH, such as 128x128")
    frames = chosen.num_frames if num_frames is None else num_frames
    config = load_data(kind, [f"size=[{height}, {width}]", f"subjects={subjects}", f"style={style}",
                              f"num_train={num_samples}", f"num_frames={frames}", f"seed={seed}",
                              "num_validation=0", "num_test=0"])  # fmt: skip
    assert isinstance(config, PuppetsData)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError("this folder is not empty", where=out, hint="choose a new one with --out")
    reader = PuppetsReader(
        config.num_train,
        config.seed,
        config.size,
        chosen.truths,
        config.subjects,
        num_frames=config.num_frames,
        style=config.style,
    )
    with bulk_writes():
        if not chosen.parts:
            chosen.write(reader, out)
        for part, indices in _parts(chosen, len(reader), config.num_frames).items():
            chosen.write(Subset(reader, indices), out, part=part)
    return out


def pickle_to_json(source: Path, out: Path | None = None) -> tuple[Path, int]:
    """Turns a pickle of GOO's annotations into json; nothing that it names is called.

    Returns:
        The file (`source` with the suffix .json if `out` is None), and its number of records.

    Raises:
        DataError: If it is no such pickle, or the file to write exists.
    """
    target = source.with_suffix(".json") if out is None else out
    _require_new(target)
    return target, goo_files.pickle_to_json(source, target)


def voc_to_coco(
    root: Path,
    out: Path | None = None,
    part: str = "trainval",
    task: str = "Main",
    difficult: str = "keep",
) -> tuple[Path, int, int]:
    """Writes a list of a PASCAL VOC folder as a COCO instances file; see `readers.voc_to_coco`.

    Returns:
        The file (`ROOT/instances_PART.json` if `out` is None), and its numbers of images and objects.

    Raises:
        ConfigError: On another `task` or way with `difficult` objects.
        DataError: If it is no such folder or list, or the file to write exists.
    """
    check_choice(task, get_args(voc_to_coco_files.Task), "--task")
    check_choice(difficult, get_args(voc_to_coco_files.Difficult), "--difficult")
    target = root / f"instances_{part}.json" if out is None else out
    _require_new(target)
    counts = voc_to_coco_files.voc_to_coco(
        root, target, part, cast(voc_to_coco_files.Task, task), cast(voc_to_coco_files.Difficult, difficult)
    )
    return target, *counts


def _require_new(path: Path) -> None:
    if path.exists():
        raise DataError("this file exists already", where=path, hint="name another with --out")


def _parts(chosen: Format, num_samples: int, num_frames: int) -> dict[str, range]:
    """Samples of each official part, whole scenes; the first part gets what the others leave."""
    num_scenes = -(-num_samples // num_frames)
    if num_scenes < chosen.fewest * len(chosen.parts):
        least = (chosen.fewest * len(chosen.parts) - 1) * num_frames + 1
        parts = ", ".join(name for name, _ in chosen.parts)
        what = f"{num_samples} images of {num_frames} a scene are too few for the parts {parts}"
        raise DataError(what, hint=f"ask for {least} or more with --num")
    found, stop = {}, num_scenes
    for name, share in reversed(chosen.parts[1:]):
        start = stop - max(chosen.fewest, round(share * num_scenes))
        found[name] = range(start * num_frames, min(stop * num_frames, num_samples))
        stop = start
    return {chosen.parts[0][0]: range(stop * num_frames), **found} if chosen.parts else {}
