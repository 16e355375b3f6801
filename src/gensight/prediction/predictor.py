"""The one predictor: requests about images -> predictions, batch by batch in constant memory."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, groupby, islice

import torch

from gensight.diffusion.sampling import Sampling
from gensight.encodings.base import Encoding
from gensight.geometry import warp_image
from gensight.loading.cases import Case, collate
from gensight.loading.views import ViewPolicy
from gensight.methods.base import Method
from gensight.prediction.batch_predictor import BatchPredictor
from gensight.prediction.merging import ItemOutputs, Smooth, merge_outputs
from gensight.prediction.request import Request
from gensight.samples import Array, Item, Prediction, Sample


class Predictor(BatchPredictor):
    """Answers requests about images.

    Args:
        method: In evaluation mode afterwards.
        encoding: Builds items of words, decodes the method's outputs.
        policy: Which part of an image an item shows.
        device: Where the method runs.
        flip_test: See `BatchPredictor`.
        batch_size: Items at once.
    """

    def __init__(
        self,
        method: Method,
        encoding: Encoding,
        policy: ViewPolicy,
        device: str | torch.device = "cpu",
        flip_test: bool = False,
        batch_size: int = 16,
    ) -> None:
        super().__init__(method, encoding, device, flip_test)
        self.policy, self.batch_size = policy, batch_size

    def answer(
        self, samples: Iterable[Sample], request: Request, *, keep_maps: bool = False, smooth: Smooth | None = None
    ) -> list[Prediction]:
        """One merged prediction per image, in order; see `stream`."""
        return [found for _, found in self.stream(samples, request, keep_maps=keep_maps, smooth=smooth)]

    def stream(
        self,
        samples: Iterable[Sample],
        request: Request,
        *,
        keep_maps: bool = False,
        smooth: Smooth | None = None,
    ) -> Iterator[tuple[Sample, Prediction]]:
        """Each image with its merged prediction, in the image frame; an empty one where it has no items.

        Batches hold items of as many images as fit; those about one image lie next to each other.

        Args:
            samples: Read one by one.
            request: Resolved against the run.
            keep_maps: Whether predictions keep the maps of all outputs.
            smooth: Changes the predictions of each image before they are merged.
        """
        waiting: deque[tuple[Sample, int]] = deque()
        answers = self._outputs(self._cases(samples, request, waiting), request.sampling)
        first = next(answers, None)
        while first is not None or waiting:
            sample, count = waiting.popleft()
            if count == 0:
                yield sample, Prediction(sample_key=sample.key, size=sample.size, group=sample.group)
                continue
            assert first is not None  # an image with items waits for them
            own = chain([first], islice(answers, count - 1))
            merged = merge_outputs(self.encoding, own, count, keep_maps, smooth)
            if request.reference is not None:  # it is about the second image
                merged = replace(merged, sample_key=sample.key, size=sample.size, group=sample.group)
            yield sample, merged
            first = next(answers, None)

    def answer_items(self, items: Iterable[Item]) -> Iterator[Prediction]:
        """One prediction per item, in order, not merged. An image is read once for neighbouring items about it."""
        groups = (list(some) for _, some in groupby(items, key=lambda item: item.samples))
        cases = (case for some in groups for case in self._views_of(some, 0))
        return (self.encoding.decode(one.outputs, one.item, one.views) for one in self._outputs(cases, None))

    def _cases(self, samples: Iterable[Sample], request: Request, waiting: deque[tuple[Sample, int]]) -> Iterator[Case]:
        """The items of each image in turn; an image is put into `waiting`, with their number, before they come."""
        for sample in samples:
            items = request.items(sample, self.encoding)
            waiting.append((sample, len(items)))
            yield from self._views_of(items, request.noise_key(sample))

    def _views_of(self, items: list[Item], key: int) -> Iterator[Case]:
        """Items as the network sees them; an image that several of them show is read once, and each view cut once."""
        read: dict[int, Array] = {}
        cut: dict[tuple[object, ...], Array] = {}
        for item in items:
            views = self.policy.views(item)
            images = []
            for one, view in zip(item.samples, views, strict=True):
                pixels = id(one.image)
                place = (pixels, view.model_size, view.mirrored, view.matrix.tobytes())
                if place not in cut:
                    if pixels not in read:
                        read[pixels] = one.image()
                    cut[place] = warp_image(read[pixels], view)
                images.append(cut[place])
            yield Case(item, views, key, tuple(images), {})

    def _outputs(self, cases: Iterable[Case], sampling: Sampling | None) -> Iterator[ItemOutputs]:
        rest = iter(cases)
        while taken := list(islice(rest, self.batch_size)):
            for _, alike in groupby(taken, lambda case: case.views[0].model_size):
                some = list(alike)
                outputs = self.outputs(collate(some), sampling)
                for number, case in enumerate(some):
                    yield ItemOutputs(case.item, case.views, {name: value[number] for name, value in outputs.items()})
