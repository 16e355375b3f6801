"""`gensight datasets`: the kinds of data sets, a look at one, and the built-in one written to disk."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from gensight import build
from gensight.config.data import CocoData, Data, DeepLabCutData, FolderData, PuppetsData, VideoData, VideosData
from gensight.config.loader import load_data, load_pretrain_recipe, load_recipe, read_recipe_file, recipe_path
from gensight.errors import ConfigError, DataError, nearest
from gensight.readers.base import Summary
from gensight.readers.coco_writer import write_coco
from gensight.readers.deeplabcut_writer import write_deeplabcut
from gensight.readers.puppets import PuppetsReader

KINDS = {
    section.model_fields["kind"].default: section
    for section in (PuppetsData, CocoData, DeepLabCutData, FolderData, VideoData, VideosData)
}
# Format on disk -> its writer, and the truths that it can hold.
FORMATS = {
    "coco": (write_coco, ("keypoints", "boxes", "masks")),
    "deeplabcut": (write_deeplabcut, ("keypoints",)),
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
        Name of each part (train, validation, test) -> what it holds.

    Raises:
        ConfigError: If the target is neither, or its keys have mistakes.
        DataError: If the data set cannot be opened at all.
    """
    splits = build.build_readers(_data(target, overrides))
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    return {name: reader.check() for name, reader in parts.items() if reader is not None}


def _data(target: str, overrides: list[str]) -> Data:
    if target in KINDS:
        return load_data(target, overrides)
    try:
        path = recipe_path(target)
    except ConfigError as error:
        if error.choices is None:  # a path, not a name
            raise
        near = nearest(target, [*KINDS, *error.choices])
        raise ConfigError(
            f"`{target}` is neither a kind of data set nor a recipe",
            choices=[*KINDS, *error.choices],
            hint=f"did you mean `{near}`?" if near else error.hint,
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
) -> Path:
    """Writes the built-in data set to a new or empty folder, in a format that other tools read.

    Args:
        kind: `puppets`.
        out: The folder.
        format: `coco` or `deeplabcut`.
        num_samples: Number of images.
        size: `HEIGHTxWIDTH` in pixels.
        subjects: `people`, `animals` or `all`.
        seed: Draws the scenes.

    Returns:
        The folder.

    Raises:
        ConfigError: On an unknown kind, format, size or subject.
        DataError: If the folder is not empty.
    """
    _require(kind, ("puppets",), "KIND")
    _require(format, FORMATS, "--format")
    write_format, truths = FORMATS[format]
    height, _, width = size.partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise ConfigError(f"`{size}` is not a size", where="--size", hint="write HEIGHTxWIDTH, such as 128x128")
    config = load_data(kind, [f"size=[{height}, {width}]", f"subjects={subjects}", f"num_train={num_samples}",
                              f"seed={seed}", "num_validation=0", "num_test=0"])  # fmt: skip
    assert isinstance(config, PuppetsData)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError("this folder is not empty", where=out, hint="choose a new one with --out")
    reader = PuppetsReader(config.num_train, config.seed, config.size, truths, config.subjects)
    write_format(reader, out)
    return out


def _require(value: str, choices: Collection[str], where: str) -> None:
    if value not in choices:
        raise ConfigError(f"unknown value '{value}'", where=where, choices=choices)
