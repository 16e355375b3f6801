"""Text pretraining: tasks and classes can be read from the text encoder's output, for unseen wordings too."""

from pathlib import Path

import pytest
import torch

from gensight.backbones.diffusion import load_tiny
from gensight.engine.fit import fit_stage
from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError
from gensight.instructions.grammar import Instruction, Task, rephrased
from gensight.methods.instruct.many_steps import ManySteps
from gensight.methods.instruct.method import Instruct
from gensight.methods.instruct.text_pretraining import SentenceBatches, TextPretraining, WordsReader, text_pretraining
from tests.methods.instruct import small

TASKS: tuple[Task, ...] = ("segment", "detect", "depth", "classify")
NAMES = ("person", "dog", "cat", "horse")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("words")


def method(folder: Path) -> Instruct:
    return small.method(folder, train_text=True, words_first=3, tasks=TASKS, categories=NAMES, labels=NAMES)


def taught(of: Instruct, steps: int, run: Path, seed: int = 0) -> WordsReader:
    backbone = of.editor.backbone
    stage = text_pretraining(
        backbone.tokenizers, backbone.text_encoders, SentenceBatches(TASKS, NAMES, NAMES, seed), steps
    )
    fit_stage(stage, RunFolder(run))
    assert isinstance(stage.method, TextPretraining)
    return stage.method.reader


def held_out(num: int = 40) -> list[Instruction]:
    queries = [("segment", (NAMES[n % 4],)) for n in range(num)] + [("detect", (NAMES[n % 4],)) for n in range(num)]
    queries += [("depth", ()) for _ in range(num)]
    return [rephrased(task, names, seed, part="held-out") for seed, (task, names) in enumerate(queries)]


def test_task_and_class_are_legible_afterwards_in_words_never_trained_on(folder: Path, tmp_path: Path) -> None:
    of, sentences = method(folder), held_out()
    reader = taught(of, 150, tmp_path)
    with torch.no_grad():
        tasks, classes = reader.logits(of.editor.embed([one.text for one in sentences]))
    right = [TASKS[place] == one.task for place, one in zip(tasks[:, :4].argmax(1).tolist(), sentences, strict=True)]
    assert sum(right) / len(right) > 0.6  # chance 1/3
    named = [(place, one) for place, one in zip(classes.argmax(1).tolist(), sentences, strict=True) if one.classes]
    assert sum(NAMES[place] == one.classes[0] for place, one in named) / len(named) > 0.6  # chance 1/4


@pytest.mark.slow
def test_sentences_about_two_kinds_come_to_differ_in_the_packaged_encoder(tmp_path: Path) -> None:
    of = ManySteps(load_tiny(trainable="full"), train_text=True)
    pair = ["segment the dog", "segment the cat"]

    def apart() -> float:
        with torch.no_grad():
            first, second = of.editor.embed(pair).mean(1)
        return 1 - float(torch.cosine_similarity(first, second, dim=0))

    before = apart()
    taught(of, 250, tmp_path)
    assert before < 0.05 < 3 * before + 0.05 < apart()


def test_it_is_the_same_each_time_and_touches_nothing_else(folder: Path, tmp_path: Path) -> None:
    begun, first, second = (method(folder).requires_grad_() for _ in range(3))
    state = torch.random.get_rng_state()
    for name, one in (("first", first), ("second", second)):
        for stage in one.stages(5):
            fit_stage(stage, RunFolder(tmp_path / name))
    assert torch.equal(torch.random.get_rng_state(), state)
    changed = {
        name for name, value in first.named_parameters() if not torch.equal(value, dict(begun.named_parameters())[name])
    }
    assert changed
    assert all("text_encoders" in name for name in changed)
    for name, value in second.named_parameters():
        assert torch.equal(value, dict(first.named_parameters())[name])
        assert value.grad is None or "text_encoders" in name


def test_sentences_are_a_function_of_the_step_and_shared_by_processes() -> None:
    sentences = SentenceBatches(TASKS, NAMES, NAMES, seed=3)

    def texts(first: int, rank: int = 0, world_size: int = 1) -> list[str]:
        return [item.query.text for item in next(iter(sentences.from_step(first, 0, rank, world_size))).items]

    stream = iter(sentences.from_step(0))
    begun = [[item.query.text for item in next(stream).items] for _ in range(3)]
    assert texts(2) == begun[2] != begun[1]
    halves = [texts(1, rank, 2) for rank in (0, 1)]
    assert [text for pair in zip(*halves, strict=True) for text in pair] == begun[1]


def test_choosing_among_classes_names_none() -> None:
    reader = WordsReader(8, NAMES)
    tokens = torch.zeros(1, 5, 8)  # so that its biases alone answer
    with torch.no_grad():
        reader.bias[-len(NAMES) :] = -30.0
        choose = reader.loss(tokens, [Instruction("what is this?", "classify", NAMES)])
        one = reader.loss(tokens, [Instruction("is this a dog?", "classify", ("dog",))])
    assert choose < 5 < one


def test_a_frozen_text_encoder_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="frozen text encoder"):
        small.method(folder, words_first=3)
