"""DeepLabCut projects, single- and multi-animal: config.yaml and labeled-data/VIDEO/CollectedData_SCORER.csv or .h5.

Without config.yaml the label tables say which keypoints and animals there are. lightning-pose's projects are such: one
table of all videos, beside `labeled-data`; and a video's folder alone, with its table and images.

DeepLabCut's coordinates have 0 at the centre of the first pixel, so 0.5 is added. An empty cell is an
unlabelled keypoint; the format has no occlusion, so every labelled keypoint counts as visible.
"""

import re
import reprlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from gensight.errors import DataError, did_you_mean
from gensight.files.strangers import LimitError, load_yaml
from gensight.readers.base import Reader
from gensight.readers.deeplabcut.tables import SINGLE, Column, LabelTable, is_label_table, read_table
from gensight.readers.shared.checking import Finding
from gensight.readers.shared.listings import Missing, find_files, image_sample, keep_present, plain_text
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
        path = self.root / "config.yaml"
        self._findings: list[Finding] = []
        config = read_config(path, self._findings) if path.is_file() else {}
        tables = self._tables(str(config.get("scorer") or ""))
        known, self._individuals, everyone = _subjects(config, tables, bodyparts, path)
        chosen = tuple(bodyparts) if bodyparts is not None else known
        self._has_identity = bool(config.get("identity"))
        self._skeleton = Skeleton(
            str(config.get("Task") or self.root.name), chosen, _edges(config.get("skeleton"), chosen)
        )
        self.skeleton = self._skeleton
        self._keys, self._points = self._join(tables, known, everyone)
        files = find_files(self._keys, self.root, least=3)
        if not (self.root / "labeled-data").is_dir():  # a video's folder: its images lie beside its table
            names = {key: key.rpartition("/")[2] for key in self._keys if key not in files}
            beside = find_files(list(names.values()), self.root)
            files |= {key: beside[name] for key, name in names.items() if name in beside}
        self._findings += self._left_out(tables, everyone)
        kept, self.dropped = keep_present(self._keys, files.__contains__, "images", self.root, missing)
        self._points = self._points[[key in files for key in self._keys]]
        self._videos, self._keys = [key.split("/")[-2] for key in kept], [files[key] for key in kept]
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
        return self._videos[index]

    def findings(self) -> list[Finding]:
        """Folders without labels."""
        return self._findings

    def _tables(self, scorer: str) -> list[LabelTable]:
        """One label table per video folder, or else those of the root; folders without one hold unlabelled frames."""
        labeled = self.root / "labeled-data"
        tables = []
        folders = sorted(labeled.iterdir()) if labeled.is_dir() else []
        for folder in (path for path in folders if path.is_dir() and not path.name.startswith(".")):
            path = _table_path(folder, scorer)
            if path is not None:
                tables.append(read_table(path))
            elif not folder.name.endswith("_labeled"):  # those are DeepLabCut's own check plots
                self._findings.append(Finding("note", "folder without labels", str(folder)))
        if not tables and (tables := [read_table(path) for path in root_tables(self.root)]):
            self._findings = []  # theirs are the labels of all folders
        if not tables and not labeled.is_dir():
            what = "the project has no folder `labeled-data` and no label table"
            if not (self.root / "config.yaml").is_file():
                what = "not a DeepLabCut project: it has no config.yaml, no folder `labeled-data` and no label table"
            raise DataError(what, where=self.root, hint="is it the right folder?")
        return tables

    def _left_out(self, tables: list[LabelTable], everyone: tuple[str, ...]) -> list[Finding]:
        """Individuals without a label, and bodyparts of the animals' surroundings, which are read by name alone."""
        lacking = np.isnan(self._points).all((0, 2, 3)) if len(self._points) else ()
        empty = [
            name
            for name, none in zip(self._individuals, np.asarray(lacking, bool), strict=False)
            if none and name != SINGLE
        ]
        found = [Finding("note", f"nobody labelled the individual {name}", str(self.root)) for name in empty]
        if UNIQUE in everyone and UNIQUE not in self._individuals:
            names = dict.fromkeys(part for table in tables for name, part in table.columns if name == UNIQUE)
            what = f"uniquebodyparts ({', '.join(names)}) are not read along with the animals; to read them alone, set "
            found.append(Finding("note", f"{what}data.keypoints=[{','.join(names)}]", str(self.root)))
        return found

    def _join(
        self, tables: list[LabelTable], known: tuple[str, ...], everyone: tuple[str, ...]
    ) -> tuple[list[str], Array]:
        """Keys, and float64 (num_samples, num_individuals, K, 2) points in the project's convention."""
        names = self._skeleton.keypoints
        keys: list[str] = []
        parts = [np.empty((0, len(self._individuals), len(names), 2))]
        for table in tables:
            columns = self._compare_columns(table, known, everyone)
            place = {column: index for index, column in enumerate(columns)}
            order = [place.get((individual, part), -1) for individual in self._individuals for part in names]
            padded = np.concatenate([table.points, np.full((len(table.images), 1, 2), np.nan)], axis=1)
            parts.append(padded[:, order].reshape(-1, len(self._individuals), len(names), 2) + OFFSET)
            keys += [self._key(image, table, row) for row, image in enumerate(table.images)]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataError(f"image `{twice}` is labelled in two tables", where=self.root, hint="remove one of them")
        return keys, np.concatenate(parts)

    def _compare_columns(self, table: LabelTable, known: tuple[str, ...], everyone: tuple[str, ...]) -> list[Column]:
        """The table's columns, in the project's spelling of their names. A keypoint without columns isn't labelled."""
        columns = [(_spelt(name, everyone), _spelt(part, known)) for name, part in table.columns]
        strangers = sorted({name for name, _ in columns} - set(everyone))
        if strangers:
            raise DataError(
                f"individuals that config.yaml does not name: {', '.join(strangers)}", where=table.path,
                choices=everyone, hint="correct `individuals` or `multianimalproject` in config.yaml",
            )  # fmt: skip
        present = dict.fromkeys(part for individual, part in columns if individual in self._individuals)
        lacking = [part for part in known if part not in present]
        extra = [part for part in present if part not in known]
        if extra:
            parts = [f"lacks {', '.join(lacking)}"] if lacking else []
            parts += [f"has {', '.join(extra)} besides"]
            raise DataError(
                f"wrong keypoint count: the table {' and '.join(parts)}", where=table.path, choices=known,
                hint="its columns and the bodyparts of config.yaml must agree",
            )  # fmt: skip
        if lacking:
            self._findings.append(Finding("warning", f"table without {', '.join(lacking)}", str(table.path)))
        return columns

    def _key(self, image: str, table: LabelTable, row: int) -> str:
        """`labeled-data/VIDEO/IMAGE`, from a path that may also be absolute, start elsewhere, or be the name alone."""
        parts = [part for part in image.split("/") if part not in ("", ".")]
        if len(parts) == 1 and parts[0]:  # beside its table
            folder = table.path.parent.resolve()
            return "/".join(["labeled-data", folder.name, parts[0]])
        if len(parts) < 3 or parts[-3].lower() != "labeled-data" or ".." in parts[-2:]:
            hint = "a row begins with labeled-data/VIDEO/IMAGE"
            raise DataError(f"`{image}` is not the path of a labelled frame", where=table.row(row), hint=hint)
        return "/".join(["labeled-data", *parts[-2:]])


