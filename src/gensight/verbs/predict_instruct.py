"""`gensight predict --instruction`: one question in words, put to an image, a folder or a video."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, get_args

from gensight.diffusion.noise import mix
from gensight.encodings.painted.base import OUTPUT
from gensight.encodings.painted.instructed import Instructed
from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError, nearest
from gensight.files.progress import batches
from gensight.geometry import warp_image
from gensight.instructions.classes import in_vocabulary_order, named_classes
from gensight.instructions.grammar import OF_THE_IMAGE, fixed
from gensight.instructions.tasks import infer_task
from gensight.loading.cases import Case, collate
from gensight.methods.instruct.editor import SamplerName
from gensight.methods.instruct.many_steps import ManySteps
from gensight.methods.instruct.method import Instruct
from gensight.prediction.class_queries import Answered, joined, most_at_once, plan, together
from gensight.prediction.outputs.answers import InstructFiles
from gensight.prediction.outputs.writer import PredictionWriter
from gensight.prediction.sources import Source, open_source
from gensight.prediction.trained_run import TrainedRun
from gensight.readers.shared.listings import plain_name
from gensight.samples import Prediction, Sample

# A question's options of sampling -> the method's attributes.
_SAMPLING = {
    "sampler": "sampler", "steps": "sample_steps", "text_guidance": "text_guidance",
    "image_guidance": "image_guidance", "num_draws": "num_draws",
}  # fmt: skip
_SLUG_LENGTH = 40


@dataclass(frozen=True)
class Question:
    """What is asked, and how it is drawn.

    Attributes:
        text: The words that the model reads.
        task: How its answer is decoded; None: by the rule of `instructions/tasks.py`.
        classes: Names of classes; none: those of the run's vocabulary that the text names.
        steps, text_guidance, image_guidance: None: as the run was made. A run in one step takes none of them.
        num_draws: Draws that an answer is the mean of; None: as the run was made.
        seed: Of the noise; None: 0. A run in one step has no noise.
        sampler: `ddim`, `euler` or `euler-ancestral`; None: as the run was made.
    """

    text: str
    task: str | None = None
    classes: tuple[str, ...] = ()
    steps: int | None = None
    text_guidance: float | None = None
    image_guidance: float | None = None
    num_draws: int | None = None
    seed: int | None = None
    sampler: str | None = None


def predict_instruct(
    run: Path, source: Path, question: Question, out: Path | None = None, device: str = "auto", draw: bool = True
) -> Path:
    """Asks a run about images and writes answers.json, masks, depth and overlays.

    Args:
        run: A finished run of the method `instruct`.
        source: Image, folder or video.
        question: What is asked.
        out: Folder to write to; `RUN/predict/NAME/QUESTION` if None.
        device: `auto`, `cpu`, `cuda` ...
        draw: Whether to draw overlays.

    Returns:
        The folder that was written.

    Raises:
        ConfigError: Another run, a task that it wasn't trained for, classes that are missing or can't be told apart,
            options of sampling for a run in one step, or a folder with the answers to another question.
    """
    opened = open_source(Path(source))
    trained = TrainedRun.load(run, device)
    asked, told = resolve(trained, question)
    print(told)
    folder = out
    if folder is None:
        folder = RunFolder(Path(run)).root / "predict" / opened.path.stem / slug(question)
    skeleton = trained.skeleton if asked.task == "keypoints" else None
    files = trained.config.encoding.facts.files
    writer = PredictionWriter(Path(folder), files, skeleton, trained.config.name, opened.frame_rate, draw)
    writer.write_also(InstructFiles(Path(folder), described(trained, asked), opened.frame_rate is not None))
    with writer.open():
        for sample, prediction in answers(trained, opened, asked):
            writer.add(prediction, sample.image())
    return Path(folder)


def slug(question: Question) -> str:
    """A folder's name for a question: its first words, and six digits of all of it, so that each has its own."""
    words = plain_name(question.text.lower()).replace("_", "-")[:_SLUG_LENGTH].strip("-.")
    digest = hashlib.sha256(json.dumps(asdict(question)).encode()).hexdigest()
    return f"{words or 'question'}-{digest[:6]}"


def resolve(trained: TrainedRun, question: Question) -> tuple[Question, str]:
    """The question with its task and classes, and a line that says what was chosen and why. Sets the run's sampling."""
    encoding, method = trained.encoding, trained.method
    if not isinstance(encoding, Instructed) or not isinstance(method, Instruct):
        kind = trained.config.method.kind
        raise ConfigError(f"a run of method.kind={kind} takes no instruction", where=trained.folder.root)
    _set_sampling(method, question)
    task, told, hint = question.task, f"task: {question.task}", None
    if task is None:
        inferred = infer_task(question.text)
        task, told = inferred.task, str(inferred)
        hint = f"it was inferred from `{inferred.word}`, choose another with --task"
    if task not in encoding.tasks:
        what = f"this run was not trained to {task}"
        raise ConfigError(what, where=trained.folder.root, choices=encoding.tasks, hint=hint)
    classes, of_classes = _classes(encoding, task, question)
    return replace(question, task=task, classes=classes), "; ".join([told, *of_classes])


