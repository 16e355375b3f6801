"""From finished work to the data set: the same bytes, however often the work was interrupted, on any machine."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gensight.errors import DataError
from gensight.readers.annotated.labels import Entry
from gensight.readers.annotated.reader import AnnotatedReader, is_annotated
from gensight.readers.annotated.writer import OWN, commit
from gensight.teachers.base import Teacher
from gensight.teachers.labelling.labeller import describe_teacher, inputs_hash, preceding, teacher_folder, video_inputs
from gensight.teachers.labelling.shards import WORK, Work, exclusive
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
        self.teachers: list[Entry] = [] if self.known is None else self.known.description["teachers"]
        self._reads = (*teacher.needs, *teacher.uses)
        self.groups = source.groups
        self._listed = any(entry["fingerprint"] == teacher.fingerprint() for entry in self.teachers)
        skipped = [] if self.known is None else self.known.description.get("skipped", [])
        self._skipped = {entry["key"]: entry for entry in skipped}

    def known_row(self, key: str) -> Entry | None:
        """The image's row in the data set."""
        index = None if self.known is None else self.known.find(key)
        return None if self.known is None or index is None else self.known.row(index)

    def skipped(self, key: str) -> Entry | None:
        """The data set's entry of an image that could not be read."""
        return self._skipped.get(key)

    def is_done(self, index: int) -> bool:
        """Whether this image, as it is now, needs nothing more from this teacher."""
        key = self.source.keys[index]
        row, old, skipped = self.work.row(key), self.known_row(key), self.skipped(key)
        try:
            place = self.source.place(index)
            if row is not None and is_unchanged(place, row["image"]):
                own = [row["own"]] if "own" in row else []
                labels = self._shown(old) if old is not None and _same(old, row) else own
                return "problem" in row or row["label"].get("inputs") == inputs_hash(labels, self._reads)
            if old is not None and self._listed and is_unchanged(place, old["image"]):
                return any(entry["teacher"] == self.teacher.source
                           and entry.get("inputs") == inputs_hash(self._shown(old), self._reads)
                           for entry in old["labels"])  # fmt: skip
            return skipped is not None and self._listed and is_unchanged(place, skipped["image"])
        except DataError:  # it was there before; labelling it will show whether it can be read
            return False

    def is_video_done(self, indices: tuple[int, ...]) -> bool:
        """Whether the video of these frames, as they are now, needs nothing more from this teacher."""
        keys = [self.source.keys[index] for index in indices]
        group = self.groups[indices[0]]
        video = self.work.video(group)
        label = None if video is None else video["label"]
        if video is None and self.known is not None and self._listed:
            video = self.known.videos.get(group)
            labels = [] if video is None else video["labels"]
            label = next((entry for entry in labels if entry["teacher"] == self.teacher.source), None)
        if video is None or label is None:
            return all(self._problem(key) for key in keys)
        if video["frames"] != [key for key in keys if not self._problem(key)]:
            return False
        rows = [self.work.row(key) or self.known_row(key) for key in video["frames"]]
        frames = set(video["frames"])
        places = [self.source.place(index) for index in indices if self.source.keys[index] in frames]
        try:
            same = all(row is not None and is_unchanged(place, row["image"])
                       for row, place in zip(rows, places, strict=True))  # fmt: skip
        except DataError:
            return False
        inputs = video_inputs(self._frame_inputs(key) for key in video["frames"])
        return same and label.get("inputs") == inputs

    def _frame_inputs(self, key: str) -> str | None:
        row, old = self.work.row(key), self.known_row(key)
        own = [row["own"]] if row is not None and "own" in row else []
        usable = old is not None and (row is None or _same(old, row))
        return inputs_hash(self._shown(old) if old is not None and usable else own, self._reads)

    def _problem(self, key: str) -> bool:
        row = self.work.row(key)
        return "problem" in row if row is not None else key in self._skipped

    def _shown(self, row: Entry) -> list[Entry]:
        return preceding(row["labels"], self.teachers, self.teacher.name)

    def tasks(self, batch_size: int) -> list[tuple[int, ...]]:
        """Batches of images, or videos: what is labelled together, whatever is done already."""
        if self.teacher.unit == "image":
            every = range(len(self.source))
            return [tuple(every[start : start + batch_size]) for start in range(0, len(self.source), batch_size)]
        frames: dict[str, list[int]] = {}
        for index, group in enumerate(self.groups):
            frames.setdefault(group, []).append(index)
        return [tuple(indices) for indices in frames.values()]

    def left(self, task: tuple[int, ...]) -> tuple[int, ...]:
        """What of a task is still to be done."""
        if self.teacher.unit == "video":
            return () if self.is_video_done(task) else task
        return tuple(index for index in task if not self.is_done(index))


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
            assembly.check_readable()
            assembly.commit()
        else:
            assembly.result.skipped = list(progress._skipped.values())
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
        known = self.progress.known
        if known is None:
            return True
        keys = [key for key in self.progress.source.keys if self.progress.skipped(key) is None]
        return keys != known.keys

    def check_readable(self) -> None:
        rows = (self.progress.work.row(key) for key in self.progress.source.keys)
        if all(row is not None and "problem" in row for row in rows):
            row = self.progress.work.row(self.progress.source.keys[0]) or {}
            raise DataError(
                f"none of the {len(self.progress.source)} images can be read", where=self.progress.source.root,
                hint=f"the first one, {row.get('key')}: {row.get('problem')}",
            )  # fmt: skip

    def commit(self) -> None:
        progress, out = self.progress, self.progress.out
        description = {"source": progress.source.described(out), "teachers": self.teachers,
                       "skipped": self.result.skipped}  # fmt: skip
        known = {} if progress.known is None else progress.known.description["skeletons"]
        work = out / WORK
        others = [path.name for path in work.iterdir()] if work.is_dir() else []
        others = [name for name in others if name != teacher_folder(progress.teacher)]
        commit(out, description, self.rows(), self.videos(), known | progress.work.skeletons,
               [*others, OWN] if others else [])  # fmt: skip

    def rows(self) -> Iterator[Entry]:
        progress = self.progress
        for key in progress.source.keys:
            row, old = progress.work.row(key), progress.known_row(key)
            if row is None and old is None:
                skipped = progress.skipped(key)
                assert skipped is not None
                self.result.skipped.append(skipped)
            elif row is not None and "problem" in row:
                image = row["image"]
                self.result.skipped.append({"key": key, "problem": row["problem"], "image": image})
            else:
                yield self._row(row, old)

    def _row(self, row: Entry | None, old: Entry | None) -> Entry:
        base = row if row is not None else old
        assert base is not None
        labels = list(old["labels"]) if old is not None and _same(old, base) else []
        if row is not None and "own" in row and not labels:
            labels = [row["own"]]
        if row is not None and "label" in row:
            labels = [*(entry for entry in labels if entry["teacher"] != row["label"]["teacher"]), row["label"]]
        labels = self._fresh(sorted((entry for entry in labels if entry["teacher"] in self._order),
                                    key=lambda entry: self._order[entry["teacher"]]))  # fmt: skip
        self._note_inputs(base["key"], labels)
        return {name: base[name] for name in ("key", "image", "size", "group")} | {"labels": labels}

    def _fresh(self, labels: list[Entry]) -> list[Entry]:
        """Without the labels whose inputs are gone."""
        kept: list[Entry] = []
        for entry in labels:
            if "inputs" in entry and entry["inputs"] != inputs_hash(kept, self._reads[entry["teacher"]]):
                self.result.num_stale += 1
            else:
                kept.append(entry)
        return kept

    def _note_inputs(self, key: str, labels: list[Entry]) -> None:
        for teacher in self.teachers:
            if teacher["unit"] == "video" and teacher["reads"]:
                shown = preceding(labels, self.teachers, teacher["name"])
                self._read_now[teacher["source"], key] = inputs_hash(shown, teacher["reads"])

    def videos(self) -> Iterator[Entry]:
        known: Mapping[str, Any] = {} if self.progress.known is None else self.progress.known.videos
        for group in dict.fromkeys(self.progress.groups):
            new, old = self.progress.work.video(group), known.get(group)
            base = new if new is not None else old
            if base is None:
                continue
            labels = list(old["labels"]) if old is not None and old["frames"] == base["frames"] else []
            if new is not None:
                labels = [*(entry for entry in labels if entry["teacher"] != new["label"]["teacher"]), new["label"]]
            labels = [entry for entry in labels if entry["teacher"] in self._order and self._is_fresh(entry, base)]
            labels.sort(key=lambda entry: self._order[entry["teacher"]])
            if labels:
                yield {"group": group, "frames": base["frames"], "labels": labels}

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
