"""Training step of landmarks (K = 30, 128 px, batch 8, with background) against a plain transcription of the formulas.

The transcription has the same networks, weights and losses, and follows the formulas literally: parts are
rendered and painted at the images' resolution, and brought down to that of each scale of the decoder; each part's map
times each channel of what is pooled or painted is a five-dimensional tensor, summed up afterwards; coordinates minus
means are kept for each cell before the covariances multiply them; every image goes through the shape encoder by itself;
SPADE normalises, scales and shifts in one operation after the other; tensors lie channels first. Painting before
shrinking is not quite painting the shrunk, so the first losses agree to a hundredth.

Each side runs in processes of its own, so that its peak memory is its own, in turn, twice; its faster one counts.
Targets: at least 1.3 x faster, at most 0.75 x the memory that a step adds to the process. Times are CPU seconds
of one thread, so that other programs change them little.
"""

import json
import resource
import subprocess
import sys
import time

import torch
from torch import Tensor
from torch.nn import functional

from gensight.backbones.scratch import ScratchEncoder
from gensight.methods.landmarks import model, spade
from gensight.methods.landmarks.method import Landmarks
from gensight.methods.landmarks.model import Found, LandmarkModel
from gensight.methods.landmarks.networks import Decoder
from gensight.methods.landmarks.parts import Landmarks as Parts
from gensight.methods.landmarks.parts import spatial_softmax
from gensight.methods.loss import total_loss
from gensight.samples import Batch, Item, Sample
from gensight.transforms.thin_plate_spline import centres
from gensight.transforms.views import whole_frame

BATCH, SIZE, NUM_LANDMARKS, NUM_STEPS = 8, (128, 128), 30, 2
MIN_SPEEDUP, MAX_MEMORY = 1.3, 0.75


def plain_read(probabilities: Tensor, variance: float | None, floor: float) -> Parts:
    """Means as sums over cells of map x place; the covariance is fixed, as the benchmark's is."""
    assert variance is not None
    batch, count, height, width = probabilities.shape
    places = centres(height, width, probabilities).T.unflatten(1, (height, width))
    mean = (probabilities[:, :, None] * places).sum((3, 4))
    covariance = (torch.eye(2) * variance).expand(batch, count, 2, 2)
    flat = probabilities.flatten(2)
    concentration = 1 + (flat * flat.clamp(min=1e-12).log()).sum(-1) / torch.log(torch.tensor(float(height * width)))
    return Parts(mean, covariance, concentration, torch.zeros(batch, count, dtype=torch.bool))


def plain_render(landmarks: Parts, height: int, width: int) -> Tensor:
    """1 / (1 + (x - mean)^T covariance^-1 (x - mean)), cell by cell."""
    places = centres(height, width, landmarks.mean)
    difference = places - landmarks.mean[:, :, None]
    scaled = difference @ torch.linalg.inv(landmarks.covariance)
    return (1 / (1 + (scaled * difference).sum(-1))).unflatten(-1, (height, width))


def plain_pool(maps: Tensor, features: Tensor) -> Tensor:
    return (maps[:, :, None] * features[:, None]).sum((3, 4)) / maps.sum((2, 3))[..., None]


def plain_decode(self: Decoder, landmarks: Parts, vectors: Tensor, height: int, width: int) -> Tensor:
    """Everything is rendered and painted once, at full resolution, and shrunk to each scale."""
    maps = plain_render(landmarks, height, width)
    painted = (vectors[..., None, None] * maps[:, :, None]).sum(1) / (1 + maps.sum(1, keepdim=True))
    scales = [2**level for level in reversed(range(len(self.blocks)))]
    hidden = self.first(functional.interpolate(painted, scale_factor=1 / scales[0], mode="area"))
    for number, (block, scale) in enumerate(zip(self.blocks, scales, strict=True)):
        if number:
            hidden = functional.interpolate(hidden, scale_factor=2.0, mode="nearest")
        hidden = block(hidden, functional.interpolate(maps, scale_factor=1 / scale, mode="area"))
    return self.last(functional.leaky_relu(hidden, 0.2))


