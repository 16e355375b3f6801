"""Answers on disk, the latest of them: pictures for the page, and files to download."""

import secrets
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gensight.files.atomic import write_json
from gensight.files.images import write_image
from gensight.prediction.outputs.choice import pictures_of, writers_of
from gensight.prediction.outputs.overlay import LegendEntry
from gensight.prediction.outputs.writer import write_one
from gensight.prediction.request import Request
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Array, Size
from gensight.web.answers.answer import Answer, Row, described
from gensight.web.answers.videos import VideoQuestion, predict_video

# Of the tables that `gensight predict` writes, the one to download by itself.
_TABLES = ("keypoints.csv", "gaze.csv", "labels.csv", "matches.csv", "similarities.csv")
_LISTS = ("predictions.json", "gaze.json", "labels.json", "answers.json")


@dataclass(frozen=True)
class SavedLayer:
    """A layer's switch and its file."""

    name: str
    path: Path
    shown: bool
    narrow: Path | None


@dataclass(frozen=True)
class Saved:
    """An answer's files.

    Attributes:
        caption: The instruction (or the run) and the image.
        size: (height, width) of the image, in pixels.
        image: Picture for the page.
        layers: Over it.
        legend: Of the layers.
        rows: As `Answer`.
        files: To download: picture or video, table, JSON, and all that `gensight predict` writes, in a zip.
        video: For the page, in place of image and layers; None for images.
        sheet: Likewise, two images beside each other, and its (height, width); None for single ones.
    """

    caption: str
    size: Size
    image: Path
    layers: tuple[SavedLayer, ...]
    legend: tuple[LegendEntry, ...]
    rows: tuple[Row, ...]
    files: tuple[Path, ...]
    video: Path | None = None
    sheet: tuple[Path, Size] | None = None

    @property
    def is_kept(self) -> bool:
        return self.image.is_file()


def answer_kind(trained: TrainedRun, request: Request) -> str:
    """The word in the names of an answer's files: IMAGE-pose.png, IMAGE-depth.csv ..."""
    if request.task is not None:
        return request.task
    if request.reference is not None:
        return "match"
    known = {"keypoints": "pose", "gaze": "gaze", "labels": "class"}
    files, kind = trained.config.encoding.facts.files, str(trained.config.encoding.kind)
    return next((word for name, word in known.items() if name in files), kind.partition("-")[0])


class AnswerStore:
    """Answers on disk, the latest of them.

    Args:
        folder: Of the server's own; a folder with an unguessable name is made in it for each answer.
        keep: How many answers are kept; the oldest are removed.
    """

    def __init__(self, folder: Path, keep: int = 200) -> None:
        self.folder, self.keep = folder, keep
        self._kept: list[Path] = []

    def new_folder(self) -> Path:
        """An empty folder; the oldest goes where there are too many."""
        folder = self.folder / secrets.token_urlsafe(16)
        folder.mkdir(parents=True)
        self._kept.append(folder)
        while len(self._kept) > self.keep:
            shutil.rmtree(self._kept.pop(0), ignore_errors=True)
        return folder

    def show(self, picture: Array) -> Path:
        """Writes a picture for the page."""
        return _write_shown(self.new_folder(), "image", picture)

    def save(self, answered: Answer, trained: TrainedRun) -> Saved:
        """Writes pictures and files of an answer."""
        folder, run = self.new_folder(), trained.config.name
        page, own = folder / "page", folder / "download"
        request, key = answered.request, answered.sample.key
        image = _write_shown(page, "image", answered.picture)
        layers = []
        for number, one in enumerate(answered.layers):
            narrow = None if one.narrow is None else page / f"{number}-narrow.png"
            layers.append(SavedLayer(one.name, page / f"{number}.png", one.shown, narrow))
            write_image(layers[-1].path, one.picture)
            if one.narrow is not None and narrow is not None:
                write_image(narrow, one.narrow)
        name = f"{key}-{answer_kind(trained, request)}"
        write_image(own / f"{name}.png", answered.drawn)
        write_json(own / f"{name}.json", described(answered, run), indent=1)
        files = folder / "all"
        pictures = None if request.reference is not None else pictures_of(request)
        write_one(writers_of(trained, request), pictures, answered.prediction, answered.sample.image(), files)
        packed = _pack(files, own, name, ())
        caption = f"{request.instruction or run}: {key}"
        ordered = (own / f"{name}.png", *packed[:-1], own / f"{name}.json", packed[-1])
        drawn, sheet = answered.sheet, None
        if drawn is not None:
            sheet = (_write_shown(page, "sheet", drawn), (drawn.shape[0], drawn.shape[1]))
        return Saved(caption, answered.sample.size, image, tuple(layers), answered.legend, answered.rows, ordered,
                     sheet=sheet)  # fmt: skip

    def save_video(
        self, question: VideoQuestion, trained: TrainedRun, watch: Callable[[int, int], None] | None = None
    ) -> Saved:
        """Predicts on a video, and keeps what was written. Errors as `predict_video`."""
        folder = self.new_folder()
        done = predict_video(question, trained, folder / "work", watch)
        own, name = folder / "download", f"{done.key}-{answer_kind(trained, done.request)}"
        packed = _pack(done.folder, own, name, _LISTS)
        shutil.rmtree(folder / "work")
        image = _write_shown(folder / "page", "image", done.first)
        caption = f"{done.request.instruction or trained.config.name}: {done.key}"
        return Saved(caption, done.size, image, (), (), done.rows, packed, next(iter(own.glob("*.mp4")), None))


def _write_shown(folder: Path, name: str, picture: Array) -> Path:
    """A picture for the page: large ones as JPEG, since they are photographs."""
    path = folder / f"{name}.{'jpg' if picture.shape[0] * picture.shape[1] > 1_000_000 else 'png'}"
    write_image(path, picture)
    return path


def _pack(files: Path, own: Path, name: str, lists: Sequence[str]) -> tuple[Path, ...]:
    """What `gensight predict` wrote: the video, the table and a list by themselves, and all of it in a zip."""
    own.mkdir(exist_ok=True)
    packed = own / f"{name}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(files.rglob("*")):
            if file.is_file() and not file.name.startswith("."):
                archive.write(file, file.relative_to(files))
    taken = []
    for choices in (("overlay.mp4", "matches.mp4"), _TABLES, lists):
        found = next((files / one for one in choices if (files / one).is_file()), None)
        if found is not None:
            taken.append(own / f"{name}{found.suffix}")
            found.replace(taken[-1])
    shutil.rmtree(files)
    return *taken, packed
