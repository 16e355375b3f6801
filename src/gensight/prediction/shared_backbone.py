"""Several trained runs on one backbone pass."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gensight.backbones.base import Backbone, Features
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Size


class FeatureMemo(Backbone):
    """A frozen backbone that caches its last outputs, so that further heads with the same input cost no pass.

    Args:
        backbone: Frozen.
        size: Number of outputs to cache: one for each noise level in use.
    """

    def __init__(self, backbone: Backbone, size: int = 4) -> None:
        super().__init__()
        self.backbone, self.size = backbone, size
        self.layers, self.time_channels, self.stride = backbone.layers, backbone.time_channels, backbone.stride
        self._known: list[tuple[Tensor, int | None, Tensor | None, Features]] = []
        self.num_passes = 0

    def features(
        self,
        images: Tensor,
        timestep: int | Tensor | None = None,
        text: Sequence[str] | None = None,
        noise: Tensor | None = None,
    ) -> Features:
        """As the backbone's own; only single timesteps and empty prompts are remembered."""
        if text is not None or isinstance(timestep, Tensor):
            return self.backbone.features(images, timestep, text, noise)
        for known_images, known_timestep, known_noise, features in self._known:
            if known_timestep == timestep and _same(known_images, images) and _same(known_noise, noise):
                return features
        features = self.backbone.features(images, timestep, noise=noise)
        self.num_passes += 1
        self._known = [*self._known, (images, timestep, noise, features)][-self.size :]
        return features

    def fingerprint(self) -> str:
        return self.backbone.fingerprint()

    def latent_shape(self, image_size: Size) -> tuple[int, ...]:
        return self.backbone.latent_shape(image_size)


def _same(first: Tensor | None, second: Tensor | None) -> bool:
    if first is None or second is None:
        return first is second
    return first is second or (first.shape == second.shape and torch.equal(first, second))


def share_backbones(runs: Sequence[TrainedRun]) -> list[FeatureMemo]:
    """Lets the runs whose frozen backbones are the same use a single one; gives the backbones that are shared.

    They also take the smallest of their batch sizes, since a pass is shared where its input is the same. A run whose
    backbone was trained with it, or that reads other layers, keeps its own.
    """
    memos: dict[str, FeatureMemo] = {}
    sharing: dict[str, list[TrainedRun]] = {}
    for run in runs:
        own = run.method.get_submodule("backbone")
        if not isinstance(own, Backbone) or own.trainable:
            continue
        fingerprint = own.fingerprint()
        run.method.backbone = memos.setdefault(fingerprint, FeatureMemo(own))
        sharing.setdefault(fingerprint, []).append(run)
    for together in sharing.values():
        smallest = min(run.predictor.batch_size for run in together)
        for run in together:
            run.predictor.batch_size = smallest
    return list(memos.values())
