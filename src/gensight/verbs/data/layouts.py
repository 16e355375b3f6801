"""Data sets that are known by the layout of their folder, and the packaged recipe that fits each."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from gensight.config.data import Data
from gensight.config.loading.loader import load_recipe
from gensight.config.loading.overrides import text_override
from gensight.config.schema import RunConfig
from gensight.config.sections import FolderLayout, kind_of, members
from gensight.errors import ConfigError
from gensight.readers.annotated.reader import is_described, read_description

MOST_FILES = 5000  # looked at, for files that may lie in folders of any depth


@dataclass(frozen=True)
class Recognised:
    """A data set's kind and its layout."""

    kind: str
    layout: FolderLayout


def recognise(folder: Path) -> Recognised | None:
    """The kind and layout of a folder; None if it has none of those known. DataError: a damaged one of `annotate`."""
    if is_described(folder):
        return _annotated(read_description(folder))
    for section in members(Data):
        layout = section.layout
        if layout is not None and all(
            any(_matches(folder, pattern) for pattern in mark.split("|")) for mark in layout.marks
        ):
            return Recognised(kind_of(section), layout)
    return None


def _matches(folder: Path, pattern: str) -> bool:
    if not pattern.startswith("**/"):
        return next(folder.glob(pattern), None) is not None
    return any(path.match(pattern[3:]) for path in islice(folder.rglob("*"), MOST_FILES))


def _annotated(description: Mapping[str, Any]) -> Recognised | None:
    """A data set of `gensight annotate`, by the labels of its teachers; None for keypoints, which any survey finds."""
    if description["skeletons"]:
        return None
    labels = {label for teacher in description["teachers"] for label in teacher.get("labels", ())}
    title = f"labels of teachers ({', '.join(sorted(labels)) or 'none'})"
    for label, recipe in (("tracks", "davis-correspondence"), ("depth", "puppets-depth"), ("edges", "puppets-edges")):
        if label in labels:
            return Recognised("annotated", FolderLayout(title, (), recipe, ("data.split.kind=seed",)))
    return Recognised("annotated", FolderLayout(title, (), None))


def recipe_for(found: Recognised, folder: Path, name: str) -> RunConfig:
    """The recipe for a data set of a known layout.

    Raises:
        ConfigError: Where no recipe trains on it directly; the hint names the commands that do.
    """
    layout = found.layout
    if layout.recipe is None:
        hint = (
            f'gensight datasets build-instruct --from "{found.kind} root={folder}" --out runs/pool, '
            "then gensight train instruct-puppets data.root=runs/pool"
        )
        raise ConfigError(
            f"this is {layout.title}: its masks, boxes and classes are learned together, by instructions",
            where=folder,
            hint=f"{hint}; {layout.advice}" if layout.advice else hint,
        )
    config = load_recipe(
        layout.recipe, [f"data.kind={found.kind}", text_override("data.root", folder), *layout.changes]
    )
    return config.model_copy(update={"name": name, "description": f"{layout.title}, after {layout.recipe}"})
