"""The metrics of a recipe's protocols."""

from typing import assert_never

from gensight.config.instruct import PaintedConfig
from gensight.config.protocols import KeypointProtocol, Protocol
from gensight.config.schema import RunConfig
from gensight.instructions.grammar import RESTORATIONS
from gensight.metrics.appearance import TripletScores
from gensight.metrics.base import Metric
from gensight.metrics.classification import LabelScores
from gensight.metrics.coco.detection import CocoBox, VocBox
from gensight.metrics.coco.oks import CocoOks
from gensight.metrics.correspondence import MatchingPck
from gensight.metrics.depth import DepthScores
from gensight.metrics.edges import EdgeF
from gensight.metrics.gaze.scores import GazeScores, InFrameAp
from gensight.metrics.keypoints import BbcAccuracy, InterOcularError, Pck, PixelError
from gensight.metrics.normals import AngularError
from gensight.metrics.per_query import PerQueryMetric
from gensight.metrics.readout_guidance import ReadoutGuidance2024
from gensight.metrics.restoration import Restoration
from gensight.metrics.segmentation import Segmentation
from gensight.readers.shared.class_maps import BACKGROUND
from gensight.skeletons import Skeleton

THRESHOLDS = (0.05, 0.1, 0.2)  # of keypoints, in lengths of the subject


def build_metrics(config: RunConfig, skeleton: Skeleton | None) -> list[Metric]:
    """Fresh metrics for the protocols of a recipe, in their order."""
    if isinstance(config.encoding, PaintedConfig):
        found = (_per_query(protocol, config, config.encoding, skeleton) for protocol in config.protocols)
        return [metric for metric in found if metric is not None]
    return [_build_metric(protocol, config, skeleton) for protocol in config.protocols]


def _per_query(
    protocol: Protocol, config: RunConfig, encoding: PaintedConfig, skeleton: Skeleton | None
) -> Metric | None:
    """Of painted answers: each protocol scores the items of its task; None where the encoding has no such items."""
    match protocol:
        case "seg" | "seg-oracle-classes":
            task, possible = "segment", bool(encoding.categories)
        case "coco-box" | "voc07" | "voc12":
            task, possible = "detect", True
        case "classification" | "top-1":
            task, possible = "classify" if "classify" in encoding.tasks else "colour", True
        case "coco-oks":
            task, possible = "keypoints", skeleton is not None
        case "edges-f":
            task, possible = "edges", True
        case "restoration":
            tasks = [task for task in RESTORATIONS if task in encoding.tasks]
            return PerQueryMetric(Restoration(), tasks, merged=False) if tasks else None
        case _:  # the schema allows no others for painted answers
            task, possible = "depth", True
    if task not in encoding.tasks or not possible:
        return None
    return PerQueryMetric(
        _build_metric(protocol, config, skeleton), (task,), merged=task in ("segment", "depth", "colour")
    )


def _build_metric(protocol: Protocol, config: RunConfig, skeleton: Skeleton | None) -> Metric:
    categories = getattr(config.encoding, "categories", None) or ()
    match protocol:
        case "depth-metric" | "depth-median-scaled" | "depth-affine":
            low, high = config.evaluation.depth_range
            return DepthScores(protocol, min_depth=low, max_depth=high)
        case "classification":
            return LabelScores()
        case "top-1":
            return LabelScores(("top-1",))
        case "edges-f":
            return EdgeF()
        case "restoration":
            return Restoration()
        case "angular-error":
            return AngularError()
        case (
            "gazefollow" | "chong" | "gazelle" | "tonini" | "sharingan"
            | "video" | "chong-video" | "gazelle-video" | "goo-5x5"
        ):  # fmt: skip
            return GazeScores(protocol, subset=config.data.scored_subset)
        case "in-frame-ap":
            return InFrameAp(subset=config.data.scored_subset)
        case "two-alternative" | "same-different-auc":
            return TripletScores(protocol)
        case "pck-img":
            return MatchingPck("img")
        case "pck-box" if config.encoding.facts.items == "pair":  # of pairs, not of keypoints
            return MatchingPck("box")
        case "seg" | "seg-oracle-classes":
            return Segmentation((BACKGROUND, *categories), protocol=protocol)
        case "coco-box":
            return CocoBox(categories)
        case "voc07" | "voc12":
            return VocBox(protocol, categories)
        case (
            "pck-box" | "mean-px" | "coco-oks" | "pck-torso" | "pckh" | "readout-guidance-2024" | "rmse-px"
            | "median-px" | "bbc-6px" | "nme-inter-ocular"
        ):  # fmt: skip
            assert skeleton is not None  # the schema allows these for keypoint encodings only
            return _keypoint_metric(protocol, skeleton)
        case _:
            assert_never(protocol)


def _keypoint_metric(protocol: KeypointProtocol, skeleton: Skeleton) -> Metric:
    """At the usual thresholds. Raises ConfigError where the skeleton cannot be scored by the protocol."""
    match protocol:
        case "pck-box":
            return Pck(skeleton, "box", THRESHOLDS)
        case "pck-torso":
            return Pck(skeleton, "torso", THRESHOLDS)
        case "pckh":
            return Pck(skeleton, "head", (0.5,))
        case "readout-guidance-2024":
            return ReadoutGuidance2024(skeleton, THRESHOLDS)
        case "coco-oks":
            return CocoOks(skeleton)
        case "mean-px":
            return PixelError(skeleton, "mean")
        case "rmse-px":
            return PixelError(skeleton, "rmse")
        case "median-px":
            return PixelError(skeleton, "median")
        case "bbc-6px":
            return BbcAccuracy(skeleton)
        case "nme-inter-ocular":
            return InterOcularError(skeleton)
        case _:
            assert_never(protocol)
