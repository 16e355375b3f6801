"""Predictions on disk, image by image, in constant memory; nothing appears under its name before it is whole."""

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

from gensight.config.sections import OutputFiles
from gensight.drawing import overlay
from gensight.encodings.gaze import draw_looks, is_gaze
from gensight.files.images import write_image
from gensight.files.videos import VideoWriter
from gensight.prediction.outputs.gaze import GazeFiles
from gensight.prediction.outputs.keypoints import KeypointFiles
from gensight.prediction.outputs.labels import LabelFiles
from gensight.prediction.outputs.maps import MapFiles
from gensight.prediction.outputs.openpose import OpenPoseFiles
from gensight.samples import Array, Prediction
from gensight.skeletons import Skeleton


@runtime_checkable
class Files(Protocol):
    """One kind of files that predictions are written to."""

    def open(self, stack: ExitStack) -> None:
        """Opens them; the stack closes them, and takes them back if anything fails."""

    def add(self, prediction: Prediction) -> None: ...

    def close(self) -> None:
        """Called when all went well, before the stack unwinds."""


class PredictionWriter:
    """Writes predictions into a folder.

    - `keypoints`: `predictions.json` and `images.json` (COCO), `keypoints.csv` (DeepLabCut), `openpose/*.json`.
    - `gaze`: `gaze.json`, `gaze.csv`; `labels`: `labels.json`, `labels.csv`.
    - `maps`: depth and every map that is a picture: `depth/*.png`, `edges/*.png`, `pose/*.png` ...
    - `overlays/*.jpg` for images, `overlay.mp4` for a video.

    Args:
        folder: Made if it is not there.
        files: Which kinds of files, as the run's encoding says (`EncodingFacts.files`).
        skeleton: The keypoints that are predicted; None where none are.
        scorer: Names the run in DeepLabCut's table.
        frame_rate: Frames per second of a video; None for images.
        draw: Whether to draw overlays.
    """

    def __init__(
        self,
        folder: Path,
        files: Collection[OutputFiles],
        skeleton: Skeleton | None,
        scorer: str,
        frame_rate: float | None,
        draw: bool,
    ) -> None:
        self.folder, self.frame_rate, self.draw = folder, frame_rate, draw
        self._files: list[Files] = []
        if "maps" in files:
            self._files.append(MapFiles(folder, frame_rate is not None))
        if "gaze" in files:
            self._files.append(GazeFiles(folder))
        if "labels" in files:
            self._files.append(LabelFiles(folder))
        if "keypoints" in files and skeleton is not None:
            self._files.append(KeypointFiles(folder, skeleton, scorer, frame_rate is not None))
            if OpenPoseFiles.fits(skeleton):
                self._files.append(OpenPoseFiles(folder, frame_rate is not None))
        self._video: VideoWriter | None = None

    def write_also(self, files: Files) -> None:
        """Takes on another kind of files; before `open`."""
        self._files.append(files)

    @contextmanager
    def open(self) -> Iterator["PredictionWriter"]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            for files in self._files:
                files.open(stack)
            if self.draw and self.frame_rate is not None:
                rate = Fraction(self.frame_rate).limit_denominator(1001)
                self._video = stack.enter_context(VideoWriter(self.folder / "overlay.mp4", rate))
            yield self
            for files in self._files:
                files.close()

    def add(self, prediction: Prediction, image: Array) -> None:
        """Writes one image's merged prediction; `image` is uint8 RGB (height, width, 3)."""
        for files in self._files:
            files.add(prediction)
        if self.draw:
            self._draw(prediction, image)

    def _draw(self, prediction: Prediction, image: Array) -> None:
        drawn = draw_looks(image, prediction) if is_gaze(prediction) else overlay(image, prediction)
        if self._video is not None:
            self._video.write(drawn)
        else:
            path = self.folder / "overlays" / f"{prediction.sample_key}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, drawn)
