"""What eight people of one image cost beside one, for each gaze method (CPU time of `predict`, best of a few).

    python benchmarks/gaze_people.py [--repeats 5]

Target: the frozen-backbone model takes at most twice as long for eight. It sees the scene once; a close-up of each head
is one more pass of the backbone, so that choice pays for every person. The diffusion model runs its encoders once for a
person, never once a step: their calls are counted.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from gensight.assembly.backbones import build_backbone
from gensight.config.schema import RunConfig
from gensight.encodings.gaze import GazeMap
from gensight.loading.cases import Case, collate
from gensight.loading.gaze_views import GazeViews
from gensight.methods.base import Method
from gensight.methods.gaze.convolutional import ConvolutionalGaze
from gensight.methods.gaze.diffusion import DiffusionGaze
from gensight.methods.gaze.encoders import SceneAndHead
from gensight.methods.gaze.frozen import FrozenGaze
from gensight.prediction.request import head_items
from gensight.readers.puppets import PuppetsReader
from gensight.samples import Batch

STEPS = 10


def people(count: int, size: tuple[int, int], head_size: tuple[int, int]) -> Batch:
    """One synthetic scene, with `count` heads to predict."""
    sample = PuppetsReader(1, seed=1, size=(256, 256))[0]
    heads = [(np.array([20.0 + 25 * n, 40, 50 + 25 * n, 70]), 1.0) for n in range(count)]
    policy, encoding = GazeViews(size, "stretched-frame", 1.2, head_size), GazeMap()
    cases = []
    for item in head_items(sample, {sample.key: heads}):
        views = (policy.view(item, 0), policy.view(item, 1))
        images = tuple(np.zeros((*view.model_size, 3), np.uint8) for view in views)
        cases.append(Case(item, views, 0, images, encoding.encode(item, views)))
    return collate(cases)


def seconds(method: Method, batch: Batch, repeats: int) -> float:
    """The least CPU time of a prediction."""
    times = []
    for _ in range(repeats):
        begun = time.process_time()
        method.predict(batch)
        times.append(time.process_time() - begun)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    config = RunConfig.model_validate(
        {
            "data": {"kind": "puppets"},
            "view": {"size": [128, 128], "crop": "stretched-frame"},
            "encoding": {"kind": "gaze"},
            "backbone": {"kind": "tiny"},
            "method": {"kind": "gaze-frozen"},
        }
    )
    backbone = build_backbone(config)
    frozen = {"width": 128, "token_stride": 16, "loss": "softmax"}
    methods: dict[str, tuple[Callable[[], Method], int]] = {  # name -> (method, side of a close-up)
        "frozen, as published": (lambda: FrozenGaze(backbone, **frozen), 128),
        "frozen, close-ups of 128": (lambda: FrozenGaze(backbone, close_up=6, direction_weight=1.0, **frozen), 128),
        "frozen, close-ups of 64": (lambda: FrozenGaze(backbone, close_up=6, direction_weight=1.0, **frozen), 64),
        "convolutional": (lambda: ConvolutionalGaze(SceneAndHead("small", "attended", directions=True)), 64),
        f"diffusion, {STEPS} steps": (
            lambda: DiffusionGaze(SceneAndHead("small", directions=True), (32, 32), beside=8, sample_steps=STEPS),
            64,
        ),
    }
    for name, (make, side) in methods.items():
        method, runs = make().eval(), 0

        def count(*_: object) -> None:
            nonlocal runs
            runs += 1

        one, eight = (seconds(method, people(number, (128, 128), (side, side)), repeats) for number in (1, 8))
        if isinstance(method, DiffusionGaze):
            method.encoder.register_forward_hook(count)
            method.predict(people(8, (128, 128), (side, side)))
        counted = f"; encoders ran {runs} time for 8 people and {STEPS} steps" if runs else ""
        print(f"{name:<24} one {1e3 * one:7.1f} ms, eight {1e3 * eight:7.1f} ms: {eight / one:.2f} times{counted}")


if __name__ == "__main__":
    main()