def plain_modulated_norm(features: Tensor, modulation: Tensor) -> Tensor:
    scale, shift = modulation.chunk(2, dim=1)
    return functional.instance_norm(features) * (1 + scale) + shift


def plain_find(self: LandmarkModel, images: Tensor) -> Found:
    """Each of the step's batches of images through the encoder by itself."""
    found = []
    for some in images.split(BATCH):
        maps, features = self.shape(some)
        probabilities = spatial_softmax(maps)
        found.append((plain_read(probabilities, self.variance, self.floor), probabilities, features))
    parts = [one[0] for one in found]
    joined = Parts(
        torch.cat([p.mean for p in parts]),
        torch.cat([p.covariance for p in parts]),
        torch.cat([p.concentration for p in parts]),
        torch.cat([p.floored for p in parts]),
    )
    return Found(joined, torch.cat([one[1] for one in found]), torch.cat([one[2] for one in found]))


def transcribe() -> None:
    """Puts the plain formulas in place of the library's, in this process."""
    model.read_landmarks, model.render, model.pool = plain_read, plain_render, plain_pool
    spade.modulated_norm = plain_modulated_norm
    Decoder.forward = plain_decode  # type: ignore[method-assign]
    LandmarkModel.find = plain_find  # type: ignore[method-assign]


def measure(side: str) -> dict[str, float]:
    """Fastest of a few steps in CPU seconds, the memory they add in MB, and the first loss."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if side == "plain":
        transcribe()
    backbone = ScratchEncoder(widths=(8, 8, 8)).requires_grad_(False)
    method = Landmarks(backbone, NUM_LANDMARKS, perceptual="pixels")
    if side == "plain":
        method.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    samples = tuple(Sample(f"frame-{slot}", SIZE, lambda: None) for slot in range(2))  # type: ignore[arg-type, return-value]
    images = tuple(torch.rand(BATCH, 3, *SIZE) for _ in range(2))
    if side != "plain":
        images = tuple(image.contiguous(memory_format=torch.channels_last) for image in images)
    views = (whole_frame(SIZE, SIZE),) * 2
    batch = Batch([Item(samples)] * BATCH, [views] * BATCH, torch.arange(BATCH), images)
    optimiser = torch.optim.AdamW(method.parameter_groups(), lr=1e-4)
    before, seconds, losses = _peak(), [], []
    for _ in range(NUM_STEPS):
        begun = time.process_time()
        optimiser.zero_grad()
        loss = total_loss(method.losses(batch))
        loss.backward()
        optimiser.step()
        seconds.append(time.process_time() - begun)
        losses.append(float(loss.detach()))
    return {"seconds": min(seconds), "megabytes": _peak() - before, "loss": losses[0]}


def _peak() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main() -> int:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return 0
    results: dict[str, dict[str, float]] = {}
    for side in ("plain", "gensight") * 2:
        done = subprocess.run([sys.executable, __file__, side], capture_output=True, text=True, check=True)
        one = json.loads(done.stdout.splitlines()[-1])
        results[side] = min(one, results.get(side, one), key=lambda result: result["seconds"])
        print(f"{side:10} {one['seconds']:6.2f} s a step, {one['megabytes']:5.0f} MB, first loss {one['loss']:.6f}")
    plain, ours = results["plain"], results["gensight"]
    speedup, memory = plain["seconds"] / ours["seconds"], ours["megabytes"] / plain["megabytes"]
    same = abs(plain["loss"] - ours["loss"]) < 0.01 * plain["loss"]
    met = same and speedup >= MIN_SPEEDUP and memory <= MAX_MEMORY
    print(
        f"landmarks, {NUM_LANDMARKS} of them, {SIZE[0]} px, batch {BATCH}: {speedup:.2f} x faster than the plain "
        f"formulas (target {MIN_SPEEDUP} or more), {memory:.2f} x their memory (target {MAX_MEMORY} or less), losses "
        f"{'agree' if same else 'DIFFER'}: {'met' if met else 'MISSED'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
