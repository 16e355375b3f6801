"""Peak memory of a guidance gradient, checkpointed (`--memory low`) and plain: SD 1.5-shaped, random weights, 512 px.

Each side runs in a process of its own, from the same weights, latents and goal. Counted is the peak above what the
process holds before the step, which is the weights. Target: at most 0.6 x the memory, and the same gradient.
"""

import multiprocessing
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import torch

from feature_cache import SIZE, sd_shaped
from gensight.encodings.base import OutputSpec
from gensight.guidance.goals import SpatialGoal
from gensight.guidance.heads import guiding_head
from gensight.guidance.steering import goal_gradient
from gensight.methods.readout.method import Part, Readout

STRIDE, MAX_RATIO, MAX_DIFFERENCE = 8, 0.6, 1e-4


def measure(low: bool, file: Path) -> None:
    """Writes the gradient, its seconds and its peak memory in bytes."""
    torch.manual_seed(0)
    backbone = sd_shaped()
    part = Part({"depth": OutputSpec(1, "dense-image")}, STRIDE, "random")
    head = guiding_head(Readout(backbone, {"depth": part}).eval(), "benchmark")
    goal = SpatialGoal(head, torch.rand(1, SIZE[0] // STRIDE, SIZE[1] // STRIDE))
    text, latents = backbone.embed_text(["a cat"]), torch.randn(1, *backbone.latent_shape(SIZE))
    before = psutil.Process().memory_info().rss
    begun = time.process_time()
    with backbone.checkpointed(low):
        gradient, _ = goal_gradient(backbone, [goal], latents, 500, text, 0, SIZE)
    seconds = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    torch.save({"gradient": gradient, "seconds": seconds, "peak": peak}, file)


def main() -> int:
    processes = multiprocessing.get_context("spawn")
    found = {}
    with TemporaryDirectory() as folder:
        for name in ("normal", "low"):
            file = Path(folder) / f"{name}.pt"
            process = processes.Process(target=measure, args=(name == "low", file))
            process.start()
            process.join()
            if process.exitcode:
                return 1
            found[name] = torch.load(file, weights_only=True)
    normal, low = found["normal"], found["low"]
    ratio = low["peak"] / normal["peak"]
    difference = float((low["gradient"] - normal["gradient"]).abs().max() / normal["gradient"].abs().max())
    met = ratio <= MAX_RATIO and difference <= MAX_DIFFERENCE
    print(
        f"memory above the weights: {normal['peak'] / 1e9:.2f} GB, checkpointed {low['peak'] / 1e9:.2f} GB: "
        f"{ratio:.2f} x (target {MAX_RATIO} or less); gradients differ by {difference:.1e} of the largest; "
        f"CPU time {normal['seconds']:.0f} s and {low['seconds']:.0f} s: {'met' if met else 'MISSED'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
