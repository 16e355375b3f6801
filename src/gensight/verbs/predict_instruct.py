"""`gensight predict --instruction`: one question in words, put to an image, a folder or a video."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gensight.diffusion.noise import mix
from gensight.encodings.instructed import Instructed
from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError
from gensight.files.progress import batches
from gensight.geometry import warp_image
from gensight.instructions.classes import named_classes
from gensight.instructions.tasks import infer_task
from gensight.loading.cases import Case, collate
from gensight.methods.instruct.method import Instruct
from gensight.prediction.instruct_files import InstructFiles
from gensight.prediction.outputs import PredictionWriter
from gensight.prediction.sources import open_source
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Item, Prediction, Sample


@dataclass(frozen=True)
class Question:
    """What is asked, and how it is drawn.

    Attributes:
        text: The words that the model reads.
        task: How its answer is decoded; None: by the rule of `instructions/tasks.py`.
        classes: Names in the order of their colours; none: those of the run's vocabulary that the text names.
        steps, text_guidance, image_guidance: None: as the run was made. A run in one step takes none of them.
        num_draws: Draws that an answer is the mean of; None: as the run was made.
        seed: Of the noise.
    """

    text: str
    task: str | None = None
    classes: tuple[str, ...] = ()
    steps: int | None = None
    text_guidance: float | None = None
    image_guidance: float | None = None
    num_draws: int | None = None
    seed: int = 0


def predict_instruct(
    run: Path, source: Path, question: Question, out: Path | None = None, device: str = "auto", draw: bool = True
) -> Path:
    """Asks a run about images and writes answers.json, masks, depth and overlays.

    Args:
        run: A finished run of the method `instruct`.
        source: Image, folder or video.
        question: What is asked.
        out: Folder to write to; `RUN/predict/NAME` if None.
        device: `auto`, `cpu`, `cuda` ...
        draw: Whether to draw overlays.

    Returns:
        The folder that was written.

    Raises:
        ConfigError: Another run, a task that it wasn't trained for, a class that is missing, or options of sampling
            for a run in one step.
    """
    opened = open_source(Path(source))
    trained = TrainedRun.load(run, device)
    asked, told = resolve(trained, question)
    print(told)
    folder = RunFolder(Path(run)).root / "predict" / opened.path.stem if out is None else Path(out)
    writer = PredictionWriter(folder, None, trained.config.name, opened.frame_rate, draw)
    writer.write_also(InstructFiles(folder, _described(asked)))
    unit = "images" if opened.frame_rate is None else "frames"
    size = trained.config.evaluation.batch_size
    with writer.open():
        for batch in batches(opened.samples(), size, opened.num_samples, "predict", unit):
            for sample, prediction in zip(batch, answer(trained, batch, asked), strict=True):
                writer.add(prediction, sample.image())
    return folder


def resolve(trained: TrainedRun, question: Question) -> tuple[Question, str]:
    """The question with its task and classes, and a line that says what was chosen and why. Sets the run's sampling."""
    encoding, method = trained.encoding, trained.method
    if not isinstance(encoding, Instructed) or not isinstance(method, Instruct):
        kind = trained.config.method.kind
        raise ConfigError(f"a run of method.kind={kind} takes no instruction", where=trained.folder.root)
    _set_sampling(method, question)
    task, told = question.task, f"task: {question.task}"
    if task is None:
        inferred = infer_task(question.text)
        task, told = inferred.task, str(inferred)
    if task not in encoding.tasks:
        raise ConfigError(f"this run was not trained to {task}", where=trained.folder.root, choices=encoding.tasks)
    vocabulary = encoding.labels if task == "classify" else encoding.categories
    classes = question.classes
    if task == "depth":
        classes = ()
    elif not classes:
        named = named_classes(question.text, vocabulary)
        classes = tuple(name for name in vocabulary if name in named)  # the order of their colours in training
        if task == "classify":
            classes = classes or vocabulary
        if not classes:
            hint = "name one of them in the instruction, or another with --classes"
            raise ConfigError("the instruction names no class of this run", choices=vocabulary, hint=hint)
    most = encoding.tasks[task].most_classes
    if len(classes) > most:
        hint = f"ask for {most} or fewer at a time, with --classes"
        raise ConfigError(f"{len(classes)} classes cannot be told apart in one answer of this run", hint=hint)
    if classes:
        told += f"; classes: {', '.join(classes)}"
    return replace(question, task=task, classes=classes), told


def _set_sampling(method: Instruct, question: Question) -> None:
    changes = {
        "sample_steps": question.steps, "text_guidance": question.text_guidance,
        "image_guidance": question.image_guidance, "num_draws": question.num_draws,
    }  # fmt: skip
    chosen = {name: value for name, value in changes.items() if value is not None}
    if chosen and method.way == "one-step":
        raise ConfigError(f"this run answers in one step, without {', '.join(chosen)}", where="gensight predict")
    for name, value in chosen.items():
        setattr(method, name, value)


def answer(trained: TrainedRun, samples: Sequence[Sample], question: Question) -> list[Prediction]:
    """One prediction per sample, at its own size and aspect."""
    encoding = trained.encoding
    assert isinstance(encoding, Instructed) and question.task is not None  # `resolve` has seen to it
    cases = []
    for sample in samples:
        item: Item = encoding.item(sample, question.task, question.classes, question.text)
        view = trained.policy.view(item)
        key = mix(question.seed, *sample.key.encode())
        cases.append(Case(item, (view,), key, (warp_image(sample.image(), view),), {}))
    return trained.predictor(collate(cases))


def _described(question: Question) -> dict[str, Any]:
    return {
        "instruction": question.text, "task": question.task, "classes": list(question.classes),
        "seed": question.seed,
    }  # fmt: skip
