"""Baselines of an instruction-following model: answers without the image, the model with other instructions."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import torch
from torch import Tensor

from gensight.encodings.base import ItemSequence
from gensight.encodings.painted.base import OUTPUT
from gensight.encodings.painted.instructed import Instructed
from gensight.files.progress import progress
from gensight.instructions.grammar import IMAGE_TASKS, TASKS, Task, fixed, rephrased
from gensight.loading.cases import Cases
from gensight.samples import Item, Prediction

Words = Callable[[Item], str]
_Question = tuple[str | None, tuple[str, ...]]


class MostFrequentAnswer:
    """Answers every query with its most frequent training answer; the image is ignored.

    Pixels of masks and boxes take the mean of the training answers to that query, and so the majority where one
    colour has it; depth, skeletons, edges and restored images their mean; a class the most frequent label.

    Args:
        cases: Training cases, un-augmented.
        encoding: That built them.
    """

    def __init__(self, cases: Cases, encoding: Instructed) -> None:
        # Answers are added up, so all views are of one size.
        crop = "frame" if cases.policy.crop == "fitted-frame" else cases.policy.crop
        self.policy, self.encoding = replace(cases.policy, crop=crop), encoding
        self.yes: dict[_Question, list[bool]] = {}
        sums: dict[_Question, tuple[Tensor, Tensor]] = {}
        counts: dict[_Question, dict[str, tuple[int, Tensor]]] = {}
        for index in progress(range(len(cases)), len(cases), "most frequent answers", "items"):
            item = cases.item(index)
            question = _question(item)
            if question[0] == "colour":
                answers = self.yes.setdefault(question, [])
                answers.append(item.sample.label in question[1])
                continue
            targets = encoding.encode(item, self.policy.views(item))
            picture, weight = targets[OUTPUT], targets[f"{OUTPUT}_weight"]
            if question[0] == "classify":
                of, label = counts.setdefault(question, {}), item.sample.label or ""
                of[label] = (of.get(label, (0, picture))[0] + 1, picture)
                continue
            total, mass = sums.get(question, (torch.zeros_like(picture), torch.zeros_like(weight)))
            sums[question] = (total + weight * picture, mass + weight)
        self.answers = {question: total / mass.clamp(min=1e-6) for question, (total, mass) in sums.items()}
        for question, labels in counts.items():
            self.answers[question] = max(labels.values(), key=lambda one: one[0])[1]

    def __call__(self, item: Item) -> Prediction:
        views, question = self.policy.views(item), _question(item)
        if question[0] == "colour":
            yes = self.yes.get(question, [False])
            return Prediction.of(item, label_scores={question[1][0]: float(2 * sum(yes) > len(yes))})
        black = torch.zeros(3, *self.encoding.grid_size(views[0].model_size))
        return self.encoding.decode({OUTPUT: self.answers.get(question, black)}, item, views)


class RewordedItems(ItemSequence):
    """Items whose queries are put in other words; what is decoded and scored stays the same.

    Args:
        cases: With the queries.
        words: Item -> the words that the model is given.
    """

    def __init__(self, cases: Cases, words: Words) -> None:
        self.cases, self.words = cases, words

    def __len__(self) -> int:
        return len(self.cases)

    def item(self, index: int) -> Item:
        item = self.cases.item(index)
        assert item.query is not None  # items of painted encodings have one
        return replace(item, query=replace(item.query, text=self.words(item)))


def reworded(name: str, cases: Cases) -> Cases | None:
    """The cases in other words: `held-out-paraphrases` (never seen in training, synonyms where the data has them),
    `shuffled-instructions` (another question's words); None for another name."""
    match name:
        case "held-out-paraphrases":
            synonyms = cases.reader.synonyms
            return cases.with_items(RewordedItems(cases, lambda item: _paraphrased(item, synonyms)))
        case "shuffled-instructions":
            assert isinstance(cases.encoding, Instructed)  # the schema lets only painted encodings ask for it
            questions = _questions(cases.encoding)
            return cases.with_items(RewordedItems(cases, lambda item: _other(item, questions)))
        case _:
            return None


def _paraphrased(item: Item, synonyms: object) -> str:
    assert item.query is not None
    known = dict(synonyms) if isinstance(synonyms, dict) else None
    seed = Random(item.key).getrandbits(31)
    query = item.query
    return rephrased(_task(query.task), query.options, seed, known, "held-out", colours=query.colours).text


def _other(item: Item, questions: list[_Question]) -> str:
    own = _question(item)
    task, classes = Random(item.key).choice([one for one in questions if one != own] or [own])
    return fixed(_task(task), classes).text


def _questions(encoding: Instructed) -> list[_Question]:
    found: list[_Question] = []
    for task in encoding.tasks:
        if task in IMAGE_TASKS:
            found.append((task, ()))
        elif task == "colour":
            found += [(task, (name,)) for name in encoding.labels]
        elif task == "classify":
            found.append((task, encoding.labels))
        else:
            found += [(task, (name,)) for name in encoding.categories]
    return found


def _question(item: Item) -> _Question:
    return (None, ()) if item.query is None else (item.query.task, item.query.options)


def _task(name: str | None) -> Task:
    return next(one for one in TASKS if one == name)
