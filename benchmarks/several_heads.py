"""Inference with three heads on one backbone pass against one head: an SD 1.5-shaped U-Net, random weights, 512 px.

Pose image, depth image and edges are read off one pass; the other side reads the pose image alone. CPU seconds of
the same process, sides in turn, the fastest of each. Target: three heads cost at most 1.3 x one.
"""

import sys
import time

import torch

from feature_cache import SIZE, sd_shaped
from gensight.encodings.base import OutputSpec
from gensight.methods.readout.method import Part, Readout
from gensight.samples import Batch, View

STRIDE, NUM_ROUNDS, MAX_RATIO = 8, 2, 1.3
PARTS = {
    "pose": Part({"pose/pose": OutputSpec(3, "sparse-image")}, STRIDE),
    "depth": Part({"depth/depth": OutputSpec(3, "dense-image")}, STRIDE),
    "edges": Part({"edges/edges": OutputSpec(1, "sparse-image")}, STRIDE),
}


def main() -> int:
    backbone = sd_shaped()
    sides = {"one head": Readout(backbone, {"pose": PARTS["pose"]}), "three heads": Readout(backbone, PARTS)}
    view = View(SIZE, SIZE, torch.eye(3).double().numpy())
    batch = Batch([], [(view,)], torch.zeros(1, dtype=torch.int64), (torch.rand(1, 3, *SIZE),))
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(NUM_ROUNDS):
        for name, method in sides.items():
            begun = time.process_time()
            method.eval().predict(batch)
            seconds[name].append(time.process_time() - begun)
    one, three = (min(taken) for taken in seconds.values())
    met = three <= MAX_RATIO * one
    print(
        f"one head {one:.1f} s, three heads {three:.1f} s of CPU time an image: {three / one:.2f} x "
        f"(target {MAX_RATIO} or less): {'met' if met else 'MISSED'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
