"""Names of keypoint protocols -> metrics."""

from collections.abc import Callable, Sequence

from gensight.errors import ConfigError, did_you_mean
from gensight.metrics.base import Metric
from gensight.metrics.coco.oks import CocoOks
from gensight.metrics.keypoints import BbcAccuracy, Pck, PixelError
from gensight.metrics.readout_guidance import ReadoutGuidance2024
from gensight.metrics.thresholds import read_threshold
from gensight.skeletons import Skeleton

_WITH_THRESHOLDS: dict[str, tuple[tuple[float, ...], Callable[[Skeleton, Sequence[float], int], Metric]]] = {
    "pck-box": ((0.05, 0.1, 0.2), lambda skeleton, at, seed: Pck(skeleton, "box", at, seed)),
    "pck-torso": ((0.05, 0.1, 0.2), lambda skeleton, at, seed: Pck(skeleton, "torso", at, seed)),
    "pckh": ((0.5,), lambda skeleton, at, seed: Pck(skeleton, "head", at, seed)),
    "readout-guidance-2024": ((0.05, 0.1, 0.2), ReadoutGuidance2024),
}
"""Name -> the thresholds of the bare name, and the metric; `pck-box@0.10` names one threshold."""

_WITHOUT: dict[str, Callable[[Skeleton, int], Metric]] = {
    "coco-oks": lambda skeleton, seed: CocoOks(skeleton, seed=seed),
    "mean-px": lambda skeleton, seed: PixelError(skeleton, "mean", seed),
    "rmse-px": lambda skeleton, seed: PixelError(skeleton, "rmse", seed),
    "median-px": lambda skeleton, seed: PixelError(skeleton, "median", seed),
    "bbc-6px": BbcAccuracy,
}
PROTOCOLS: tuple[str, ...] = (*_WITH_THRESHOLDS, *_WITHOUT)


def keypoint_metric(protocol: str, skeleton: Skeleton, seed: int = 0) -> Metric:
    """A fresh metric of a protocol.

    Args:
        protocol: One of PROTOCOLS; some can name a threshold (`pck-box@0.10`), and have all usual ones without it.
        skeleton: The keypoints that are scored.
        seed: Seeds the bootstrap.

    Raises:
        ConfigError: An unknown name, a bad threshold, or a protocol that this skeleton cannot be scored by.
    """
    family, at, text = protocol.partition("@")
    if family in _WITH_THRESHOLDS:
        usual, build = _WITH_THRESHOLDS[family]
        return build(skeleton, (read_threshold(protocol, text, "pck-box@0.10"),) if at else usual, seed)
    if family in _WITHOUT and not at:
        return _WITHOUT[family](skeleton, seed)
    raise ConfigError(
        f"no keypoint protocol is called `{protocol}`",
        where="evaluation.protocols",
        choices=[f"{name}@0.10" if name in _WITH_THRESHOLDS else name for name in PROTOCOLS],
        hint=did_you_mean(protocol, PROTOCOLS),
    )
