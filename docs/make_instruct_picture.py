"""What one model told in words answers, beside the truth: evenly spaced test images of a run, good and bad alike.

python docs/make_instruct_picture.py runs/told docs/instruct/drawn.jpg [NUM_IMAGES]

In each row: the image; then for one class that it shows, one that it doesn't, its boxes, its depth and its class, the
answer on the left and the truth on the right.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from gensight.assembly.readers import build_readers
from gensight.diffusion.noise import mix
from gensight.drawing import contact_sheet
from gensight.encodings.painted.base import OUTPUT
from gensight.encodings.painted.instructed import Instructed
from gensight.files.images import write_image
from gensight.geometry import warp_image
from gensight.loading.cases import Case, collate
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Array, Item, Sample

TILE = 128


def main(folder: Path, out: Path, num_images: int) -> None:
    run = TrainedRun.load(folder)
    test = build_readers(run.config.data).test
    assert test is not None
    assert isinstance(run.encoding, Instructed)
    tiles: list[Array] = []
    captions: list[str] = []
    for index in np.linspace(0, len(test) - 1, num_images).round().astype(int):
        sample = test[int(index)]
        items = asked(run.encoding, sample)
        if len(items) < 5:
            continue
        tiles.append(warp_image(sample.image(), run.policy.view(items[0])))
        captions.append(", ".join(sorted({one.category for one in sample.instances or ()})))
        for item, pair in zip(items, answers(run, items), strict=True):
            tiles.append(pair)
            captions.append("" if item.query is None else item.query.text)
    write_image(out, contact_sheet(tiles, 6, captions, tile=(TILE, 2 * TILE + 4)))


def asked(encoding: Instructed, sample: Sample) -> list[Item]:
    """Mask of a class that is there, of one that isn't, boxes, depth, class: as far as they are labelled."""
    items = [item for item in encoding.items(sample) if item.query is not None]
    shown = {one.category for one in sample.instances or ()}

    def first(task: str, present: bool = True) -> list[Item]:
        fit = [
            item for item in items
            if item.query is not None and item.query.task == task
            and (not item.query.options or bool(shown.intersection(item.query.options)) == present)
        ]  # fmt: skip
        return fit[:1]

    return first("segment") + first("segment", False) + first("detect") + first("depth") + first("classify")


def answers(run: TrainedRun, items: list[Item]) -> list[Array]:
    """(answer, truth) side by side, as they are painted."""
    cases = []
    for item in items:
        view = run.policy.view(item)
        key = mix(0, *item.sample.key.encode())
        cases.append(Case(item, (view,), key, (warp_image(item.sample.image(), view),), {}))
    with torch.inference_mode():
        painted = run.method.predict(collate(cases))[OUTPUT]
    pairs = []
    for case, answer in zip(cases, painted, strict=True):
        truth = run.encoding.encode(case.item, case.views)[OUTPUT]
        both = [bytes_of(torch.as_tensor(one)) for one in (answer, truth)]
        white = np.full((TILE, 4, 3), 255, np.uint8)
        pairs.append(np.concatenate([enlarged(both[0]), white, enlarged(both[1])], axis=1))
    return pairs


def bytes_of(picture: torch.Tensor) -> Array:
    return (picture.permute(1, 2, 0).float().clamp(0, 1).numpy() * 255).round().astype(np.uint8)


def enlarged(picture: Array) -> Array:
    rows, columns = (np.arange(TILE) * side // TILE for side in picture.shape[:2])
    return picture[rows][:, columns]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 10)
