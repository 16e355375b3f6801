"""`gensight annotate`: a teacher labels images, and the labels become (part of) a data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gensight.assembly.readers import build_readers
from gensight.config.loading.loader import load_data
from gensight.errors import ConfigError, DataError, check_choice, nearest
from gensight.files.shards import Shard
from gensight.readers.annotated.reader import is_annotated
from gensight.readers.base import Reader
from gensight.readers.splits import Subset
from gensight.teachers.base import Teacher
from gensight.teachers.choose import choose_teacher
from gensight.teachers.labelling.contact_sheet import ORDERS, write_contact_sheet
from gensight.teachers.labelling.job import Engine, LabellingOutcome, label_here, run_job
from gensight.teachers.labelling.sources import DataSource, LabellingSource, open_source
from gensight.verbs.data.datasets import KINDS

ENGINES = ("local", "ray")
SHEETS = (*ORDERS, "none")


@dataclass(frozen=True)
class AnnotationResult:
    """What `annotate` did: the job's outcome, and the contact sheet if one was written."""

    outcome: LabellingOutcome
    sheet: Path | None


def annotate(
    teacher: str | Teacher,
    source: str | Path | Reader,
    out: str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    shard: str = "1/1",
    engine: str = "local",
    num_workers: int | None = None,
    num_gpus: float = 0,
    address: str | None = None,
    batch_size: int = 8,
    device: str = "auto",
    frames: bool = False,
    step: int = 1,
    sheet: str = "spread",
) -> AnnotationResult:
    """Labels images with a teacher; labels of several teachers add up in one data set.

    No image is labelled twice: started again after a kill, or with new images in the folder, it labels what is missing.

    Args:
        teacher: `KIND` or `KIND:MODEL`, or a teacher.
        source: An image, a folder of images, a video, a folder of videos, an annotated data set; a kind of data set,
            whose keys are in `overrides`; or a reader.
        out: The data set's folder; may be left out where `source` is one.
        overrides: `root=PATH` and its like, after a kind of data set.
        settings: Arguments of the teacher's class.
        shard: `I/N`: the I-th of N parts, which may run at the same time. The last to finish makes the data set.
        engine: `local` or `ray`.
        num_workers, num_gpus, address: See `RayEngine`.
        batch_size: Images that the teacher is shown at once.
        device: `auto`, `cpu`, `cuda` ...
        frames: Whether the images of one folder are the frames of one video.
        step: Takes every k-th frame of videos.
        sheet: Contact sheet: `spread`, `least-confident` or `none`.

    Raises:
        ConfigError, DataError, RunError, ResourceError: As documented by the teacher and `run_job`.
    """
    check_choice(engine, ENGINES, "--engine")
    check_choice(sheet, SHEETS, "--sheet")
    if batch_size < 1 or step < 1:
        raise ConfigError("--batch-size and --step are at least 1")
    part = Shard.parse(shard)
    # Before anything is read or loaded: a misspelled teacher must not wait for a million files.
    chosen = teacher if isinstance(teacher, Teacher) else choose_teacher(teacher, settings, device)
    opened, folder = _open(source, out, overrides, frames, step)
    outcome = run_job(opened, chosen, folder, part, batch_size, _engine(engine, num_workers, num_gpus, address))
    page = None
    if sheet != "none" and outcome.num_left == 0:
        page = write_contact_sheet(folder, order=sheet)
    return AnnotationResult(outcome, page)


def _engine(engine: str, num_workers: int | None, num_gpus: float, address: str | None) -> Engine:
    if engine == "local":
        return label_here
    from gensight.teachers.labelling.ray_engine import RayEngine

    return RayEngine(num_workers, num_gpus, address)


def _open(
    source: str | Path | Reader, out: str | Path | None, overrides: Sequence[str], frames: bool, step: int
) -> tuple[LabellingSource, Path]:
    if isinstance(source, Reader):
        opened: LabellingSource = DataSource([source])
    elif str(source) in KINDS and not Path(source).exists():
        opened = _data_source(str(source), overrides)
    elif overrides:
        raise ConfigError(f"`{source}` is a path, and takes no `{overrides[0]}`", choices=KINDS,
                          hint="KEY=VALUE follows a kind of data set; a teacher takes --set NAME=VALUE")  # fmt: skip
    else:
        path = Path(source)
        if not path.exists() and "/" not in str(source) and (near := nearest(str(source), KINDS)):
            raise DataError("there is no such image, folder or video", where=path, hint=f"did you mean `{near}`?")
        opened = open_source(path, frames, step)
        if is_annotated(path):
            if out is not None and Path(out).resolve() != path.resolve():
                raise ConfigError("labels of several teachers add up in one data set", where="--out",
                                  hint=f"leave --out out, or copy {path} first and annotate the copy")  # fmt: skip
            return opened, path
    if out is None:
        raise ConfigError("no folder is given for the data set", where="--out", hint="name a new folder: --out FOLDER")
    return opened, Path(out)


def _data_source(kind: str, overrides: Sequence[str]) -> LabellingSource:
    section = load_data(kind, list(overrides))
    return DataSource(_undivided(build_readers(section).parts), {"data": section.model_dump(mode="json")})


def _undivided(readers: Sequence[Reader]) -> list[Reader]:
    """The parts of a data set put together again, in its own order: frames of a video must follow each other."""
    wholes: dict[int, tuple[Reader, set[int]]] = {}
    for reader in readers:
        indices = list(range(len(reader)))
        while isinstance(reader, Subset):
            indices = [reader.indices[index] for index in indices]
            reader = reader.reader
        wholes.setdefault(id(reader), (reader, set()))[1].update(indices)
    return [Subset(reader, sorted(indices)) for reader, indices in wholes.values()]
