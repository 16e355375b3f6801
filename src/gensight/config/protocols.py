"""Names of protocols and baselines. Each encoding's section states which of them it has (`EncodingFacts`)."""

from typing import Literal

KeypointProtocol = Literal[
    "pck-box", "mean-px", "coco-oks", "pck-torso", "pckh", "readout-guidance-2024", "rmse-px", "median-px", "bbc-6px",
    "nme-inter-ocular",
]  # fmt: skip
Protocol = Literal[
    KeypointProtocol,
    "depth-metric", "depth-median-scaled", "depth-affine",
    "edges-f", "angular-error", "restoration",
    "pck-img",
    "two-alternative", "same-different-auc",
    "gazefollow", "chong", "gazelle", "tonini", "sharingan", "video", "chong-video", "gazelle-video", "goo-5x5",
    "in-frame-ap",
    "seg", "seg-oracle-classes", "coco-box", "voc07", "voc12", "classification", "top-1",
]  # fmt: skip
Baseline = Literal[
    "mean-position", "mean-map", "no-motion", "raw-pixels", "sift", "optical-flow", "colour-histogram",
    "random-weights", "scratch",
    "centre-gaze", "mean-gaze", "eye-point", "head-direction", "head-pixels",
    "most-frequent", "shuffled-instructions", "held-out-paraphrases",
]  # fmt: skip
TEACHER = "teacher:"  # prefix of a pose model's hub id or folder: that model, scored as a baseline
TRAINED: tuple[Baseline, ...] = ("random-weights", "scratch")
