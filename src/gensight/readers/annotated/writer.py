"""Writes data sets in the project's own format: docs/dataset-format.md describes it.

A data set changes in one step: everything new lies beside the old until `dataset.json`, written last, names it.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import atomic_path, json_text, write_json
from gensight.files.images import write_image
from gensight.files.shards import json_line
from gensight.readers.annotated.labels import (
    MAPS,
    Entry,
    entry_files,
    instance_from_json,
    key_path,
    merge_instances,
    skeleton_from_json,
    skeleton_to_json,
    write_labels,
)
from gensight.readers.coco.writer import annotation, category_of
from gensight.samples import Array, Sample

FORMAT, VERSION = "gensight-annotated", 1
DESCRIPTION, SAMPLES, IMAGES = "dataset.json", "samples", "images"
COCO, COCO_CAPTIONS = "coco.json", "coco-captions.json"
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}\.\w+")  # what `atomic_path` calls a file that it writes
OWN = "source"  # the teacher name of labels that come from the source data set


def write_annotated(samples: Iterable[Sample], root: str | Path) -> None:
    """Writes samples with all their labels as a data set of its own: images are copied to `root/images` as PNG.

    Raises:
        DataError: There is no sample, two have the same key, or a key leads out of the folder.
    """
    root = Path(root)
    skeletons: dict[str, Entry] = {}

    def rows() -> Iterator[Entry]:
        for sample in samples:
            skeletons.update(sample_skeletons(sample))
            labels = write_labels(root, OWN, sample.key, sample, 1.0)
            yield {"key": sample.key, "image": copy_image(root, sample.key, sample.image()),
                   "size": list(sample.size), "group": sample.group,
                   "labels": [{"teacher": OWN} | labels]}  # fmt: skip

    commit(root, {"source": {"kind": "copies", "root": "."}, "teachers": []}, rows(), [], skeletons)


def sample_skeletons(sample: Sample) -> dict[str, Entry]:
    """The skeletons of a sample's instances, by name."""
    found = (instance.keypoints.skeleton for instance in sample.instances or () if instance.keypoints is not None)
    return {skeleton.name: skeleton_to_json(skeleton) for skeleton in found}


def copy_image(root: Path, key: str, pixels: Array) -> Entry:
    """Copies an image into the data set; returns the row's `image` entry."""
    name = f"{IMAGES}/{key_path(key)}"
    name = name if name.lower().endswith(".png") else f"{name}.png"
    write_image(root / name, pixels)
    return {"copy": name, "sha256": hashlib.sha256(pixels.tobytes()).hexdigest()}


def write_tracks(
    root: Path, folder: str, group: str, number: int, points: Array, visible: Array, confidence: Array, queries: Array
) -> Entry:
    """Writes one stretch of tracks as .npy files; returns their names."""
    entry: Entry = {}
    arrays = {"points": points, "visible": visible, "confidence": confidence, "queries": queries}
    for name, array in arrays.items():
        file = f"{MAPS}/{folder}/{key_path(group)}.tracks-{number}.{name}.npy"
        with atomic_path(root / file) as temporary, temporary.open("wb") as handle:
            np.lib.format.write_array(handle, np.ascontiguousarray(array), allow_pickle=False)
        entry[name] = file
    return entry


def commit(
    root: Path,
    description: Mapping[str, Any],
    rows: Iterable[Entry],
    videos: Iterable[Entry],
    skeletons: Mapping[str, Entry],
    unfinished: Collection[str] = (),
) -> None:
    """Makes rows and videos the data set's contents, in one step, and removes what they no longer name.

    Args:
        root: The data set's folder.
        description: `source`, `teachers` and whatever else belongs in `dataset.json`; counts are added.
        rows: One per image, streamed once.
        videos: One per video that has tracks; iterated after the rows.
        skeletons: Name -> definition, of every skeleton that an instance has; others are left out.
        unfinished: Folders below `maps` that others are writing to, which are left alone.

    Raises:
        DataError: There is no row, or a key comes twice.
        ResourceError: The disk is full.
    """
    tally = _Tally()
    name = _write_lines(root, (tally.counted(row) for row in rows))
    if not tally.keys:
        raise DataError("there are no images to put into a data set", where=root)
    videos = list(videos)
    videos_name = _write_lines(root, videos) if videos else None
    for video in videos:
        tally.count_labels(video["labels"], len(video["frames"]))
    skeletons = {name: entry for name, entry in sorted(skeletons.items()) if name in tally.skeletons}
    _write_coco(root, root / name, skeletons)
    teachers = [{**teacher, "num_images": tally.images[teacher["source"]],
                 "num_instances": tally.instances[teacher["source"]]}
                for teacher in description.get("teachers", ())]  # fmt: skip
    write_json(
        root / DESCRIPTION,
        {
            "format": FORMAT,
            "version": VERSION,
            **description,
            "teachers": teachers,
            "num_samples": len(tally.keys),
            "num_instances": sum(tally.instances.values()),
            "categories": sorted(tally.categories),
            "skeletons": skeletons,
            "samples": name,
            "videos": videos_name,
        },
        indent=1,
    )
    _sweep(root, tally.files | {name, videos_name or name}, unfinished)


