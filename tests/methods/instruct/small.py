"""A small editor and a batch of questions about drawn scenes."""

from pathlib import Path
from typing import Any

from gensight.backbones.diffusion import load_diffusion
from gensight.encodings.painted.boxes import PaintedBoxes
from gensight.encodings.painted.classes import PaintedClass
from gensight.encodings.painted.depth import PaintedDepth
from gensight.encodings.painted.instructed import Instructed
from gensight.encodings.painted.masks import PaintedMask
from gensight.loading.cases import Cases, collate
from gensight.loading.draw_order import Draw
from gensight.loading.views import ViewPolicy
from gensight.methods.instruct.many_steps import ManySteps
from gensight.methods.instruct.method import Instruct
from gensight.methods.instruct.one_step import OneStep
from gensight.readers.puppets import PuppetsReader
from gensight.readers.shared.single_annotation import with_labels
from gensight.samples import Batch
from tests.pipelines import save_pipeline

SIZE = (64, 64)


def reader(num: int = 3, seed: int = 0) -> Any:
    return with_labels(PuppetsReader(num, seed, SIZE, ("boxes", "masks", "depth"), subjects="all", num_subjects=(1, 1)))


def encoding(negatives: int = 1, shown: bool = False) -> Instructed:
    names = reader(1).categories
    tasks = {
        "segment": PaintedMask(), "detect": PaintedBoxes(max_boxes=2), "depth": PaintedDepth(near=0.5),
        "classify": PaintedClass(names),
    }  # fmt: skip
    return Instructed(tasks, names, names, negatives, shown=shown)


def cases(num: int = 3, seed: int = 0, shown: bool = False) -> Cases:
    return Cases(reader(num, seed), encoding(shown=shown), ViewPolicy(SIZE, "frame"))


def batch(size: int = 4, first: int = 0) -> Batch:
    of = cases()
    return collate([of[Draw((first + index) % len(of), 0, 100 + index)] for index in range(size)])


def method(folder: Path, trainable: Any = "full", way: str = "many-step", **options: Any) -> Instruct:
    pipeline = folder / "sd"
    if not pipeline.is_dir():
        save_pipeline(pipeline)
    kind = {"many-step": ManySteps, "one-step": OneStep}[way]
    return kind(load_diffusion(pipeline, trainable=trainable, lora_rank=2), **options)
