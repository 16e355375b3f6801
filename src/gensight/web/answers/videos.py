"""A video of a visitor's, predicted on as `gensight predict` does."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gensight.errors import ConfigError, DataError
from gensight.files.videos.reading import open_video
from gensight.prediction.detection.finder import BoxFinder
from gensight.prediction.jobs import Job, write_predictions
from gensight.prediction.request import Request
from gensight.prediction.sources import open_source
from gensight.prediction.tracking.subject import track_source
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Array, Sample, Size
from gensight.web.answers.pictures import shown_image
from gensight.web.questions import input_kind, request_of
from gensight.web.uploads import Limits, check_pixels, safe_key, video_suffix


@dataclass(frozen=True, eq=False)
class VideoQuestion:
    """What a visitor asks about a video.

    Attributes:
        content: Of the file.
        name: What its owner calls it.
        limits: Larger ones are refused.
        marks, instruction, task: As `request_of` has them; marks hold for all frames.
    """

    content: bytes
    name: str
    limits: Limits
    marks: str = ""
    instruction: str = ""
    task: str = ""


@dataclass(frozen=True, eq=False)
class VideoAnswer:
    """What was predicted.

    Attributes:
        key: The video's name, safe to be a file's.
        size: (height, width) of its frames.
        first: uint8 RGB: the first frame, for the page.
        folder: What `gensight predict` writes.
        rows: A table of it.
        request: As it was understood.
    """

    key: str
    size: Size
    first: Array
    folder: Path
    rows: tuple[tuple[str, str, str], ...]
    request: Request


def first_frame(content: bytes, name: str, limits: Limits, folder: Path) -> Sample:
    """The first frame of an uploaded video, which is written into a folder for that; its key is the video's name.

    Raises:
        DataError: It is too long, has too many pixels, or can't be read. `where` is the name that its owner knows.
    """
    path = _written(content, name, folder)
    try:
        video = open_video(path)
        check_pixels(video.size, name, limits)
        if video.num_frames > limits.max_frames:
            raise DataError(f"the video has {video.num_frames:,} frames, and at most {limits.max_frames:,} are taken",
                            where=name, hint="cut it")  # fmt: skip
        pixels = video.frame(0)
    except DataError as error:
        raise DataError(error.what, where=name, hint=error.hint) from error
    return Sample(safe_key(name), video.size, lambda: pixels)


def predict_video(
    question: VideoQuestion, trained: TrainedRun, folder: Path, watch: Callable[[int, int], None] | None = None
) -> VideoAnswer:
    """Predicts on all frames.

    Args:
        question: About the video.
        trained: The run.
        folder: For the video and all that is written.
        watch: Called with the number of frames that are done, and of all.

    Raises:
        ConfigError: As `request_of`.
        DataError: As `first_frame`.
    """
    if input_kind(trained) == "pair":
        raise ConfigError("this run compares two images, and takes no video", hint="choose images")
    first = first_frame(question.content, question.name, question.limits, folder)
    source = open_source(_written(question.content, question.name, folder))
    request = request_of(trained, first, question.marks, question.instruction, question.task)
    given = request.boxes or request.heads
    if given is not None:
        (boxes,) = given.values()
        finder = BoxFinder({source.keys[index]: boxes for index in range(source.num_samples)})
    else:
        finder = BoxFinder(tracker=track_source(source) if trained.config.view.track else None)
    out = folder / "out"
    done = write_predictions([Job(trained, request)], [source], out, lambda _: finder, identity={}, watch=watch)
    (out / "files.txt").unlink(missing_ok=True)
    rows = [("frames", f"{done.num_images}, {source.frame_rate:.3g} a second", "")]
    rows += [("note", note, "") for note in done.notes if "--" not in note]
    rows += [("unreadable", f"{done.num_unreadable} frames", "")] if done.num_unreadable else []
    return VideoAnswer(first.key, first.size, shown_image(first.image()), out, tuple(rows), request)


def _written(content: bytes, name: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{safe_key(name)}{video_suffix(content)}"
    path.write_bytes(content)
    return path
