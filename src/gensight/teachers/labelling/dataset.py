"""From finished work to the data set: the same bytes, however often the work was interrupted, on any machine."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gensight.errors import DataError
from gensight.files.lock import exclusive
from gensight.files.shards import WORK
from gensight.readers.annotated.labels import Entry
from gensight.readers.annotated.reader import AnnotatedReader, is_annotated
from gensight.readers.annotated.writer import OWN, commit
from gensight.teachers.base import Teacher
from gensight.teachers.labelling.labeller import describe_teacher, inputs_hash, preceding, teacher_folder, video_inputs
from gensight.teachers.labelling.shards import Work
from gensight.teachers.labelling.sources import LabellingSource, is_unchanged


class LabellingProgress:
    """What is known of each image of a source by now: from the data set, and from the work that is under way.

    Args:
        source: What is labelled.
        teacher: Who labels.
        out: The data set's folder; it need not exist.
    """

    def __init__(self, source: LabellingSource, teacher: Teacher, out: Path) -> None:
        self.source, self.teacher, self.out = source, teacher, out
        self.known = AnnotatedReader(out) if is_annotated(out) else None
        self.work = Work(out / WORK / teacher_folder(teacher))
        description: Mapping[str, Any] = {} if self.known is None else self.known.description
        self.teachers: list[Entry] = description.get("teachers", [])
        self.skeletons: dict[str, Entry] = description.get("skeletons", {}) | self.work.skeletons
        self.skipped: dict[str, Entry] = {entry["key"]: entry for entry in description.get("skipped", ())}
        self.videos: Mapping[str, Entry] = {} if self.known is None else self.known.videos
        self._reads = (*teacher.needs, *teacher.uses)
        self._listed = any(entry["fingerprint"] == teacher.fingerprint() for entry in self.teachers)

    def known_row(self, key: str) -> Entry | None:
        """The image's row in the data set."""
        index = None if self.known is None else self.known.find(key)
        return None if self.known is None or index is None else self.known.row(index)

    def is_done(self, index: int) -> bool:
        """Whether this image, as it is now, needs nothing more from this teacher."""
        key = self.source.keys[index]
        row, old, skipped = self.work.row(key), self.known_row(key), self.skipped.get(key)
        try:
            place = self.source.place(index)
            if row is not None and is_unchanged(place, row["image"]):
                return "problem" in row or row["label"].get("inputs") == self._inputs(row, old)
            if not self._listed:
                return False
            if old is not None and is_unchanged(place, old["image"]):
                label = _label_of(self.teacher, old["labels"])
                return label is not None and label.get("inputs") == self._inputs(None, old)
            return skipped is not None and is_unchanged(place, skipped["image"])
        except DataError:  # it was there before; labelling it will show whether it can be read
            return False

    def is_video_done(self, indices: tuple[int, ...]) -> bool:
        """Whether the video of these frames, as they are now, needs nothing more from this teacher."""
        readable = {self.source.keys[index]: index for index in indices if not self._problem(self.source.keys[index])}
        group = self.source.groups[indices[0]]
        video = self.work.video(group)
        label = None if video is None else video["label"]
        if video is None and self._listed:
            video = self.videos.get(group)
            label = None if video is None else _label_of(self.teacher, video["labels"])
        if video is None or label is None:
            return not readable
        if video["frames"] != list(readable):
            return False
        rows = [(self.work.row(key), self.known_row(key)) for key in readable]
        try:
            for (row, old), index in zip(rows, readable.values(), strict=True):
                now = row or old
                if now is None or not is_unchanged(self.source.place(index), now["image"]):
                    return False
        except DataError:
            return False
        return label.get("inputs") == video_inputs(self._inputs(row, old) for row, old in rows)

    def _inputs(self, row: Entry | None, old: Entry | None) -> str | None:
        """Hash of the labels of an image that the teacher would be shown, by its rows in the work and the data set."""
        if old is not None and (row is None or _same(old, row)):
            return inputs_hash(preceding(old["labels"], self.teachers, self.teacher.name), self._reads)
        return inputs_hash([row["own"]] if row is not None and "own" in row else [], self._reads)

    def _problem(self, key: str) -> bool:
        row = self.work.row(key)
        return "problem" in row if row is not None else key in self.skipped

    def tasks(self, batch_size: int) -> list[tuple[int, ...]]:
        """Batches of images, or videos: what is labelled together, whatever is done already."""
        if self.teacher.unit == "image":
            every = range(len(self.source))
            return [tuple(every[start : start + batch_size]) for start in range(0, len(self.source), batch_size)]
        frames: dict[str, list[int]] = {}
        for index, group in enumerate(self.source.groups):
            frames.setdefault(group, []).append(index)
        return [tuple(indices) for indices in frames.values()]

    def left(self, task: tuple[int, ...]) -> tuple[int, ...]:
        """What of a task is still to be done."""
        if self.teacher.unit == "video":
            return () if self.is_video_done(task) else task
        return tuple(index for index in task if not self.is_done(index))


def _label_of(teacher: Teacher, labels: Sequence[Entry]) -> Entry | None:
    return next((entry for entry in labels if entry["teacher"] == teacher.source), None)


def _same(old: Entry, new: Entry) -> bool:
    return bool(old["image"]["sha256"] == new["image"].get("sha256"))


@dataclass
class Assembled:
    """What an assembly made.

    Attributes:
        num_left: Images that other shards have yet to label; the data set is not touched while there are any.
        skipped: Images that can't be read: key and problem.
        num_stale: Labels of other teachers that were left out since the labels that they were made from are gone.
    """

    num_left: int = 0
    skipped: list[Entry] = field(default_factory=list)
    num_stale: int = 0