class _Tally:
    """Counts rows as they stream by."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.files: set[str] = set()
        self.categories: set[str] = set()
        self.skeletons: set[str] = set()
        self.images: Counter[str] = Counter()
        self.instances: Counter[str] = Counter()

    def counted(self, row: Entry) -> Entry:
        if row["key"] in self.keys:
            raise DataError(f"two images have the key `{row['key']}`", hint="keys must differ: rename one of the files")
        self.keys.add(row["key"])
        self.count_labels(row["labels"])
        return row

    def count_labels(self, labels: Iterable[Entry], num_images: int = 1) -> None:
        for entry in labels:
            self.files.update(entry_files(entry))
            self.images[entry["teacher"]] += num_images
            found = entry.get("instances", ())
            self.instances[entry["teacher"]] += len(found)
            self.categories.update(instance["category"] for instance in found)
            self.skeletons.update(i["keypoints"]["skeleton"] for i in found if "keypoints" in i)


def _write_lines(root: Path, entries: Iterable[Entry]) -> str:
    """Writes JSON Lines below `samples`, named by their content, so that an old file is never changed."""
    digest = hashlib.sha256()
    unnamed = root / SAMPLES / "unnamed.jsonl"
    with atomic_path(unnamed) as temporary, temporary.open("wb") as file:
        for entry in entries:
            line = json_line(entry)
            digest.update(line)
            file.write(line)
    name = f"{SAMPLES}/{digest.hexdigest()[:16]}.jsonl"
    unnamed.replace(root / name)
    return name


def read_lines(path: Path) -> Iterator[Entry]:
    """The values of a JSON Lines file."""
    with path.open("rb") as file:
        for line in file:
            yield json.loads(line)


# --- COCO ---


def _write_coco(root: Path, rows: Path, skeletons: Mapping[str, Entry]) -> None:
    """Writes `coco.json` and `coco-captions.json`, streamed, as far as COCO can hold the labels of image files."""
    fields: set[str] = set()
    for row in read_lines(rows):
        if "video" not in row["image"]:
            fields.update(*row["labels"])
    for name, field in ((COCO, "instances"), (COCO_CAPTIONS, "caption")):
        if field not in fields:
            (root / name).unlink(missing_ok=True)
            continue
        with atomic_path(root / name) as temporary, temporary.open("w", encoding="utf-8") as file:
            _Coco(file, rows, skeletons, name == COCO).write()


class _Coco:
    """One COCO file."""

    def __init__(self, file: TextIO, rows: Path, skeletons: Mapping[str, Entry], instances: bool) -> None:
        self.file, self.rows, self.instances = file, rows, instances
        self.skeletons = {name: skeleton_from_json(name, entry) for name, entry in skeletons.items()}
        self.categories: dict[str, Entry] = {}

    def write(self) -> None:
        self.file.write('{"images": [')
        self._list(self._image(number, row) for number, row in self._files())
        self.file.write('], "annotations": [')
        found = (entry for number, row in self._files() for entry in self._annotations(number, row))
        self._list(entry | {"id": number} for number, entry in enumerate(found, start=1))
        self.file.write('], "categories": [')
        self._list(self.categories.values())
        self.file.write("]}\n")

    def _list(self, entries: Iterable[Entry]) -> None:
        for number, entry in enumerate(entries):
            self.file.write((",\n" if number else "\n") + json_text(entry))

    def _files(self) -> Iterator[tuple[int, Entry]]:
        files = (row for row in read_lines(self.rows) if "video" not in row["image"])
        return enumerate(files, start=1)

    @staticmethod
    def _image(number: int, row: Entry) -> Entry:
        name = row["image"].get("file") or row["image"]["copy"].removeprefix(f"{IMAGES}/")
        return {"id": number, "file_name": name, "height": row["size"][0], "width": row["size"][1]}

    def _annotations(self, number: int, row: Entry) -> Iterator[Entry]:
        if not self.instances:
            for entry in row["labels"]:
                if "caption" in entry:
                    yield {"image_id": number, "caption": entry["caption"], "teacher": entry["teacher"]}
            return
        for entry in merge_instances(row["labels"]) or ():
            plain = {name: value for name, value in entry.items() if name != "mask"}  # its runs are COCO's already
            instance = instance_from_json(plain, tuple(row["size"]), self.skeletons)
            mask = {"segmentation": {"size": list(row["size"]), "counts": entry["mask"]}} if "mask" in entry else {}
            more = {"image_id": number, "category_id": category_of(instance, self.categories)["id"],
                    "score": entry["score"], "teacher": entry["provenance"][0]}  # fmt: skip
            yield more | annotation(instance) | mask


# --- Tidying ---


def _sweep(root: Path, named: set[str], unfinished: Collection[str]) -> None:
    """Removes files that the data set no longer names, and those that killed writers left."""
    spared = tuple(f"{MAPS}/{folder}/" for folder in unfinished)
    for folder in (SAMPLES, MAPS):
        below = sorted((root / folder).rglob("*"), reverse=True) if (root / folder).is_dir() else []
        for path in below:
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif (name := path.relative_to(root).as_posix()) not in named and not name.startswith(spared):
                path.unlink()
    images = (root / IMAGES).rglob(".*") if (root / IMAGES).is_dir() else ()
    for path in [*root.glob(".*.json"), *images]:
        if _UNFINISHED.fullmatch(path.name):
            path.unlink()