def root_tables(root: Path) -> list[Path]:
    """Label tables that lie in the project's folder itself, in order."""
    return [path for path in sorted(root.glob("*.csv")) if is_label_table(path)] if root.is_dir() else []


def is_project(root: Path) -> bool:
    """Whether a folder holds labels of DeepLabCut or lightning-pose, with a config.yaml or without."""
    labeled = root / "labeled-data"
    if (root / "config.yaml").is_file() and labeled.is_dir():
        return True
    return next(labeled.glob("*/CollectedData*"), None) is not None or bool(root_tables(root))


def _spelt(name: str, known: Sequence[str]) -> str:
    """A name as one of the known ones, where it differs from that one alone in case or in the form of its accents."""
    fitting = [other for other in known if plain_text(other) == plain_text(name)]
    return fitting[0] if name not in known and len(fitting) == 1 else name


_BLOCK = re.compile(r"^(?=[A-Za-z_]\w*\s*:)", re.MULTILINE)  # where a top-level key begins
_KEYS = ("Task", "scorer", "multianimalproject", "identity", "bodyparts", "multianimalbodyparts", "uniquebodyparts",
         "individuals", "skeleton")  # fmt: skip


def read_config(path: Path, findings: list[Finding]) -> Mapping[str, Any]:
    """What config.yaml says of the labels.

    Long paths and those of Windows often leave a file that is no YAML as a whole; each of these keys is then read by
    itself, and `findings` gets a note.

    Raises:
        DataError: The file can't be read, or one of these keys can't.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    try:
        config = load_yaml(text)
    except LimitError as error:
        raise DataError(f"not valid YAML: {' '.join(str(error).split())}", where=path) from error
    except yaml.YAMLError as error:
        blocks = {block.partition(":")[0].strip(): block for block in _BLOCK.split(text)}
        try:
            config = {}
            for key in _KEYS:
                if key in blocks:
                    config |= load_yaml(blocks[key])
        except (yaml.YAMLError, TypeError, ValueError) as damage:
            raise DataError(f"not valid YAML: {' '.join(str(damage).split())}", where=path) from error
        if not config.keys() & {"bodyparts", "multianimalbodyparts"}:
            raise DataError(f"not valid YAML: {' '.join(str(error).split())}", where=path) from error
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f", line {mark.line + 1}"
        findings.append(Finding("note", "not valid YAML; bodyparts and scorer are read all the same", f"{path}{line}"))
    if not isinstance(config, Mapping):
        raise DataError("not a DeepLabCut config: it has no keys", where=path)
    return config


def _subjects(
    config: Mapping[str, Any], tables: Sequence[LabelTable], bodyparts: Sequence[str] | None, path: Path
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """All bodyparts of the subjects to read, those subjects' names in the tables, and all names there may be."""
    multi = bool(config.get("multianimalproject"))
    columns = dict.fromkeys(column for table in tables for column in table.columns)
    named = tuple(dict.fromkeys(name for name, _ in columns))
    if config:
        common = _names(config, "multianimalbodyparts" if multi else "bodyparts", path)
        unique = _names(config, "uniquebodyparts", path) if multi and config.get("uniquebodyparts") else ()
        individuals = _names(config, "individuals", path) if multi else named or (SINGLE,)
        if multi and named == (SINGLE,):  # tables without a row of individuals
            individuals = (SINGLE,)
    else:
        unique = tuple(dict.fromkeys(part for name, part in columns if name == UNIQUE)) if len(named) > 1 else ()
        individuals = tuple(name for name in named if not unique or name != UNIQUE)
        common = tuple(dict.fromkeys(part for name, part in columns if name in individuals))
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
        raise DataError(f"`{key}` must be a list of names, got {reprlib.repr(value)}", where=path)
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
        others = sorted(folder.glob(f"CollectedData*{suffix}"))
        if len(others) > 1:
            raise DataError(
                "several label tables, and none by the project's scorer", where=folder,
                choices=[other.name for other in others], hint="correct `scorer` in config.yaml",
            )  # fmt: skip
        if others:
            return others[0]
    return None
