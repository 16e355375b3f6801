"""Small trainings of editors into run folders, by one process or by `torchrun -m tests.methods.instruct.training`."""

import sys
from pathlib import Path

import torch

from gensight.engine.fit import Schedule, Training, fit
from gensight.engine.hardware import Machine
from gensight.engine.optimisation import Optimisation
from gensight.engine.run_folder import RunFolder
from gensight.loading.cases import Case, Cases, collate
from gensight.loading.draw_order import Draw, DrawOrder
from gensight.loading.stream import CaseBatches
from gensight.methods.instruct.method import Instruct
from gensight.samples import Batch
from tests.methods.instruct import small

STEPS, BATCH_SIZE = 5, 4
OPTIMISATION = Optimisation(steps=STEPS, learning_rate=1e-3, warmup_steps=2, schedule="cosine", ema=0.9, clip=1.0)


class PartlyKnown(Cases):
    """Of every second draw, only an eighth of the target is known."""

    def __getitem__(self, draw: Draw) -> Case:
        case = super().__getitem__(draw)
        if draw.key % 2:
            case.targets["painted_weight"][:, small.SIZE[0] // 8 :] = 0
        return case


def cases() -> Cases:
    of = small.cases(shown=True)
    return PartlyKnown(of.reader, of.encoding, of.policy)


def method(folder: Path, way: str) -> Instruct:
    """All that can learn does, and all that is drawn is drawn: words, dropouts, which answers are decoded."""
    torch.manual_seed(0)  # as `build_method` does: what reads the image begins at random
    names = small.reader(1).categories
    vocabulary = {"tasks": ("segment", "depth"), "categories": names, "labels": names}
    first = {"words_first": 2, "shown_weight": 0.5, "label_weight": 0.5, **vocabulary}
    pixels = {"train_decoder": True, "decoded_share": 0.5} if way == "one-step" else {}
    return small.method(folder, way=way, train_text=True, **pixels, **first)


def batch(size: int = 4) -> Batch:
    """The first draws of `cases`."""
    of = cases()
    return collate([of[Draw(index, 0, index)] for index in range(size)])


def train(root: Path, trained: Instruct, devices: int = 1) -> Training:
    of = cases()
    batches = CaseBatches(of, DrawOrder(len(of), BATCH_SIZE, seed=0))
    every = Schedule(checkpoint_every=2, validate_every=100, log_every=1)
    return fit(trained, batches, OPTIMISATION, RunFolder(root), schedule=every, machine=Machine(devices=devices))


if __name__ == "__main__":
    torch.set_num_threads(1)
    pipelines, way, out, devices = sys.argv[1:]
    train(Path(out), method(Path(pipelines), way), int(devices))