def assemble(source: LabellingSource, teacher: Teacher, out: Path, batch_size: int) -> Assembled:
    """Makes all finished work of a teacher part of the data set, once nothing of it is missing.

    Every shard calls it when it is through, so that the last one does it; calling it again does nothing.

    Raises:
        DataError: No image could be read.
        ResourceError: The disk is full; the data set is then as it was.
    """
    with exclusive(out):
        progress = LabellingProgress(source, teacher, out)
        left = sum(len(progress.left(task)) for task in progress.tasks(batch_size))
        if left:
            return Assembled(num_left=left)
        assembly = _Assembly(progress)
        if progress.work or assembly.has_changed():
            assembly.commit()
        else:
            assembly.result.skipped = list(progress.skipped.values())
        _remove_work(out, teacher_folder(teacher))
        return assembly.result


def _remove_work(out: Path, folder: str) -> None:
    shutil.rmtree(out / WORK / folder, ignore_errors=True)
    if (out / WORK).is_dir() and not any((out / WORK).iterdir()):
        (out / WORK).rmdir()


class _Assembly:
    """One pass over all images."""

    def __init__(self, progress: LabellingProgress) -> None:
        self.progress = progress
        self.teachers = _with_teacher(progress.teachers, describe_teacher(progress.teacher))
        self._order = {OWN: -1} | {entry["source"]: place for place, entry in enumerate(self.teachers)}
        self._reads = {entry["source"]: entry["reads"] for entry in self.teachers}
        # Of each teacher of videos that reads labels: what it would read now, frame by frame.
        self._read_now: dict[tuple[str, str], str | None] = {}
        self.result = Assembled()

    def has_changed(self) -> bool:
        """Whether the source has other images than the data set."""
        progress = self.progress
        keys = [key for key in progress.source.keys if key not in progress.skipped]
        return progress.known is None or keys != progress.known.keys

    def commit(self) -> None:
        """Raises DataError if no image could be read."""
        progress, out = self.progress, self.progress.out
        keys = progress.source.keys
        first = progress.work.row(keys[0])
        if first is not None and all("problem" in (progress.work.row(key) or {}) for key in keys):
            raise DataError(f"none of the {len(keys)} images can be read", where=progress.source.root,
                            hint=f"the first one, {first['key']}: {first['problem']}")  # fmt: skip
        description = {"source": progress.source.described(out), "teachers": self.teachers,
                       "skipped": self.result.skipped}  # fmt: skip
        work = (out / WORK).iterdir() if (out / WORK).is_dir() else ()
        others = [path.name for path in work if path.name != teacher_folder(progress.teacher)]
        commit(out, description, self.rows(), self.videos(), progress.skeletons, [*others, OWN] if others else [])

    def rows(self) -> Iterator[Entry]:
        progress = self.progress
        for key in progress.source.keys:
            row, old = progress.work.row(key), progress.known_row(key)
            if row is not None and "problem" in row:
                self.result.skipped.append({name: row[name] for name in ("key", "problem", "image")})
            elif base := row or old:
                yield self._row(base, row, old)
            else:
                self.result.skipped.append(progress.skipped[key])

    def _row(self, base: Entry, row: Entry | None, old: Entry | None) -> Entry:
        labels = list(old["labels"]) if old is not None and _same(old, base) else []
        if row is not None:
            own = [row["own"]] if "own" in row and not labels else []
            labels = [*labels, *own]
        labels = self._fresh(self._ordered(labels, None if row is None else row.get("label")))
        for teacher in self.teachers:
            if teacher["unit"] == "video" and teacher["reads"]:
                shown = preceding(labels, self.teachers, teacher["name"])
                self._read_now[teacher["source"], base["key"]] = inputs_hash(shown, teacher["reads"])
        return {name: base[name] for name in ("key", "image", "size", "group")} | {"labels": labels}

    def _ordered(self, labels: Sequence[Entry], new: Entry | None = None) -> list[Entry]:
        """The labels of the data set's teachers, in their order; a new one takes the former one's place."""
        if new is not None:
            labels = [*(entry for entry in labels if entry["teacher"] != new["teacher"]), new]
        known = (entry for entry in labels if entry["teacher"] in self._order)
        return sorted(known, key=lambda entry: self._order[entry["teacher"]])

    def _fresh(self, labels: list[Entry]) -> list[Entry]:
        """Without the labels whose inputs are gone."""
        kept: list[Entry] = []
        for entry in labels:
            if "inputs" in entry and entry["inputs"] != inputs_hash(kept, self._reads[entry["teacher"]]):
                self.result.num_stale += 1
            else:
                kept.append(entry)
        return kept

    def videos(self) -> Iterator[Entry]:
        for group in dict.fromkeys(self.progress.source.groups):
            new, old = self.progress.work.video(group), self.progress.videos.get(group)
            base = new or old
            if base is None:
                continue
            labels = old["labels"] if old is not None and old["frames"] == base["frames"] else []
            ordered = self._ordered(labels, None if new is None else new["label"])
            fresh = [entry for entry in ordered if self._is_fresh(entry, base)]
            if fresh:
                yield {"group": group, "frames": base["frames"], "labels": fresh}

    def _is_fresh(self, entry: Entry, video: Entry) -> bool:
        if "inputs" not in entry:
            return True
        read = video_inputs(self._read_now.get((entry["teacher"], key)) for key in video["frames"])
        self.result.num_stale += read != entry["inputs"]
        return read == entry["inputs"]


def _with_teacher(teachers: list[Entry], teacher: Entry) -> list[Entry]:
    """The teachers in the order in which they first came; one of the same name takes the former one's place."""
    names = [entry["name"] for entry in teachers]
    if teacher["name"] not in names:
        return [*teachers, teacher]
    return [teacher if name == teacher["name"] else entry for name, entry in zip(names, teachers, strict=True)]
