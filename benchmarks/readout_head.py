"""Training step of a readout head at SD 1.5 shapes (512 px, batch 2): native resolution against the reference order.

Each side runs in processes of its own, so that its peak memory is its own, in turn, twice, and its fastest step counts;
the same network, features and optimiser.
Targets on a CPU: at least 3.5 x faster, at most 0.6 x the peak memory (of the whole process, libraries included).
Times are CPU seconds of one thread, so that other programs on the machine change them little.
Part of the gain is memory layout, which the native order chooses for itself: the third side is the reference order
given its features channels-last, for comparison and without a target.
"""

import json
import resource
import subprocess
import sys
import time

import torch
from torch.nn import functional

from gensight.backbones.base import Features, Layer
from gensight.heads.aggregation import Aggregation
from gensight.heads.maps import MapHead

BATCH, SIZE, GRID, NUM_MAPS, NUM_STEPS = 2, 512, (64, 64), 18, 4
CHANNELS = [1280] * 6 + [640] * 3 + [320] * 3
STRIDES = [64] * 3 + [32] * 3 + [16] * 3 + [8] * 3
MIN_SPEEDUP, MAX_MEMORY = 3.5, 0.6


def measure(order: str, layout: str) -> dict[str, float]:
    """Fastest of a few steps in CPU seconds, and the peak memory of this process in MB."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers = [Layer(str(i), c, s) for i, (c, s) in enumerate(zip(CHANNELS, STRIDES, strict=True))]
    maps = {layer.name: torch.randn(BATCH, layer.channels, *[SIZE // layer.stride] * 2) for layer in layers}
    if layout == "channels-last":
        maps = {name: values.contiguous(memory_format=torch.channels_last) for name, values in maps.items()}
    features, target = Features(maps, torch.randn(BATCH, 1280)), torch.rand(BATCH, NUM_MAPS, *GRID)
    aggregation, head = Aggregation(layers, 1280, order=order), MapHead(384, NUM_MAPS)
    optimizer = torch.optim.AdamW([*aggregation.parameters(), *head.parameters()], lr=1e-3)
    seconds = []
    for _ in range(NUM_STEPS):
        begun = time.process_time()
        optimizer.zero_grad()
        functional.mse_loss(head(aggregation(features, GRID)), target).backward()
        optimizer.step()
        seconds.append(time.process_time() - begun)
    unit = 1 if sys.platform == "darwin" else 1024
    return {"seconds": min(seconds), "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6}


def main() -> int:
    if len(sys.argv) > 1:
        print(json.dumps(measure(*sys.argv[1:])))
        return 0
    sides = [("native", "default"), ("reference", "default"), ("reference", "channels-last")]
    results: dict[tuple[str, str], dict[str, float]] = {}
    for side in sides * 2:  # in turn, twice: a neighbour's load on the machine then meets both
        done = subprocess.run([sys.executable, __file__, *side], capture_output=True, text=True, check=True)
        one = json.loads(done.stdout)
        results[side] = min(one, results.get(side, one), key=lambda result: result["seconds"])
    for side in sides:
        name = " ".join(side)
        print(f"{name:24} {results[side]['seconds']:6.2f} s a step, peak {results[side]['megabytes']:5.0f} MB")
    native, reference, tuned = (results[side] for side in sides)
    speedup, memory = reference["seconds"] / native["seconds"], native["megabytes"] / reference["megabytes"]
    met = speedup >= MIN_SPEEDUP and memory <= MAX_MEMORY
    print(
        f"readout head, SD 1.5 shapes: {speedup:.2f} x faster than the reference order (target {MIN_SPEEDUP} or more), "
        f"{memory:.2f} x its memory (target {MAX_MEMORY} or less): {'met' if met else 'MISSED'}; "
        f"{tuned['seconds'] / native['seconds']:.2f} x faster than it is with channels-last features"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
