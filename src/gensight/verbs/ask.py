"""`gensight ask`: an instruction-following run applied to an image, a folder or a video."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gensight.diffusion.sampling import Sampling
from gensight.prediction.detection.finder import BoxFinder
from gensight.prediction.jobs import Job, PredictionOutcome, write_predictions
from gensight.prediction.outputs.choice import folder_name
from gensight.prediction.request import Request
from gensight.prediction.sources import open_source
from gensight.prediction.trained_run import TrainedRun


@dataclass(frozen=True)
class AskResult:
    """What was written.

    Attributes:
        outcome: Where, and what could not be read.
        note: How the instruction was understood.
    """

    outcome: PredictionOutcome
    note: str

    @property
    def folder(self) -> Path:
        return self.outcome.folder


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
    job = Job(trained, request)
    done = write_predictions([job], [opened], folder, lambda _: BoxFinder(), identity={}, draw=draw, label="ask")
    return AskResult(done, request.note)
