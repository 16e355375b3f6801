"""Trains the text encoder on instructions alone, before the images.

Painted answers are a weak training signal for words at first: while the model does not distinguish classes in images,
no class name changes the answer, and the class names get no gradient. A text encoder whose sentences lie close together
stays so for long. So it is pretrained: linear classifiers on the mean token predict the task and the classes that a
sentence of the grammar names. They are dropped afterwards: the model is given nothing but the text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gensight.backbones.text import embed_each
from gensight.diffusion.noise import item_keys
from gensight.diffusion.sampling import Sampling
from gensight.instructions.grammar import COLOURS, IMAGE_TASKS, TASKS, Instruction, Task, as_task, rephrased
from gensight.instructions.templates import Templates
from gensight.methods.base import Method, Stage
from gensight.methods.loss import Loss
from gensight.samples import Batch, Item, Query, Sample

NAME = "text-pretraining"
_SHARPNESS = 16.0  # logits per cosine: classes must differ in direction, not in length
_SENTENCES, _RATE, _WARMUP_STEPS, _WEIGHT_DECAY = 64, 1e-3, 29, 0.01


class WordsReader(nn.Module):
    """Linear classifiers on an instruction's mean token: its task, and for each class whether it is named.

    Args:
        channels: Of the text encoder.
        classes: The vocabulary; without it tasks alone are read.
    """

    def __init__(self, channels: int, classes: Sequence[str] = ()) -> None:
        super().__init__()
        self.classes = tuple(classes)
        self.directions = nn.Parameter(torch.randn(len(TASKS) + len(self.classes), channels) * channels**-0.5)
        self.bias = nn.Parameter(torch.zeros(len(TASKS) + len(self.classes)))

    def logits(self, tokens: Float[Tensor, "batch tokens channels"]) -> tuple[Tensor, Tensor]:
        """Of tasks (B, len(TASKS)) and of classes (B, len(classes))."""
        cosines = F.normalize(tokens.mean(1).float(), dim=-1) @ F.normalize(self.directions, dim=-1).T
        tasks, classes = (_SHARPNESS * cosines + self.bias).split([len(TASKS), len(self.classes)], dim=1)
        return tasks, classes

    def loss(
        self, tokens: Float[Tensor, "batch tokens channels"], instructions: Sequence[Instruction]
    ) -> Float[Tensor, " batch"]:
        """Cross-entropy of the task, and of each class, summed."""
        tasks, classes = self.logits(tokens)
        right = torch.tensor([TASKS.index(one.task) for one in instructions], device=tokens.device)
        named = torch.zeros_like(classes)
        for row, one in enumerate(instructions):
            for name in _named(one):
                named[row, self.classes.index(name)] = 1.0
        class_loss = F.binary_cross_entropy_with_logits(classes, named, reduction="none").sum(1)
        return F.cross_entropy(tasks, right, reduction="none") + class_loss


class TextPretraining(Method):
    """Trains text encoders, in place, such that a `WordsReader` can read their output.

    Args:
        tokenizers: One for each encoder.
        encoders: The text encoders; parameters that require gradients are trained.
        classes: See `WordsReader`.
        seed: Draws the reader's first weights.
    """

    def __init__(self, tokenizers: Sequence[Any], encoders: nn.ModuleList, classes: Sequence[str], seed: int) -> None:
        super().__init__()
        self.tokenizers, self.encoders = tuple(tokenizers), encoders
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            self.reader = WordsReader(self._embed(["classify the image"]).shape[-1], classes)

    def _embed(self, texts: Sequence[str]) -> Tensor:
        device = next(self.encoders.parameters()).device
        return embed_each(texts, self.tokenizers, list(self.encoders), device)

    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        instructions = [_instruction(item) for item in batch.items]
        return {
            "instruction": Loss.over(self.reader.loss(self._embed([one.text for one in instructions]), instructions))
        }

    @torch.no_grad()
    def predict(self, batch: Batch, sampling: Sampling | None = None) -> dict[str, Tensor]:
        """`task` (B, len(TASKS)) and `classes` (B, len(classes)): logits, read off each item's instruction."""
        tasks, classes = self.reader.logits(self._embed([_instruction(item).text for item in batch.items]))
        return {"task": tasks, "classes": classes}

    def parameter_groups(self, group: str = "model") -> list[dict[str, Any]]:
        return [{"params": [*(p for p in self.encoders.parameters() if p.requires_grad), *self.reader.parameters()]}]


@dataclass(frozen=True)
class SentenceBatches:
    """`Batches` of 64 sentences of the training grammar, as items with a query and without an image.

    Attributes:
        tasks: The tasks of the sentences.
        categories: Classes of pixels and objects; one to three are named at once.
        labels: Classes of whole images.
        seed: Draws the sentences.
        more: Task -> more templates.
    """

    tasks: Sequence[Task]
    categories: Sequence[str]
    labels: Sequence[str]
    seed: int = 0
    more: Templates | None = None

    def from_step(self, first: int, num_workers: int = 0, rank: int = 0, world_size: int = 1) -> Iterator[Batch]:
        draw, step = Random(f"words {self.seed}"), 0
        while True:
            instructions = [self._drawn(draw) for _ in range(_SENTENCES)]
            if step >= first:  # earlier sentences are sampled again and dropped: the random numbers are one sequence
                numbers = range(rank, _SENTENCES, world_size)
                items = [_item(instructions[number], step * _SENTENCES + number) for number in numbers]
                yield Batch(items, [() for _ in items], item_keys(self.seed, step, numbers))
            step += 1

    def _drawn(self, draw: Random) -> Instruction:
        task = draw.choice(list(self.tasks))
        names: Sequence[str] = ()
        colours: Sequence[str] = ()
        if task == "colour":
            names, colours = draw.sample(list(self.labels), 1), draw.sample(COLOURS, 2)
        elif task == "classify":
            names = self.labels if draw.random() < 0.3 else draw.sample(list(self.labels), 1)
        elif task not in IMAGE_TASKS:
            count = min(len(self.categories), draw.choice((1, 1, 1, 1, 2, 3)))
            names = [self.categories[index] for index in sorted(draw.sample(range(len(self.categories)), count))]
        return rephrased(task, tuple(names), draw.getrandbits(31), more=self.more, colours=colours)


def text_pretraining(
    tokenizers: Sequence[Any], encoders: nn.ModuleList, sentences: SentenceBatches, steps: int
) -> Stage:
    """The stage that trains text encoders on sentences alone."""
    classes = tuple(dict.fromkeys((*sentences.categories, *sentences.labels)))
    method = TextPretraining(tokenizers, encoders, classes, sentences.seed)
    return Stage(NAME, method, sentences, steps, _RATE, _WARMUP_STEPS, _WEIGHT_DECAY)


def _item(instruction: Instruction, number: int) -> Item:
    sample = Sample(f"sentence#{number}", (1, 1), _no_image)
    return Item((sample,), query=Query(instruction.text, instruction.task, instruction.classes, instruction.colours))


def _no_image() -> Any:
    raise AssertionError("a sentence has no image")


def _instruction(item: Item) -> Instruction:
    query = item.query
    assert query is not None
    return Instruction(query.text, cast("Task", as_task(query.task)), query.options)


def _named(one: Instruction) -> Sequence[str]:
    """The classes that the instruction names; none where it lists the classes of whole images to choose from."""
    return () if one.task == "classify" and len(one.classes) > 1 else one.classes
