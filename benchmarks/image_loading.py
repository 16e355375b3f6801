"""Images a second on one core: decode, crop to a person, resize and encode 17 heatmaps, against Pillow's bare
decode and resize.

Both sides read the same JPEG files (640 x 480, from the page cache) and give 256 x 256 pixels; they take turns, and
each side's fastest round counts, in CPU time, so that a busy machine does not decide. Target: at least 0.8 x the rate.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from gensight.encodings.heatmap import Heatmap
from gensight.files.images import read_image, write_image
from gensight.geometry import warp_image
from gensight.samples import Instance, Item, Keypoints, Sample
from gensight.skeletons import COCO_17
from gensight.transforms.views import around_box

NUM_IMAGES, NUM_ROUNDS, SIZE, MODEL, MIN_RATIO = 40, 7, (480, 640), (256, 256), 0.8


def draw(rng: np.random.Generator) -> np.ndarray:
    """Soft shapes with a little noise: about as hard to decode as a photograph."""
    coarse = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return np.clip(smooth + rng.normal(0, 6, (*SIZE, 3)), 0, 255).astype(np.uint8)


def make_items(folder: Path) -> list[Item]:
    rng = np.random.default_rng(0)
    items = []
    for number in range(NUM_IMAGES):
        path = folder / f"{number}.jpg"
        write_image(path, draw(rng))
        points = rng.uniform((150, 60), (450, 420), (17, 2))
        keypoints = Keypoints(COCO_17, points, np.full(17, 3, np.int8), np.ones(17, np.float32))
        person = Instance("person", box=np.array([150.0, 60.0, 450.0, 420.0]), keypoints=keypoints)
        items.append(Item((Sample(path.name, SIZE, lambda path=path: read_image(path), (person,), path=str(path)),), 0))
    return items


def load(item: Item, encoding: Heatmap) -> None:
    view = around_box(item.sample.size, item.subject.box, MODEL)
    warp_image(item.sample.image(), view)
    encoding.encode(item, (view,))


def load_with_pillow(item: Item) -> None:
    with Image.open(item.sample.path) as image:
        np.asarray(image.convert("RGB").resize(MODEL[::-1], Image.Resampling.BILINEAR))


def seconds(function: Callable[[Item], None], items: list[Item]) -> float:
    """CPU time."""
    begun = time.process_time()
    for item in items:
        function(item)
    return time.process_time() - begun


def main() -> int:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    encoding = Heatmap(COCO_17)
    with tempfile.TemporaryDirectory() as folder:
        items = make_items(Path(folder))
        rounds = [
            (seconds(lambda item: load(item, encoding), items), seconds(load_with_pillow, items))
            for _ in range(NUM_ROUNDS)
        ]
    ours, pillow = (NUM_IMAGES / min(side) for side in zip(*rounds, strict=True))
    ratio = ours / pillow
    print(f"decode, crop, resize, encode {ours:5.0f} images/s; Pillow decode and resize {pillow:5.0f} images/s")
    print(f"image loading: {ratio:.2f} x the rate (target {MIN_RATIO} or more): "
          f"{'met' if ratio >= MIN_RATIO else 'MISSED'}")  # fmt: skip
    return 0 if ratio >= MIN_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
