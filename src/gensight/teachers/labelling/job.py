"""The labelling job: what is left to do, done batch by batch, and made part of the data set at the end.

Work is cut into batches (or videos) of fixed content, so that a batch's labels do not depend on where a job was
interrupted or on which shard it fell. An image is keyed by its key, its content and the teacher's fingerprint: what is
labelled already, in the data set or in any shard's work, is never labelled again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gensight.errors import ConfigError, DataError
from gensight.files.progress import ProgressLine
from gensight.files.shards import WORK, Shard, WorkFile
from gensight.readers.annotated.labels import Entry, key_path
from gensight.readers.annotated.reader import is_annotated, read_description
from gensight.teachers.base import Teacher
from gensight.teachers.labelling.dataset import LabellingProgress, assemble
from gensight.teachers.labelling.labeller import Labeller, teacher_folder
from gensight.teachers.labelling.sources import LabellingSource
from gensight.teachers.names import named_apart

Task = tuple[int, ...]
Engine = Callable[[Labeller, Sequence[Task]], Iterator[Entry]]


@dataclass(frozen=True)
class LabellingOutcome:
    """What a job did.

    Attributes:
        folder: The data set.
        num_images: Images of this shard (with one shard: all).
        num_labelled: Images that were labelled now; the others of this shard were labelled already.
        num_left: Images that other shards have yet to label; the data set is made once it is 0.
        skipped: Images that can't be read: key and problem.
        num_stale: Labels of other teachers that were left out, since the labels that they were made from are gone.
    """

    folder: Path
    num_images: int
    num_labelled: int
    num_left: int
    skipped: tuple[dict[str, Any], ...]
    num_stale: int


def label_here(labeller: Labeller, tasks: Sequence[Task]) -> Iterator[Entry]:
    """The engine of one machine: batch after batch in this process."""
    return (labeller.run(task) for task in tasks)


def run_job(
    source: LabellingSource,
    teacher: Teacher,
    out: Path,
    shard: Shard | None = None,
    batch_size: int = 8,
    engine: Engine = label_here,
) -> LabellingOutcome:
    """Labels a source, or one shard of it, and assembles the data set if nothing else is missing.

    Killed at any moment and started again, it resumes where it stopped and makes the same bytes. Shards may run at
    the same time on machines that share the folder; whichever finishes last assembles the data set.

    Args:
        source: What to label.
        teacher: Who labels. Where another teacher has its name in the data set, it gets another (`named_apart`).
        out: The data set's folder. If it holds the same source's data set, the labels are added to it.
        shard: The part to label; all of it if None.
        batch_size: Images that the teacher is shown at once.
        engine: What runs the batches.

    Raises:
        ConfigError: Another process labels this part, or the teacher can't label this kind of source.
        DataError: `out` holds something else, no image can be read, or an image lacks a label that the teacher needs.
        ResourceError: The disk is full: the same command resumes once there is space.
    """
    shard = shard or Shard()
    _check(source, teacher, out)
    if is_annotated(out):
        teacher = named_apart(teacher, read_description(out)["teachers"])
    progress = LabellingProgress(source, teacher, out)
    tasks = progress.tasks(batch_size)
    mine = [tasks[number] for number in shard.of(len(tasks))]
    left = [part for task in mine if (part := progress.left(task))]
    num_images, num_left = sum(map(len, mine)), sum(map(len, left))
    path = out / WORK / teacher_folder(teacher) / shard.file_name
    with WorkFile(path) as work:
        line = ProgressLine(num_images, f"annotate {teacher.name}", "images", first=num_images - num_left)
        done = num_images - num_left
        for entry in engine(Labeller(source, teacher, out), left) if left else ():
            work.append(entry)
            done += len(entry["rows"])
            line.show(done)
        line.close()
    assembled = assemble(source, teacher, out, batch_size)
    return LabellingOutcome(
        out, num_images, num_left, assembled.num_left, tuple(assembled.skipped), assembled.num_stale
    )


def _check(source: LabellingSource, teacher: Teacher, out: Path) -> None:
    if teacher.unit == "video" and source.kind == "images":
        raise ConfigError(
            f"`{teacher.name}` follows points through videos, and these are single images", where=source.root,
            hint="if the images of each folder are the frames of one video, pass --frames",
        )  # fmt: skip
    for key in source.keys:
        key_path(key)
    if not out.exists():
        return
    if not out.is_dir():
        raise DataError("this is a file, and a data set is a folder", where=out, hint="choose another --out")
    if is_annotated(out):
        made_from = read_description(out)["source"]
        if made_from != source.described(out):
            raise DataError(
                f"this data set was made from another source: {_source_text(made_from)}, "
                f"not {_source_text(source.described(out))}",
                where=out, hint="choose another --out, or name that source",
            )  # fmt: skip
    elif not (out / WORK).is_dir() and any(not path.name.startswith(".") for path in out.iterdir()):
        raise DataError("this folder holds something other than a data set", where=out,
                        hint="choose a new or empty one with --out")  # fmt: skip


def _source_text(source: dict[str, Any]) -> str:
    rest = "".join(f", {name} {value}" for name, value in source.items() if name not in ("kind", "root"))
    return f"{source['kind']} in {source['root']}{rest}"