def _classes(encoding: Instructed, task: str, question: Question) -> tuple[tuple[str, ...], list[str]]:
    """The classes that are asked for, in the order of their colours, and what to say of them."""
    if task in OF_THE_IMAGE:
        if question.classes:
            raise ConfigError(f"`{task}` is asked of the whole image, without classes", where="--classes")
        return (), []
    vocabulary, note = encoding.labels if task == "classify" else encoding.categories, ""
    if question.classes:
        classes, note = in_vocabulary_order(question.classes, vocabulary)
    else:
        named = named_classes(question.text, vocabulary)
        classes = tuple(name for name in vocabulary if name in named)
        classes = classes or (vocabulary if task == "classify" else ())
    if not classes:
        hint = "name one of them in the instruction, or another with --classes"
        raise ConfigError("the instruction names no class of this run", choices=vocabulary, hint=hint)
    told = [f"classes: {', '.join(classes)}" + (f" ({note})" if note else "")]
    most = most_at_once(encoding, task)
    if len(classes) > most and task == "classify":
        hint = f"choose among {most} or fewer, with --classes"
        raise ConfigError(f"{len(classes)} classes cannot be told apart in one answer of this run", hint=hint)
    if len(classes) > most:
        words = fixed("segment" if task == "segment" else "detect", classes[:1]).text
        told.append(f"asked one by one (`{words}` ...), since training asks for {most} at once at most")
    return classes, told


def _set_sampling(method: Instruct, question: Question) -> None:
    """Gives a run what the question says of its sampling. ConfigError where it doesn't apply, or isn't valid."""
    chosen = {name: value for name in _SAMPLING if (value := getattr(question, name)) is not None}
    if not isinstance(method, ManySteps):
        _refuse_sampling([*chosen, *(["seed"] if question.seed is not None else [])])
        return
    if question.sampler is not None:
        _check_sampler(question.sampler)
    levels = len(method.alphas_cumprod)
    if question.steps is not None and question.steps > levels:
        hint = f"choose 1 to {levels}"
        raise ConfigError(f"{question.steps} steps of {levels} noise levels", where="--steps", hint=hint)
    image = question.image_guidance
    if image is not None and image < 1 < chosen.get("text_guidance", method.text_guidance):
        hint = "choose 1 or more, or --text-guidance 1 to go without guidance"
        raise ConfigError(f"an image's weight of {image:g} switches guidance off", where="--image-guidance", hint=hint)
    for name, value in chosen.items():
        setattr(method, _SAMPLING[name], value)


def _check_sampler(name: str) -> None:
    valid = get_args(SamplerName)
    if name not in valid:
        near = nearest(name, valid)
        hint = f"did you mean `{near}`?" if near else None
        raise ConfigError(f"no sampler is called `{name}`", where="--sampler", choices=valid, hint=hint)


def _refuse_sampling(options: Sequence[str]) -> None:
    if options:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in options)
        hint = "leave it out, or ask a run of method.way=many-step"
        raise ConfigError(f"this run answers in one step, without noise or {named}", where=named, hint=hint)


def answers(trained: TrainedRun, source: Source, asked: Question) -> Iterator[tuple[Sample, Prediction]]:
    """Each image with its prediction, at its own size and aspect.

    Batches hold `evaluation.batch_size` questions, those about one image next to each other: the method encodes an
    image once for all that a batch asks of it.
    """
    encoding = trained.encoding
    assert isinstance(encoding, Instructed) and asked.task is not None  # `resolve` has seen to it
    count = 1 if together(encoding, asked.task, asked.classes) else len(asked.classes)
    unit = "questions" if count > 1 else "images" if source.frame_rate is None else "frames"
    size, total = trained.config.evaluation.batch_size, source.num_samples * count
    answered = _answered(trained, batches(_cases(trained, source.samples(), asked), size, total, "predict", unit))
    while (first := next(answered, None)) is not None:
        yield first[0].sample, joined(encoding, chain([first], islice(answered, count - 1)), count)


def _cases(trained: TrainedRun, samples: Iterable[Sample], asked: Question) -> Iterator[Case]:
    """The questions about each image in turn, which is read once, with the same noise for all of them."""
    assert isinstance(trained.encoding, Instructed) and asked.task is not None
    for sample in samples:
        items = plan(trained.encoding, sample, asked.task, asked.classes, asked.text)
        view = trained.policy.view(items[0])
        seen, key = warp_image(sample.image(), view), mix(asked.seed or 0, *sample.key.encode())
        for item in items:
            yield Case(item, (view,), key, (seen,), {})


def _answered(trained: TrainedRun, stream: Iterable[list[Case]]) -> Iterator[Answered]:
    for cases in stream:
        painted = trained.predictor.outputs(collate(cases))[OUTPUT]
        yield from ((case.item, case.views[0], shown) for case, shown in zip(cases, painted, strict=True))


def described(trained: TrainedRun, asked: Question) -> dict[str, Any]:
    """What is asked and how it is drawn, as values for JSON; of a run in one step, without what it doesn't have."""
    method = trained.method
    assert isinstance(method, Instruct) and isinstance(trained.encoding, Instructed) and asked.task is not None
    told: dict[str, Any] = {"instruction": asked.text, "task": asked.task, "classes": list(asked.classes)}
    if asked.classes:
        told["asked"] = "together" if together(trained.encoding, asked.task, asked.classes) else "one by one"
    told["way"] = method.way
    if not isinstance(method, ManySteps):
        return told
    told |= {name: getattr(method, own) for name, own in _SAMPLING.items()} | {"seed": asked.seed or 0}
    if method.text_guidance <= 1 or method.image_guidance < 1:  # one branch, the model as it is
        told |= {"text_guidance": 1.0, "image_guidance": 1.0}
    return told
