"""The mean-map baseline: predicts the mean of the training maps, and ignores the image."""

import torch
from torch import Tensor

from gensight.encodings.base import Encoding
from gensight.errors import ConfigError
from gensight.loading.cases import Cases
from gensight.samples import Item, Prediction

_NO_MAPS = ("matching", "appearance", "vector")


class MeanMap:
    """Every map at its weighted mean over the training cases, cell by cell in the model frame.

    A cell that is labelled nowhere takes its channel's mean over the cells that are (0 where there is none).

    Args:
        cases: Training cases, un-augmented.
        encoding: Of maps.

    Raises:
        ConfigError: The encoding has an output that is no map.
    """

    def __init__(self, cases: Cases, encoding: Encoding) -> None:
        others = [name for name, spec in encoding.outputs.items() if spec.kind in _NO_MAPS]
        if others:
            raise ConfigError(
                f"there is no mean map of {', '.join(others)}: the {encoding.name} encoding predicts no maps",
                where="evaluation.baselines",
            )
        self.policy, self.encoding = cases.policy, encoding
        self.mean: dict[str, Tensor] = self._means(cases)

    def _means(self, cases: Cases) -> dict[str, Tensor]:
        """Output name -> float32 (channels, grid_height, grid_width)."""
        sums: dict[str, Tensor] = {}
        masses: dict[str, Tensor] = {}
        for index in range(len(cases)):
            item = cases.item(index)
            targets = self.encoding.encode(item, self.policy.views(item))
            for name in self.encoding.outputs:
                target = targets[name].double()
                weight = targets[f"{name}_weight"].double().expand_as(target)
                sums[name] = sums.get(name, torch.zeros_like(target)) + weight * target
                masses[name] = masses.get(name, torch.zeros_like(target)) + weight
        return {name: _filled(sums[name], masses[name]) for name in sums}

    def __call__(self, item: Item) -> Prediction:
        return self.encoding.decode(self.mean, item, self.policy.views(item))


def _filled(total: Tensor, mass: Tensor) -> Tensor:
    overall = total.sum((-2, -1), keepdim=True) / mass.sum((-2, -1), keepdim=True).clamp(min=1e-12)
    return torch.where(mass > 0, total / mass.clamp(min=1e-12), overall).float()
