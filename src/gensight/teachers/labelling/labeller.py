"""One teacher at work on batches of one source: the part that any engine, here or elsewhere, runs."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from gensight.errors import DataError
from gensight.files.atomic import readable
from gensight.files.hashing import value_hash
from gensight.readers.annotated.labels import Entry, instance_to_json, write_labels
from gensight.readers.annotated.reader import AnnotatedReader, is_annotated
from gensight.readers.annotated.writer import OWN, copy_image, sample_skeletons, write_tracks
from gensight.samples import Array, Instance, Sample
from gensight.teachers.base import Labels, Teacher
from gensight.teachers.labelling.sources import LabellingSource, image_identity

_CARRIED = ("box", "keypoints", "mask", "head_box", "gaze", "area", "identity")


class UnreadableImageError(DataError):
    """A frame of a video that its teacher needs can't be read."""

    def __init__(self, key: str, error: DataError) -> None:
        super().__init__(error.what, where=error.where, hint=error.hint)
        self.key = key


@dataclass(frozen=True, eq=False)
class _Decoded:
    """Pixels that are read already; its call is `Sample.image`, or any other field that is called."""

    value: Any

    def __call__(self) -> Any:
        return self.value


@dataclass(frozen=True, eq=False)
class _Guarded:
    """Reads an image; the error names it."""

    key: str
    read: Callable[[], Array]

    def __call__(self) -> Array:
        try:
            return self.read()
        except DataError as error:
            raise UnreadableImageError(self.key, error) from error


def teacher_folder(teacher: Teacher) -> str:
    """The folder of a teacher's maps and work: readable, and of its own for each fingerprint."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", teacher.name).strip("-")
    return f"{name[:60]}-{teacher.fingerprint()[:8]}"


def describe_teacher(teacher: Teacher) -> Entry:
    """A teacher's entry in `dataset.json`."""
    return {
        "source": teacher.source,
        "name": teacher.name,
        "version": teacher.version,
        "settings": dict(teacher.settings()),
        "fingerprint": teacher.fingerprint(),
        "labels": list(teacher.labels),
        "reads": [*teacher.needs, *teacher.uses],
        "unit": teacher.unit,
    } | ({} if teacher.model_location is None else {"model": teacher.model_location})


def preceding(labels: Sequence[Entry], teachers: Sequence[Mapping[str, Any]], name: str) -> list[Entry]:
    """Of an image's labels those that this teacher is shown: the source's own, and those of teachers before it."""
    names = [teacher["name"] for teacher in teachers]
    first = teachers[: names.index(name)] if name in names else teachers
    shown = {OWN, *(teacher["source"] for teacher in first)}
    return [entry for entry in labels if entry["teacher"] in shown]


def inputs_hash(labels: Sequence[Entry], reads: Sequence[str]) -> str | None:
    """A hash of the labels that a teacher read, to see whether they changed; None if it reads none."""
    if not reads:
        return None
    read = [[entry.get(name) for name in reads] for entry in labels if any(name in entry for name in reads)]
    return value_hash(read)[:16]


