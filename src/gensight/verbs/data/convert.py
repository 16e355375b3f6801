"""`gensight convert`: labels or predictions from one format into another."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from gensight.assembly.readers import Splits, build_readers, undivided
from gensight.config.loading.loader import load_data
from gensight.errors import ConfigError, DataError, check_choice
from gensight.files.images import read_image
from gensight.files.videos.reading import open_video, read_frame
from gensight.readers.base import Reader
from gensight.readers.poses import formats
from gensight.readers.poses.table import PoseFrame, PoseTable, Subject
from gensight.samples import Instance, Sample
from gensight.skeletons import Skeleton
from gensight.verbs.data.datasets import FORMATS, KINDS
from gensight.verbs.data.survey import survey

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Converted:
    """What was written.

    Attributes:
        out: A file or a folder.
        num_images: Images or frames.
        num_subjects: Subjects in them.
        lost: What the format cannot hold.
    """

    out: Path
    num_images: int
    num_subjects: int
    lost: tuple[str, ...] = ()


def convert(source: str | Path, out: Path, overrides: Sequence[str] = (), to: str | None = None) -> Converted:
    """Reads labels or predictions of any known format, and writes them in another.

    Args:
        source: A file of keypoints (see `readers/poses`), a folder that `gensight predict` has written, any folder or
            file that `gensight init` understands, or a kind of data set, whose keys are in `overrides`.
        out: A file of keypoints, whose suffix names the format; or a new folder for a data set with images.
        overrides: `root=PATH` and its like, after a kind.
        to: Format of the file or data set; None: by the suffix.

    Raises:
        ConfigError: The formats are not known, or the file has another suffix than its format.
        DataError: The source can't be read, or the folder is not empty.
    """
    chosen = formats.format_of(out) if to is None else formats.FORMATS.get(to)
    if to in FORMATS and not out.suffix:  # `coco` is a file or a folder
        chosen = None
    elif chosen is None:
        check_choice(to or out.suffix or str(out), [*formats.FORMATS, *FORMATS], "--to")
    found = _open(source, overrides)
    if chosen is not None:
        if not out.name.lower().endswith(chosen.suffix):
            raise ConfigError(f"this format's files end with {chosen.suffix}", where=out, hint="name the file so")
        table = found if isinstance(found, PoseTable) else table_of(found.parts)
        chosen.write(table, out)
        counts = [len(frame.subjects) for frame in table.frames()]
        return Converted(out, len(counts), sum(counts), chosen.lost)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError("this folder is not empty", where=out, hint="choose a new one")
    return _write_folder(found, str(to), out, Path(source))


def _open(source: str | Path, overrides: Sequence[str]) -> PoseTable | Splits:
    if str(source) in KINDS:
        return build_readers(undivided(load_data(str(source), list(overrides))))
    path, refused = Path(source), None
    if overrides:
        raise ConfigError("keys go with a kind of data set", where=overrides[0], choices=KINDS,
                          hint="gensight convert KIND OUT root=PATH")  # fmt: skip
    if (path / "frames.csv").is_file() and (path / "keypoints.csv").is_file():
        return _predicted(path)
    chosen = formats.format_of(path)
    if chosen is not None and path.is_file():
        try:
            return chosen.read(path)
        except DataError as error:
            refused = error
    try:
        return build_readers(undivided(survey(path).data))
    except (ConfigError, DataError):
        if refused is not None:
            raise refused from None
        raise


def _predicted(folder: Path) -> PoseTable:
    """What `gensight predict` wrote: the csv, with the times and sizes of its frames, and the limbs."""
    table = formats.FORMATS["csv"].read(folder / "keypoints.csv")
    limbs = formats.FORMATS["coco"].read(folder / "images.json").skeleton
    with (folder / "frames.csv").open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))

    def frames() -> Iterator[PoseFrame]:
        for row, frame in zip(listed, table.frames(), strict=True):
            subjects = tuple(one._replace(keypoints=replace(one.keypoints, skeleton=limbs)) for one in frame.subjects)
            number, time = (None if row[name] == "" else float(row[name]) for name in ("frame", "time"))
            size = (int(row["height"]), int(row["width"]))
            yield PoseFrame(row["image"], subjects, None if number is None else int(number), time, size)

    return replace(table, frames=frames, skeleton=limbs, num_frames=len(listed))


def table_of(readers: Sequence[Reader]) -> PoseTable:
    """The keypoints of readers, one after the other. Raises DataError where there are none, or of several kinds."""
    skeleton: Skeleton | None = None
    most, names, is_named = 1, dict[str, None](), True
    for reader in readers:
        for sample in reader:
            own = _subjects(sample)
            for one in own:
                assert one.keypoints is not None  # of all of them
                skeleton = skeleton or one.keypoints.skeleton
                if one.keypoints.skeleton.keypoints != skeleton.keypoints:
                    raise DataError("subjects with different keypoints don't fit in one table", where=sample.key)
            identities = [one.identity for one in own if one.identity]
            is_named &= len(set(identities)) == len(own)
            names |= dict.fromkeys(identities)
            most = max(most, len(own))
    if skeleton is None:
        raise DataError("there are no keypoints to write", where=readers[0].folder, hint="choose a format with images")
    known = list(names) if is_named else []
    individuals = known or ([f"individual{number}" for number in range(1, most + 1)] if most > 1 else [])

    def frames() -> Iterator[PoseFrame]:
        for reader in readers:
            for sample in reader:
                placed = [
                    Subject(known.index(one.identity) if known and one.identity else number, one.keypoints,
                            one.confidence)
                    for number, one in enumerate(_subjects(sample)) if one.keypoints is not None
                ]  # fmt: skip
                number = sample.key.rpartition("#")[2]
                frame = int(number) if "#" in sample.key and number.isdigit() else None
                yield PoseFrame(sample.key, tuple(placed), frame, size=sample.size)

    return PoseTable(skeleton, frames, sum(map(len, readers)), tuple(individuals))


def _subjects(sample: Sample) -> list[Instance]:
    return [one for one in sample.instances or () if one.keypoints is not None and not one.is_crowd]


def _write_folder(found: PoseTable | Splits, to: str, out: Path, source: Path) -> Converted:
    """A data set with images; official parts stay what they were."""
    chosen, num, subjects = FORMATS[to], 0, 0

    def counted(samples: Iterable[Sample]) -> Iterator[Sample]:
        nonlocal num, subjects
        for sample in samples:
            num, subjects = num + 1, subjects + len(sample.instances or ())
            yield sample

    if isinstance(found, PoseTable):
        parts: list[Any] = [_samples(found, source)]
    else:
        parts = [found.train, found.validation, found.test]
    if not chosen.parts:
        chosen.write(counted(sample for part in parts for sample in part or ()), out)
        return Converted(out, num, subjects)
    if len(chosen.parts) == 2 and len(parts) == 3:  # what is scored stays apart; the rest trains
        parts = [[*parts[0], *(parts[1] or ())], parts[2]] if parts[2] else parts[:2]
    for (name, _), part in zip(chosen.parts, parts, strict=False):
        if part:
            chosen.write(list(counted(part)), out, part=name)
    return Converted(out, num, subjects)


def _samples(table: PoseTable, source: Path) -> Iterator[Sample]:
    """The frames of a table with their images: of its video, or beside the table. DataError where they are not."""
    video = next((path for path in (Path(table.video), source.parent / Path(table.video).name) if path.is_file()), None)
    for frame in table.frames():
        if frame.frame is not None and video is not None:
            image, size = partial(read_frame, video, frame.frame), open_video(video).size
            path = None
        else:
            path = next((one for one in (Path(frame.key), source.parent / frame.key) if one.is_file()), None)
            if path is None:
                raise DataError(f"the image `{frame.key}` is not there, and a data set holds images", where=source,
                                hint="put the table beside its images or video, or write a file: FILE.csv, .json ...",
                                )  # fmt: skip
            image = partial(read_image, path)
            size = image().shape[:2]
        instances = tuple(
            Instance("subject", keypoints=one.keypoints, confidence=one.score,
                     identity=table.individuals[one.place] if table.individuals else None)
            for one in frame.subjects
        )  # fmt: skip
        group = Path(table.video).stem if frame.frame is not None else ""
        yield Sample(frame.key, size, image, instances, group=group, path=None if path is None else str(path))
