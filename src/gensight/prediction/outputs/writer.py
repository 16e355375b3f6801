"""Predictions on disk: files of one image are written when it is predicted, tables at the end, from rows on disk."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from gensight.files.atomic import json_text
from gensight.files.images import write_image
from gensight.prediction.sources import PredictionSource
from gensight.samples import Array, Prediction, Size


class Shown(NamedTuple):
    """One image or frame, as tables name it.

    Attributes:
        key: Of the sample.
        size: (height, width); zeros where unknown.
        frame: Number in its video; None for images.
        time: In seconds after the video's first frame; None for images.
        problem: Why it could not be read; empty where it was.
    """

    key: str
    size: Size
    frame: int | None = None
    time: float | None = None
    problem: str = ""


Rows = Callable[[], Iterator[tuple[Shown, Any]]]  # all images in order, each with what `add` gave; None: unreadable


class Files:
    """One kind of files that predictions are written to.

    Attributes:
        name: Of its rows; no two kinds of one prediction share it.
    """

    name: ClassVar[str]

    def check(self, folder: Path) -> None:
        """Raises ConfigError where the folder of former predictions must not be written to."""

    def add(self, prediction: Prediction, stem: str, folder: Path) -> Any:
        """Writes the files of one image, named by `stem`; returns what `write` needs of it, as values for JSON."""
        raise NotImplementedError

    def write(self, rows: Rows, source: PredictionSource | None, folder: Path) -> None:
        """Writes what is about all images of a source, in constant memory."""

    def summary(self, rows: Rows) -> str:
        """What to report of all sources once they are done; empty: nothing."""
        return ""


class JsonList:
    """A json list written entry by entry, in constant memory."""

    def __init__(self, file: Any) -> None:
        self.file, self.separator = file, "[\n"

    def add(self, entry: dict[str, Any]) -> None:
        self.file.write(self.separator + json_text(entry))
        self.separator = ",\n"

    def close(self) -> None:
        self.file.write("\n]" if self.separator != "[\n" else "[]")


@dataclass(frozen=True)
class Pictures:
    """How predictions are drawn.

    Attributes:
        folder: Of one picture per image.
        video: Of a video instead.
        draw: (image, prediction) -> uint8 RGB.
    """

    folder: str
    video: str
    draw: Callable[[Array, Prediction], Array]

    def save(self, image: Array, prediction: Prediction, stem: str, folder: Path) -> None:
        """Writes the picture of one image."""
        write_image(folder / self.folder / f"{stem}.jpg", self.draw(image, prediction))


def write_one(
    files: Sequence[Files], pictures: Pictures | None, prediction: Prediction, image: Array, folder: Path
) -> None:
    """Writes all files of the prediction of a single image, uint8 RGB (height, width, 3)."""
    key = prediction.sample_key
    for one in files:
        row = one.add(prediction, key, folder)
        one.write(partial(_single, Shown(key, prediction.size), row), None, folder)
    if pictures is not None:
        pictures.save(image, prediction, key, folder)


def _single(shown: Shown, row: Any) -> Iterator[tuple[Shown, Any]]:
    yield shown, row
