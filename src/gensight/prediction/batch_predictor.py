"""A method and an encoding as one function from cases to predictions."""

from collections.abc import Iterator

import torch
from torch import Tensor

from gensight.diffusion.sampling import Sampling
from gensight.encodings.base import Encoding
from gensight.loading.cases import Cases
from gensight.loading.stream import each_once
from gensight.methods.base import Method
from gensight.samples import Batch, Item, Prediction
from gensight.transforms.views import mirror_view


class BatchPredictor:
    """Applies a method to batches and decodes its outputs.

    Args:
        method: In evaluation mode afterwards.
        encoding: Decodes the method's outputs.
        device: Where the method runs.
        flip_test: Averages each output with the mirrored image's, turned back.
    """

    def __init__(
        self, method: Method, encoding: Encoding, device: str | torch.device = "cpu", flip_test: bool = False
    ) -> None:
        self.method, self.encoding, self.device, self.flip_test = method.to(device).eval(), encoding, device, flip_test

    @torch.inference_mode()
    def outputs(self, batch: Batch, sampling: Sampling | None = None) -> dict[str, Tensor]:
        """The method's output tensors, on the CPU; `sampling` changes how it samples."""
        batch = batch.to(self.device)  # itself where it is there already
        outputs = self.method.predict(batch, sampling)
        if self.flip_test:
            mirrored = Batch(
                items=batch.items,
                views=[tuple(mirror_view(view) for view in views) for views in batch.views],
                keys=batch.keys,
                images=tuple(image.flip(-1) for image in batch.images),
            )
            turned = self.encoding.mirror(self.method.predict(mirrored, sampling))
            outputs = {name: (value + turned[name]) / 2 for name, value in outputs.items()}
        return {name: value.float().cpu() for name, value in outputs.items()}

    def __call__(self, batch: Batch) -> list[Prediction]:
        """One prediction per item, in order."""
        outputs = self.outputs(batch)
        return [
            self.encoding.decode({name: value[i] for name, value in outputs.items()}, item, views)
            for i, (item, views) in enumerate(zip(batch.items, batch.views, strict=True))
        ]

    def each(self, cases: Cases, batch_size: int) -> Iterator[tuple[Prediction, Item]]:
        """Every case's prediction with its item, in order."""
        for batch in each_once(cases, batch_size):
            yield from zip(self(batch), batch.items, strict=True)
