"""Teaching a text encoder what instructions mean, before there are images.

A painted answer teaches words little at first: while kinds are not told apart in images, no word for a kind changes the
answer, and while no word does, nothing teaches the kinds. A text encoder whose sentences lie close together stays so
for long. So its output is made legible first: from the mean token, linear readers tell the task and the classes that a
sentence of the grammar names. They are thrown away: the model is told nothing but the text.
"""

from collections.abc import Callable, Sequence
from random import Random

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gensight.files.progress import progress
from gensight.instructions.grammar import OF_THE_IMAGE, TASKS, Instruction, Task, rephrased
from gensight.instructions.templates import Templates

_SHARPNESS = 16.0  # logits per cosine: what is told apart must differ in direction, not in length
_SENTENCES, _RATE, _WARM = 64, 1e-3, 30


class WordsReader(nn.Module):
    """Linear readers of an instruction's mean token: its task, and each class, whether it is named.

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
        self, tokens: Float[Tensor, "batch tokens channels"], meant: Sequence[Instruction]
    ) -> Float[Tensor, " batch"]:
        """Cross-entropy of the task, and of each class, summed."""
        tasks, classes = self.logits(tokens)
        right = torch.tensor([TASKS.index(one.task) for one in meant], device=tokens.device)
        named = torch.zeros_like(classes)
        for row, one in enumerate(meant):
            for name in _named(one):
                named[row, self.classes.index(name)] = 1.0
        told = F.binary_cross_entropy_with_logits(classes, named, reduction="none").sum(1)
        return F.cross_entropy(tasks, right, reduction="none") + told


def teach_words(
    embed: Callable[[Sequence[str]], Tensor],
    encoders: nn.Module,
    tasks: Sequence[Task],
    categories: Sequence[str],
    labels: Sequence[str],
    steps: int,
    seed: int = 0,
    more: Templates | None = None,
) -> WordsReader:
    """Trains a text encoder, in place, on sentences alone; all are of the training grammar. Gives the readers.

    Args:
        embed: Sentences -> (B, tokens, channels), differentiable.
        encoders: What learns.
        tasks: That sentences are drawn of.
        categories: Classes of pixels and objects; one to three are named at once.
        labels: Classes of whole images.
        steps: Of 64 sentences each.
        seed: Draws the sentences and the readers' first weights.
        more: Task -> more templates.
    """
    classes = tuple(dict.fromkeys((*categories, *labels)))
    draw = Random(f"words {seed}")
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        first = embed(["classify the image"])
        reader = WordsReader(first.shape[-1], classes).to(first.device)
    parameters = [*(p for p in encoders.parameters() if p.requires_grad), *reader.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=_RATE, weight_decay=0.01)
    for step in progress(range(steps), steps, "words", "steps"):
        rate = _RATE * min(1.0, (step + 1) / _WARM) * max(0.05, 1 - step / steps)
        for group in optimiser.param_groups:
            group["lr"] = rate
        meant = [_drawn(draw, tasks, categories, labels, more) for _ in range(_SENTENCES)]
        loss = reader.loss(embed([one.text for one in meant]), meant).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
    optimiser.zero_grad()
    return reader


def _drawn(
    draw: Random, tasks: Sequence[Task], categories: Sequence[str], labels: Sequence[str], more: Templates | None
) -> Instruction:
    task = draw.choice(list(tasks))
    names: Sequence[str] = ()
    if task == "classify":
        names = labels if draw.random() < 0.3 else draw.sample(list(labels), 1)
    elif task not in OF_THE_IMAGE:
        chosen = draw.sample(range(len(categories)), min(len(categories), draw.choice((1, 1, 1, 1, 2, 3))))
        names = [categories[index] for index in sorted(chosen)]
    return rephrased(task, tuple(names), draw.getrandbits(31), more=more)


def _named(one: Instruction) -> Sequence[str]:
    """The classes that the words name: choosing among those of whole images, they name none."""
    return () if one.task == "classify" and len(one.classes) > 1 else one.classes
