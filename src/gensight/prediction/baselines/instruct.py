"""Baselines of an instruction-following model: answers that ignore the image, and the model given other words."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import overload

import torch
from torch import Tensor

from gensight.encodings.painted.base import OUTPUT
from gensight.encodings.painted.instructed import Instructed
from gensight.files.progress import progress
from gensight.instructions.grammar import OF_THE_IMAGE, TASKS, Task, fixed, rephrased
from gensight.loading.cases import Cases
from gensight.loading.views import ViewPolicy
from gensight.samples import Item, Prediction, View

Words = Callable[[Item], str]
_Query = tuple[str | None, tuple[str, ...]]


class MostFrequentAnswer:
    """The answer that training gave most to each query; the image is ignored.

    Pixels of masks and boxes take the mean of the training answers to that query, and so the majority where one
    colour has it; depth, skeletons and edges their mean; a class the most frequent label.

    Args:
        cases: Training cases, un-augmented.
        encoding: That posed them.
    """

    def __init__(self, cases: Cases, encoding: Instructed) -> None:
        self.policy: ViewPolicy = cases.policy
        self.encoding = encoding
        sums: dict[_Query, tuple[Tensor, Tensor]] = {}
        counts: dict[_Query, dict[str, tuple[int, Tensor]]] = {}
        for index in progress(range(len(cases)), len(cases), "most frequent answers", "items"):
            item = cases.item(index)
            query = _query(item)
            targets = encoding.encode(item, self._views(item))
            picture, weight = targets[OUTPUT], targets[f"{OUTPUT}_weight"]
            if query[0] == "classify":
                of, label = counts.setdefault(query, {}), item.sample.label or ""
                of[label] = (of.get(label, (0, picture))[0] + 1, picture)
                continue
            total, mass = sums.get(query, (torch.zeros_like(picture), torch.zeros_like(weight)))
            sums[query] = (total + weight * picture, mass + weight)
        self.answers = {query: total / mass.clamp(min=1e-6) for query, (total, mass) in sums.items()}
        for query, labels in counts.items():
            self.answers[query] = max(labels.values(), key=lambda one: one[0])[1]

    def _views(self, item: Item) -> tuple[View, ...]:
        return (self.policy.view(item),)

    def __call__(self, item: Item) -> Prediction:
        views = self._views(item)
        black = torch.zeros(3, *self.encoding.grid_size(views[0].model_size))
        return self.encoding.decode({OUTPUT: self.answers.get(_query(item), black)}, item, views)


class RewordedItems(Sequence[Item]):
    """The items of cases in other words; what is decoded and scored stays the original query.

    Args:
        cases: With queries.
        words: Item -> the words passed to the model.
    """

    def __init__(self, cases: Cases, words: Words) -> None:
        self.cases, self.words = cases, words

    def __len__(self) -> int:
        return len(self.cases)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        item = self.cases.item(index)
        assert item.query is not None  # items of painted encodings have one
        return replace(item, query=replace(item.query, text=self.words(item)))


def reworded(name: str, cases: Cases) -> Cases | None:
    """The cases in other words: `held-out-paraphrases` (never seen in training, synonyms where the data has them),
    `shuffled-instructions` (another query's words); None for another name."""
    match name:
        case "held-out-paraphrases":
            synonyms = cases.reader.synonyms
            return cases.with_items(RewordedItems(cases, lambda item: _paraphrased(item, synonyms)))
        case "shuffled-instructions":
            assert isinstance(cases.encoding, Instructed)  # the schema lets only painted encodings ask for it
            queries = _queries(cases.encoding)
            return cases.with_items(RewordedItems(cases, lambda item: _other(item, queries)))
        case _:
            return None


def _paraphrased(item: Item, synonyms: object) -> str:
    assert item.query is not None
    known = dict(synonyms) if isinstance(synonyms, dict) else None
    seed = Random(item.key).getrandbits(31)
    return rephrased(_task(item.query.task), item.query.options, seed, known, part="held-out").text


def _other(item: Item, queries: list[_Query]) -> str:
    own = _query(item)
    task, classes = Random(item.key).choice([one for one in queries if one != own] or [own])
    return fixed(_task(task), classes).text


def _queries(encoding: Instructed) -> list[_Query]:
    found: list[_Query] = []
    for task in encoding.tasks:
        if task in OF_THE_IMAGE:
            found.append((task, ()))
        elif task == "classify":
            found.append((task, encoding.labels))
        else:
            found += [(task, (name,)) for name in encoding.categories]
    return found


def _query(item: Item) -> _Query:
    return (None, ()) if item.query is None else (item.query.task, item.query.options)


def _task(name: str | None) -> Task:
    return next(one for one in TASKS if one == name)
