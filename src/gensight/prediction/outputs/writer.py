"""Predictions on disk, image by image, in constant memory; nothing appears under its name before it is whole."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from gensight.files.images import write_image
from gensight.files.videos import VideoWriter
from gensight.samples import Array, Prediction


class Files:
    """One kind of files that predictions are written to; by default each prediction into files of its own."""

    def open(self, stack: ExitStack) -> None:
        """Opens them; the stack closes them, and takes them back if anything fails."""

    def add(self, prediction: Prediction) -> None:
        """Writes, or takes, the merged prediction of one image."""
        raise NotImplementedError

    def close(self) -> None:
        """Called when all went well, before the stack unwinds."""


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


class PredictionWriter:
    """Writes predictions into a folder.

    - `keypoints`: `predictions.json` and `images.json` (COCO), `keypoints.csv` (DeepLabCut), `openpose/*.json`.
    - `gaze`: `gaze.json`, `gaze.csv`; `labels`: `labels.json`, `labels.csv`.
    - `maps`: depth and every map that is a picture: `depth/*.png`, `edges/*.png`, `pose/*.png` ...
    - `overlays/*.jpg` for images, `overlay.mp4` for a video.

    Args:
        folder: Made if it is not there.
        files: What is written beside pictures; see `choice.py`.
        frame_rate: Frames per second of a video; None for images.
        pictures: None draws nothing.
    """

    def __init__(
        self, folder: Path, files: Sequence[Files], frame_rate: float | None, pictures: Pictures | None
    ) -> None:
        self.folder, self.files, self.frame_rate, self.pictures = folder, tuple(files), frame_rate, pictures
        self._video: VideoWriter | None = None

    @contextmanager
    def open(self) -> Iterator["PredictionWriter"]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            for files in self.files:
                files.open(stack)
            if self.pictures is not None and self.frame_rate is not None:
                rate = Fraction(self.frame_rate).limit_denominator(1001)
                self._video = stack.enter_context(VideoWriter(self.folder / self.pictures.video, rate))
            yield self
            for files in self.files:
                files.close()

    def add(self, prediction: Prediction, image: Callable[[], Array]) -> None:
        """Writes one image's merged prediction; `image` gives uint8 RGB (height, width, 3), where it is drawn on."""
        for files in self.files:
            files.add(prediction)
        if self.pictures is None:
            return
        picture = self.pictures.draw(image(), prediction)
        if self._video is not None:
            self._video.write(picture)
        else:
            write_image(self.folder / self.pictures.folder / f"{prediction.sample_key}.jpg", picture)
