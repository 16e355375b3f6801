"""The metrics of a recipe's protocols."""

from typing import assert_never

from gensight.config.instruct import PaintedConfig
from gensight.config.protocols import Protocol
from gensight.config.schema import RunConfig
from gensight.metrics.appearance import appearance_metric
from gensight.metrics.base import Metric
from gensight.metrics.classification import classification_metric
from gensight.metrics.coco.detection import detection_metric
from gensight.metrics.correspondence import matching_metric
from gensight.metrics.depth import depth_metric
from gensight.metrics.edges import edge_metric
from gensight.metrics.gaze.scores import gaze_metric
from gensight.metrics.keypoint_protocols import keypoint_metric
from gensight.metrics.normals import normal_metric
from gensight.metrics.per_query import PerQueryMetric
from gensight.metrics.segmentation import segmentation_metric
from gensight.readers.shared.class_maps import BACKGROUND
from gensight.skeletons import Skeleton


def build_metrics(config: RunConfig, skeleton: Skeleton | None) -> list[Metric]:
    """Fresh metrics for the protocols of a recipe, in their order."""
    pairs = config.encoding.facts.items == "pair"
    if isinstance(config.encoding, PaintedConfig):
        found = (_per_query(protocol, config, config.encoding, skeleton) for protocol in config.protocols)
        return [metric for metric in found if metric is not None]
    return [_build_metric(protocol, config, skeleton, pairs) for protocol in config.protocols]


def _per_query(
    protocol: Protocol, config: RunConfig, encoding: PaintedConfig, skeleton: Skeleton | None
) -> Metric | None:
    """Of painted answers: each protocol scores the items of its task; None where the encoding has no such items."""
    categories = encoding.categories or ()
    found: Metric | None
    match protocol:
        case "seg" | "seg-oracle-classes":
            task, found = "segment", segmentation_metric(protocol, (BACKGROUND, *categories)) if categories else None
        case "coco-box" | "voc07" | "voc12":
            task, found = "detect", detection_metric(protocol, categories)
        case "classification" | "top-1":
            task, found = "classify", classification_metric(protocol)
        case "coco-oks":
            task, found = "keypoints", _build_metric(protocol, config, skeleton, False) if skeleton else None
        case "edges-f":
            task, found = "edges", _build_metric(protocol, config, None, False)
        case _:  # the schema allows no others for painted answers
            task, found = "depth", _build_metric(protocol, config, None, False)
    if found is None or task not in encoding.tasks:
        return None
    return PerQueryMetric(found, (task,), merged=task in ("segment", "depth"))


def _build_metric(protocol: Protocol, config: RunConfig, skeleton: Skeleton | None, pairs: bool) -> Metric:
    match protocol:
        case "depth-metric" | "depth-median-scaled" | "depth-affine":
            low, high = config.evaluation.depth_range
            return depth_metric(protocol, min_depth=low, max_depth=high)
        case "classification" | "top-1":
            return classification_metric(protocol)
        case "edges-f":
            return edge_metric(protocol)
        case "angular-error":
            return normal_metric(protocol)
        case (
            "gazefollow" | "chong" | "gazelle" | "tonini" | "sharingan"
            | "video" | "chong-video" | "gazelle-video" | "goo-5x5" | "in-frame-ap"
        ):  # fmt: skip
            return gaze_metric(protocol, subset=config.data.scored_subset)
        case "two-alternative" | "same-different-auc":
            return appearance_metric(protocol)
        case "pck-img":
            return matching_metric(protocol)
        case "pck-box" if pairs:  # of pairs, not of keypoints
            return matching_metric(protocol)
        case (
            "pck-box" | "mean-px" | "coco-oks" | "pck-torso" | "pckh" | "readout-guidance-2024" | "rmse-px"
            | "median-px" | "bbc-6px"
        ):  # fmt: skip
            assert skeleton is not None  # the schema allows these for keypoint encodings only
            return keypoint_metric(protocol, skeleton)
        case "seg" | "seg-oracle-classes" | "coco-box" | "voc07" | "voc12":
            raise AssertionError(f"{protocol} scores painted answers, which `_per_query` has taken")
        case _:
            assert_never(protocol)
