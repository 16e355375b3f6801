"""The metrics of a recipe's protocols."""

from typing import assert_never

from gensight.config.instruct import PaintedConfig
from gensight.config.protocols import Protocol
from gensight.config.schema import RunConfig
from gensight.metrics import keypoint_tables as tables
from gensight.metrics.appearance import build_appearance_metrics
from gensight.metrics.base import Metric
from gensight.metrics.classification import classification_metrics
from gensight.metrics.coco.detection import detection_metrics
from gensight.metrics.correspondence import build_matching_metrics
from gensight.metrics.depth import depth_metrics
from gensight.metrics.edges import edge_metrics
from gensight.metrics.gaze.scores import gaze_metrics
from gensight.metrics.normals import normal_metrics
from gensight.metrics.per_query import AskedMetric, Joined
from gensight.metrics.segmentation import segmentation_metrics
from gensight.readers.shared.class_maps import BACKGROUND
from gensight.skeletons import Skeleton


def build_metrics(config: RunConfig, skeleton: Skeleton | None) -> list[Metric]:
    """Fresh metrics for the protocols of a recipe, in their order."""
    pairs = config.encoding.facts.items == "pair"
    if isinstance(config.encoding, PaintedConfig):
        return [
            metric for protocol in config.protocols for metric in _asked(protocol, config, config.encoding, skeleton)
        ]
    return [metric for protocol in config.protocols for metric in _build_metric(protocol, config, skeleton, pairs)]


def _asked(protocol: Protocol, config: RunConfig, encoding: PaintedConfig, skeleton: Skeleton | None) -> list[Metric]:
    """Of painted answers: each protocol scores the items of its task, if the encoding asks it."""
    categories = encoding.categories or ()
    found: list[Metric]
    match protocol:
        case "seg" | "seg-oracle-classes":
            task, found = "segment", segmentation_metrics(protocol, (BACKGROUND, *categories)) if categories else []
        case "coco-box" | "voc07" | "voc12":
            task, found = "detect", detection_metrics(protocol, categories)
        case "classification" | "top-1":
            task, found = "classify", classification_metrics(protocol)
        case "coco-oks":
            task, found = "keypoints", _build_metric(protocol, config, skeleton, False) if skeleton else []
        case "edges-f":
            task, found = "edges", _build_metric(protocol, config, None, False)
        case _:  # the schema lets painted answers ask for no others
            task, found = "depth", _build_metric(protocol, config, None, False)
    merged = task in ("segment", "depth")  # several measures share what the first of them counts
    joined = Joined()
    return [AskedMetric(metric, (task,), merged, joined) for metric in found] if task in encoding.tasks else []


def _build_metric(protocol: Protocol, config: RunConfig, skeleton: Skeleton | None, pairs: bool) -> list[Metric]:
    match protocol:
        case "depth-metric" | "depth-median-scaled" | "depth-affine":
            low, high = config.evaluation.depth_range
            return depth_metrics(protocol, low, high)
        case "classification" | "top-1":
            return classification_metrics(protocol)
        case "edges-f":
            return edge_metrics(protocol)
        case "angular-error":
            return normal_metrics(protocol)
        case (
            "gazefollow" | "chong" | "gazelle" | "tonini" | "sharingan"
            | "video" | "chong-video" | "gazelle-video" | "goo-5x5" | "in-frame-ap"
        ):  # fmt: skip
            return gaze_metrics(protocol, subset=config.data.scored_subset)
        case "two-alternative" | "same-different-auc":
            return build_appearance_metrics([protocol])
        case "pck-img":
            return build_matching_metrics([protocol])
        case "pck-box" if pairs:  # of pairs, not of keypoints
            return build_matching_metrics([protocol])
        case (
            "pck-box" | "mean-px" | "coco-oks" | "pck-torso" | "pckh" | "readout-guidance-2024" | "rmse-px"
            | "median-px" | "bbc-6px"
        ):  # fmt: skip
            assert skeleton is not None  # the schema lets only keypoint encodings ask for these
            return tables.build_metrics([protocol], skeleton)
        case "seg" | "seg-oracle-classes" | "coco-box" | "voc07" | "voc12":
            raise AssertionError(f"{protocol} scores painted answers, which `_asked` has taken")
        case _:
            assert_never(protocol)
