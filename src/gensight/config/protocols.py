"""Which scores and baselines go with which encoding: the usual ones, and all that make sense."""

from typing import Literal

Protocol = Literal[
    "coco-oks", "pck-box", "pck-torso", "pckh", "readout-guidance-2024", "rmse-px", "median-px", "mean-px",
    "bbc-6px",
    "depth-metric", "depth-median-scaled", "depth-affine",
    "edges-f",
    "pck-img",
    "two-alternative", "same-different-auc",
    "gazefollow", "chong", "gazelle", "tonini", "sharingan", "video", "chong-video", "gazelle-video", "goo-5x5",
    "in-frame-ap",
    "seg", "seg-oracle-classes", "coco-box", "voc07", "voc12", "classification", "top-1",
]  # fmt: skip
Baseline = Literal[
    "mean-position", "mean-map", "no-motion", "raw-pixels", "sift", "optical-flow", "colour-histogram", "random-twin",
    "scratch",
    "centre-gaze", "mean-gaze", "eye-point", "head-direction", "head-pixels",
    "most-frequent", "shuffled-instructions", "held-out-paraphrases",
]  # fmt: skip
TEACHER = "teacher:"  # before a pose model's hub id or folder: that model, scored as a baseline
TRAINED: tuple[Baseline, ...] = ("random-twin", "scratch")

_KEYPOINTS: tuple[Protocol, ...] = (
    "pck-box", "mean-px", "coco-oks", "pck-torso", "pckh", "readout-guidance-2024", "rmse-px", "median-px", "bbc-6px",
)  # fmt: skip
_DEPTH: tuple[Protocol, ...] = ("depth-metric", "depth-median-scaled", "depth-affine")
_GAZE: tuple[Protocol, ...] = (
    "gazefollow", "chong", "gazelle", "tonini", "sharingan", "video", "chong-video", "gazelle-video", "goo-5x5",
    "in-frame-ap",
)  # fmt: skip
_GAZE_BASELINES: tuple[Baseline, ...] = (
    "centre-gaze", "mean-gaze", "eye-point", "head-direction", "head-pixels",
)  # fmt: skip
_PAINTED: tuple[Protocol, ...] = (
    "seg", "seg-oracle-classes", "coco-box", "voc07", "voc12", "depth-metric", "depth-median-scaled", "depth-affine",
    "classification", "top-1", "coco-oks", "edges-f",
)  # fmt: skip
_PAINTED_BASELINES: tuple[Baseline, ...] = ("most-frequent", "shuffled-instructions", "held-out-paraphrases")

EVERYBODY = "pose-image of all"  # a pose image of all instances, in the tables below

PROTOCOLS: dict[str, tuple[Protocol, ...]] = {
    "heatmap": _KEYPOINTS,
    "pose-image": _KEYPOINTS,
    EVERYBODY: ("coco-oks",),  # asks about everybody, not about one subject
    "edge-image": ("edges-f",),
    "depth-image": ("depth-affine",),
    "depth-map": _DEPTH,
    "correspondence": ("pck-img", "pck-box"),
    "appearance": ("two-alternative", "same-different-auc"),
    "landmark-pairs": (),
    "points": _KEYPOINTS,
    "gaze": _GAZE,
    "painted": _PAINTED,
    "class": ("classification", "top-1"),
}
USUAL_PROTOCOLS: dict[str, tuple[Protocol, ...]] = {
    "heatmap": ("pck-box", "mean-px"),
    "pose-image": ("pck-box", "mean-px"),
    EVERYBODY: ("coco-oks",),
    "edge-image": ("edges-f",),
    "depth-image": ("depth-affine",),
    "depth-map": ("depth-metric", "depth-affine"),
    "correspondence": ("pck-img",),
    "appearance": ("two-alternative",),
    "landmark-pairs": (),
    "points": ("mean-px", "median-px"),
    "gaze": ("gazefollow", "in-frame-ap"),
    "painted": ("seg", "coco-box", "depth-metric", "classification"),
    "class": ("classification",),
}
BASELINES: dict[str, tuple[Baseline, ...]] = {
    "heatmap": ("mean-position", *TRAINED),
    "pose-image": ("mean-position", "mean-map", *TRAINED),
    EVERYBODY: ("mean-map", *TRAINED),
    "edge-image": ("mean-map", *TRAINED),
    "depth-image": ("mean-map", *TRAINED),
    "depth-map": ("mean-map", *TRAINED),
    "correspondence": ("no-motion", "raw-pixels", "sift", "optical-flow", *TRAINED),
    "appearance": ("colour-histogram", *TRAINED),
    "landmark-pairs": (),
    "points": ("mean-position",),
    "gaze": (*_GAZE_BASELINES, "random-twin"),
    "painted": _PAINTED_BASELINES,
    "class": ("most-frequent", "random-twin"),
}
USUAL_BASELINES: dict[str, tuple[Baseline, ...]] = {
    "heatmap": ("mean-position", "random-twin"),
    "pose-image": ("mean-position", "random-twin"),
    EVERYBODY: ("random-twin",),
    "edge-image": ("mean-map", "random-twin"),
    "depth-image": ("mean-map", "random-twin"),
    "depth-map": ("mean-map", "random-twin"),
    "correspondence": ("no-motion", "raw-pixels", "sift", "random-twin"),
    "appearance": ("colour-histogram", "random-twin"),
    "landmark-pairs": (),
    "points": ("mean-position",),
    "gaze": ("centre-gaze", "mean-gaze", "head-pixels", "head-direction"),
    "painted": _PAINTED_BASELINES,
    "class": ("most-frequent",),
}
