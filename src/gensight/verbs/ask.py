"""`gensight ask`: an instruction-following run applied to an image, a folder or a video."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gensight.diffusion.sampling import Sampling
from gensight.files.progress import ProgressLine
from gensight.prediction.outputs.choice import folder_name, open_writer
from gensight.prediction.request import Request
from gensight.prediction.sources import open_source
from gensight.prediction.trained_run import TrainedRun


@dataclass(frozen=True)
class AskResult:
    """What was written.

    Attributes:
        folder: Where.
        note: How the instruction was understood.
    """

    folder: Path
    note: str


def ask(
    run: Path,
    source: Path,
    instruction: str,
    out: Path | None = None,
    *,
    task: str | None = None,
    classes: Sequence[str] = (),
    sampling: Sampling | None = None,
    device: str = "auto",
    draw: bool = True,
) -> AskResult:
    """Follows an instruction on images, and writes answers.json, masks, depth and overlays.

    Args:
        run: A finished run of the method `instruct`.
        source: Image, folder or video.
        instruction: The words that the model reads, such as "segment the cat".
        out: Folder to write to; `RUN/predict/NAME/INSTRUCTION` if None.
        task: How answers are decoded; None: by the words.
        classes: Names of classes; none: those of the run's vocabulary that the words name.
        sampling: Changes to how the run samples.
        device: `auto`, `cpu`, `cuda` ...
        draw: Whether to draw overlays.

    Raises:
        ConfigError: Another run, a task that it wasn't trained for, missing classes, sampling of a
            one-step run, or a folder with the answers to another instruction.
    """
    opened = open_source(Path(source))
    trained = TrainedRun.load(run, device)
    given = Request(instruction=instruction, task=task, classes=tuple(classes), sampling=sampling)
    request = given.resolve(trained)
    folder = trained.folder.root / "predict" / opened.path.stem / folder_name(given) if out is None else Path(out)
    count = request.items_per_image(trained.encoding)
    unit = "queries" if count > 1 else opened.unit
    progress = ProgressLine(opened.num_samples * count, "ask", unit)
    with open_writer(trained, request, folder, opened.frame_rate, draw).open() as writer:
        for sample, prediction in trained.predictor.stream(opened.samples(), request, watch=progress.show):
            writer.add(prediction, sample.image)
    progress.close()
    return AskResult(folder, request.note)