class Labeller:
    """Turns indices of a source into lines for a work file; picklable before its first use.

    Args:
        source: What is labelled.
        teacher: Who labels.
        out: The data set's folder; maps are written there, and labels that are there already are shown.
    """

    def __init__(self, source: LabellingSource, teacher: Teacher, out: Path) -> None:
        self.source, self.teacher, self.out = source, teacher, out
        self.folder = teacher_folder(teacher)
        self._is_prepared = False

    @cached_property
    def known(self) -> AnnotatedReader | None:
        """The data set as it is."""
        return AnnotatedReader(self.out) if is_annotated(self.out) else None

    def run(self, indices: Sequence[int]) -> Entry:
        """Labels a batch of images, or the frames of one video: a line of the work file.

        Images that can't be read get a `problem` in place of a label.

        Raises:
            DataError: A sample lacks what the teacher needs.
        """
        if not self._is_prepared:
            self.teacher.prepare()
            self._is_prepared = True
        video = self.teacher.unit == "video"
        looked = [self._look(index, decode=not video) for index in indices]
        shown = [(row, sample) for row, sample in looked if sample is not None]
        line: Entry = {"rows": [row for row, _ in looked], "skeletons": {}, "video": None}
        if video:
            line["video"] = self._label_video(shown)
        elif shown:
            labels = self.teacher.label([sample for _, sample in shown])
            for (row, sample), found in zip(shown, labels, strict=True):
                row["label"] = self._stamp(self._entry(sample, found), row["shown"])
                line["skeletons"] |= sample_skeletons(replace(sample, instances=found.instances))
        for row, sample in shown:
            line["skeletons"] = sample_skeletons(sample) | line["skeletons"]
            del row["shown"]
        return line

    def _look(self, index: int, decode: bool) -> tuple[Entry, Sample | None]:
        """The row of an image and what its teacher is shown; None if it can't be read."""
        row: Entry = {"key": self.source.keys[index], "image": {}}
        place = self.source.place(index)
        try:
            if place.path is not None:
                row["image"] = image_identity(place)
            sample = self.source.sample(index)
            pixels = sample.image() if decode or place.path is None else None
        except DataError as error:
            return row | {"problem": error.what}, None
        if place.path is None:
            assert pixels is not None
            row["image"] = copy_image(self.out, sample.key, pixels)
        else:
            assert self.source.root is not None
            name = place.path.relative_to(self.source.root).as_posix()
            name = readable(name)
            where = {"file": name} if place.frame is None else {"video": name, "frame": place.frame}
            row["image"] = where | row["image"]
        row |= {"size": list(sample.size), "group": sample.group}
        sample, labels = self._with_labels(row, sample)
        row["shown"] = inputs_hash(labels, (*self.teacher.needs, *self.teacher.uses))
        image = _Decoded(pixels) if pixels is not None else _Guarded(sample.key, sample.image)
        return row, replace(sample, image=image)

    def _with_labels(self, row: Entry, sample: Sample) -> tuple[Sample, list[Entry]]:
        """The sample with the labels that came before this teacher's; a data set's own ones are noted in the row."""
        known = self.known
        index = None if known is None else known.find(sample.key)
        if known is not None and index is not None:
            old = known.row(index)
            if old["image"]["sha256"] == row["image"]["sha256"]:
                labels = preceding(old["labels"], known.description["teachers"], self.teacher.name)
                return known.sample_of(old, labels), labels
        if not self.source.has_labels:
            return sample, []
        row["own"] = {"teacher": OWN} | write_labels(self.out, OWN, sample.key, sample, 1.0)
        return sample, [row["own"]]

    def _stamp(self, entry: Entry, inputs: str | None) -> Entry:
        return {"teacher": self.teacher.source} | entry | ({} if inputs is None else {"inputs": inputs})

    def _entry(self, sample: Sample, found: Labels) -> Entry:
        bare = Sample(
            sample.key,
            sample.size,
            sample.image,
            depth=None if found.depth is None else _Decoded(found.depth),
            edges=None if found.edges is None else _Decoded(found.edges),
            caption=found.caption,
            label=found.label,
            extras={} if found.variants is None else {"variants": tuple(map(_Decoded, found.variants))},
        )
        entry = write_labels(self.out, self.folder, sample.key, bare, found.confidence)
        if found.instances is not None:
            known = {instance.id: instance for instance in sample.instances or ()}
            entry["instances"] = [_instance_entry(instance, known) for instance in found.instances]
        return entry

    def _label_video(self, shown: Sequence[tuple[Entry, Sample]]) -> Entry | None:
        """The labels of a video; frames that turn out to be unreadable are noted, and the video is shown without."""
        while shown:
            try:
                (found,) = self.teacher.label([sample for _, sample in shown])
                break
            except UnreadableImageError as error:
                next(row for row, sample in shown if sample.key == error.key)["problem"] = error.what
                shown = [(row, sample) for row, sample in shown if sample.key != error.key]
        else:
            return None
        group = shown[0][1].group
        tracks = [
            {"start": track.start, "num_frames": len(track.points), "num_points": track.points.shape[1]}
            | write_tracks(
                self.out, self.folder, group, number, track.points, track.visible, track.confidence, track.queries
            )
            for number, track in enumerate(found.tracks or ())
        ]
        inputs = video_inputs(row["shown"] for row, _ in shown)
        label = self._stamp({"confidence": float(found.confidence), "tracks": tracks}, inputs)
        return {"group": group, "frames": [sample.key for _, sample in shown], "label": label}


def video_inputs(shown: Iterable[str | None]) -> str | None:
    """The `inputs` of a video: of all its frames' together."""
    hashes = list(shown)
    return None if None in hashes else value_hash(hashes)[:16]


def _instance_entry(instance: Instance, known: Mapping[int | None, Instance]) -> Entry:
    """An instance as JSON; one that completes a known one holds what is new."""
    old = known.get(instance.id) if instance.id is not None else None
    if old is None:
        return instance_to_json(replace(instance, id=None))
    same: dict[str, Any] = {name: None for name in _CARRIED if getattr(instance, name) is getattr(old, name)}
    return instance_to_json(replace(instance, id=None, **same)) | {"completes": instance.id}
