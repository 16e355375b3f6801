"""Samples -> a DeepLabCut project, which `DeepLabCutReader` and DeepLabCut read."""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np
import yaml

from gensight.errors import DataError
from gensight.files.atomic import write_text
from gensight.files.images import write_image
from gensight.readers.deeplabcut.reader import OFFSET
from gensight.samples import Array, Sample
from gensight.skeletons import Skeleton

Labels = list[tuple[str | None, Array]]  # (identity, points in DeepLabCut's convention) of each subject


def write_deeplabcut(samples: Iterable[Sample], root: str | Path, scorer: str = "gensight") -> None:
    """Writes config.yaml, labeled-data/VIDEO/IMAGE.png and CollectedData_SCORER.csv, one image in memory at a time.

    A sample's group names its video; samples without a group go to the video `frames`. What the format knows is
    kept: located keypoints, and identities. It is a multi-animal project if an image has several subjects or one has
    an identity. Occluded keypoints become ordinary ones, crowds and everything else are left out.

    Raises:
        DataError: There is no sample, none has keypoints, subjects have different keypoints, or two samples would
            have the same path.
    """
    root = Path(root)
    skeleton: Skeleton | None = None
    videos: dict[str, dict[str, Labels]] = {}
    for sample in samples:
        labels: Labels = []
        for instance in sample.instances or ():
            if instance.keypoints is None or instance.is_crowd:
                continue
            skeleton = skeleton or instance.keypoints.skeleton
            if instance.keypoints.skeleton.keypoints != skeleton.keypoints:
                raise DataError("subjects with different keypoints don't fit in one project", where=sample.key)
            located = instance.keypoints.located[:, None]
            labels.append((instance.identity, np.where(located, instance.keypoints.points - OFFSET, np.nan)))
        video, image = _place(sample)
        rows = videos.setdefault(video, {})
        if image in rows:
            raise DataError(f"two samples would be written to {video}/{image}", where=root, hint="keys must differ")
        rows[image] = labels
        write_image(root / "labeled-data" / video / image, sample.image())
    if skeleton is None:
        raise DataError("there are no keypoints to write", where=root)
    individuals, has_identity = _individuals(videos)
    for video, rows in videos.items():
        path = root / "labeled-data" / video / f"CollectedData_{scorer}.csv"
        write_text(path, _table(video, rows, skeleton, individuals, has_identity, scorer))
    write_text(root / "config.yaml", _config(skeleton, individuals, has_identity, scorer, root))


def _place(sample: Sample) -> tuple[str, str]:
    """(video, image name). A key that is such a path already is kept."""
    parts = PurePosixPath(sample.key).parts
    video = "frames" if sample.group == sample.key else sample.group
    if len(parts) == 3 and parts[0] == "labeled-data":
        video, parts = parts[1], parts[2:]
    name = re.sub(r"[^\w.#-]+", "_", "_".join(parts))
    video = re.sub(r"[^\w.#-]+", "_", video).lstrip(".")
    return video or "frames", name if name.lower().endswith(".png") else f"{name}.png"


def _individuals(videos: dict[str, dict[str, Labels]]) -> tuple[list[str], bool]:
    """Names of the subjects' columns, none for a single-animal project; and whether they are identities."""
    frames = [labels for rows in videos.values() for labels in rows.values()]
    names = [[identity for identity, _ in labels] for labels in frames]
    known = list(dict.fromkeys(name for frame in names for name in frame if name is not None))
    if known and all(None not in frame and len(set(frame)) == len(frame) for frame in names):
        return known, True
    most = max(len(labels) for labels in frames)
    return ([f"individual{number}" for number in range(1, most + 1)] if most > 1 else []), False


def _table(
    video: str, rows: dict[str, Labels], skeleton: Skeleton, individuals: list[str], has_identity: bool, scorer: str
) -> str:
    columns = [(name, part, axis) for name in individuals or [""] for part in skeleton.keypoints for axis in "xy"]
    head = [["scorer", *[scorer] * len(columns)]]
    if individuals:
        head.append(["individuals", *[column[0] for column in columns]])
    head += [["bodyparts", *[column[1] for column in columns]], ["coords", *[column[2] for column in columns]]]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(head)
    for image, labels in rows.items():
        points = np.full((max(1, len(individuals)), len(skeleton), 2), np.nan)
        for number, (identity, subject) in enumerate(labels):
            points[individuals.index(identity) if has_identity and identity is not None else number] = subject
        cells = ["" if np.isnan(value) else repr(value) for value in points.reshape(-1).tolist()]
        writer.writerow([f"labeled-data/{video}/{image}", *cells])
    return text.getvalue()


def _config(skeleton: Skeleton, individuals: list[str], has_identity: bool, scorer: str, root: Path) -> str:
    """The keys that label readers need; DeepLabCut fills in the others."""
    parts = list(skeleton.keypoints)
    config = {
        "Task": skeleton.name,
        "scorer": scorer,
        "multianimalproject": bool(individuals),
        "identity": has_identity,
        "project_path": str(root),
        "video_sets": {},
        "bodyparts": "MULTI!" if individuals else parts,
        "skeleton": [[parts[a], parts[b]] for a, b in skeleton.edges],
    }
    if individuals:
        config |= {"individuals": individuals, "uniquebodyparts": [], "multianimalbodyparts": parts}
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
