"""DeepLabCut projects, single- and multi-animal: config.yaml and labeled-data/VIDEO/CollectedData_SCORER.csv or .h5.

DeepLabCut's coordinates have 0 at the centre of the first pixel, so 0.5 is added. An empty cell is an
unlabelled keypoint; the format has no occlusion, so every labelled keypoint counts as visible.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from gensight.errors import DataError, did_you_mean
from gensight.readers.base import Reader
from gensight.readers.deeplabcut.tables import SINGLE, LabelTable, read_table
from gensight.readers.shared.checking import Finding
from gensight.readers.shared.listings import Missing, files_present, image_sample, keep_present
from gensight.samples import Array, Instance, Keypoints, Sample, Visibility
from gensight.skeletons import Skeleton

OFFSET = 0.5
UNIQUE = "single"  # the individual that carries a multi-animal project's unique bodyparts


class DeepLabCutReader(Reader):
    """The labelled frames of a DeepLabCut project, in the order of its label tables; the videos' folders are sorted.

    A sample's key is its image's path from the project, its group the video. Instances (category `animal`) carry
    keypoints, and an identity where the project declares that names are individuals (`identity: true`); an animal
    without any labelled keypoint in a frame is left out of it. A multi-animal project is read by its
    `multianimalbodyparts`; name some of its `uniquebodyparts` in `bodyparts` to read those instead.

    Args:
        root: The project's folder.
        bodyparts: Keypoints to read, in this order; None reads all.
        missing: Refuse (`error`) labels whose image is missing, or leave out and count (`drop`).

    Raises:
        DataError: Naming file and row, for whatever is wrong with the project.
    """

    name = "deeplabcut"
    categories = ("animal",)

    def __init__(
        self,
        root: str | Path,
        *,
        bodyparts: Sequence[str] | None = None,
        missing: Missing = "error",
    ) -> None:
        self.root = Path(root)
        config = _read_config(self.root / "config.yaml")
        known, self._individuals, everyone = _subjects(config, bodyparts, self.root / "config.yaml")
        chosen = tuple(bodyparts) if bodyparts is not None else known
        self._has_identity = bool(config.get("identity"))
        self._skeleton = Skeleton(
            str(config.get("Task") or self.root.name), chosen, _edges(config.get("skeleton"), chosen)
        )
        self.skeleton = self._skeleton
        self._findings: list[Finding] = []
        tables = self._tables(str(config.get("scorer") or ""))
        self._keys, self._points = self._join(tables, known, everyone)
        present = files_present(self._keys, self.root)
        kept, self.dropped = keep_present(self._keys, present, "images", self.root, missing)
        if self.dropped:
            self._points = self._points[[present(key) for key in self._keys]]
            self._keys = kept
        if not self._keys:
            raise DataError("no labelled frames", where=self.root / "labeled-data", hint="label some frames first")

    def __len__(self) -> int:
        return len(self._keys)

    def sample(self, index: int) -> Sample:
        key = self._keys[index]
        instances = tuple(
            Instance(
                category="animal",
                keypoints=self._keypoints(points),
                identity=name if self._has_identity and name != SINGLE else None,
            )
            for name, points in zip(self._individuals, self._points[index], strict=True)
            if np.isfinite(points).any()
        )
        return image_sample(key, self.root / key, instances=instances, group=self.group(index))

    def _keypoints(self, points: Array) -> Keypoints:
        labelled = np.isfinite(points).all(-1)
        visibility = np.where(labelled, Visibility.VISIBLE, Visibility.UNLABELLED).astype(np.int8)
        return Keypoints(self._skeleton, points, visibility, np.ones(len(points), np.float32))

    def group(self, index: int) -> str:
        return self._keys[index].split("/")[-2]

    def findings(self) -> list[Finding]:
        """Folders without labels."""
        return self._findings

    def _tables(self, scorer: str) -> list[LabelTable]:
        """One label table per video folder; folders without one hold unlabelled frames."""
        labeled = self.root / "labeled-data"
        if not labeled.is_dir():
            raise DataError("the project has no folder `labeled-data`", where=self.root, hint="is it the right folder?")
        tables = []
        for folder in sorted(path for path in labeled.iterdir() if path.is_dir() and not path.name.startswith(".")):
            path = _table_path(folder, scorer)
            if path is not None:
                tables.append(read_table(path))
            elif not folder.name.endswith("_labeled"):  # those are DeepLabCut's own check plots
                self._findings.append(Finding("note", "folder without labels", str(folder)))
        return tables

    def _join(
        self, tables: list[LabelTable], known: tuple[str, ...], everyone: tuple[str, ...]
    ) -> tuple[list[str], Array]:
        """Keys, and float64 (num_samples, num_individuals, K, 2) points in the project's convention."""
        names = self._skeleton.keypoints
        keys: list[str] = []
        parts = [np.empty((0, len(self._individuals), len(names), 2))]
        for table in tables:
            self._compare_columns(table, known, everyone)
            place = {column: index for index, column in enumerate(table.columns)}
            order = [place.get((individual, part), -1) for individual in self._individuals for part in names]
            padded = np.concatenate([table.points, np.full((len(table.images), 1, 2), np.nan)], axis=1)
            parts.append(padded[:, order].reshape(-1, len(self._individuals), len(names), 2) + OFFSET)
            keys += [self._key(image, table, row) for row, image in enumerate(table.images)]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataError(f"image `{twice}` is labelled in two tables", where=self.root, hint="remove one of them")
        return keys, np.concatenate(parts)

    def _compare_columns(self, table: LabelTable, known: tuple[str, ...], everyone: tuple[str, ...]) -> None:
        present = {part for individual, part in table.columns if individual in self._individuals}
        strangers = sorted({name for name, _ in table.columns} - set(everyone))
        if strangers:
            raise DataError(
                f"individuals that config.yaml does not name: {', '.join(strangers)}", where=table.path,
                choices=everyone, hint="correct `individuals` or `multianimalproject` in config.yaml",
            )  # fmt: skip
        lacking = [part for part in known if part not in present]
        extra = sorted(present - set(known))
        if lacking or extra:
            parts = [f"lacks {', '.join(lacking)}"] if lacking else []
            parts += [f"has {', '.join(extra)} besides"] if extra else []
            raise DataError(
                f"wrong keypoint count: the table {' and '.join(parts)}", where=table.path, choices=known,
                hint="its columns and the bodyparts of config.yaml must agree",
            )  # fmt: skip

    def _key(self, image: str, table: LabelTable, row: int) -> str:
        """`labeled-data/VIDEO/IMAGE`, from a path that may also be absolute or start elsewhere."""
        parts = image.split("/")
        if len(parts) < 3 or parts[-3] != "labeled-data" or ".." in parts[-2:]:
            hint = "a row begins with labeled-data/VIDEO/IMAGE"
            raise DataError(f"`{image}` is not the path of a labelled frame", where=table.row(row), hint=hint)
        return "/".join(parts[-3:])


def _read_config(path: Path) -> Mapping[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError("not a DeepLabCut project: it has no config.yaml", where=path, hint="check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"not valid YAML: {' '.join(str(error).split())}", where=path) from error
    if not isinstance(config, Mapping):
        raise DataError("not a DeepLabCut config: it has no keys", where=path)
    return config


def _subjects(
    config: Mapping[str, Any], bodyparts: Sequence[str] | None, path: Path
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """All bodyparts of the subjects to read, those subjects' names in the tables, and all names there may be."""
    multi = bool(config.get("multianimalproject"))
    common = _names(config, "multianimalbodyparts" if multi else "bodyparts", path)
    unique = _names(config, "uniquebodyparts", path) if multi and config.get("uniquebodyparts") else ()
    individuals = _names(config, "individuals", path) if multi else (SINGLE,)
    everyone = (*individuals, UNIQUE) if unique else individuals
    if bodyparts is None or set(bodyparts) <= set(common):
        chosen = common
    elif set(bodyparts) <= set(unique):
        chosen, individuals = unique, (UNIQUE,)
    else:
        wrong = next((part for part in bodyparts if part not in (*common, *unique)), None)
        what = f"there is no bodypart `{wrong}`" if wrong else "animals' and unique bodyparts can't be read together"
        hint = did_you_mean(wrong, (*common, *unique)) if wrong else None
        raise DataError(what, where=path, choices=(*common, *unique), hint=hint)
    if bodyparts is not None and (not bodyparts or len(set(bodyparts)) < len(bodyparts)):
        raise DataError("choose at least one bodypart, each once", where=path, choices=(*common, *unique))
    return chosen, individuals, everyone


def _names(config: Mapping[str, Any], key: str, path: Path) -> tuple[str, ...]:
    value = config.get(key)
    if not isinstance(value, list) or not value:
        raise DataError(f"`{key}` must be a list of names, got {value!r}", where=path)
    names = tuple(str(name) for name in value)
    if len(set(names)) < len(names):
        raise DataError(f"`{key}` names one thing twice: {', '.join(names)}", where=path)
    return names


def _edges(skeleton: Any, names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Limbs between chosen bodyparts; others (the config template has some) are left out."""
    chains = [chain for chain in skeleton or () if isinstance(chain, list)]
    pairs = [(str(a), str(b)) for chain in chains for a, b in pairwise(chain)]
    return tuple((names.index(a), names.index(b)) for a, b in pairs if a in names and b in names)


def _table_path(folder: Path, scorer: str) -> Path | None:
    """The folder's label table: csv before h5, the project's scorer before others."""
    for suffix in (".csv", ".h5"):
        path = folder / f"CollectedData_{scorer}{suffix}"
        if path.is_file():
            return path
        others = sorted(folder.glob(f"CollectedData_*{suffix}"))
        if len(others) > 1:
            raise DataError(
                "several label tables, and none by the project's scorer", where=folder,
                choices=[other.name for other in others], hint="correct `scorer` in config.yaml",
            )  # fmt: skip
        if others:
            return others[0]
    return None
