"""Small synthetic data and small trainings, on which the commands and blocks of the documentation run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gensight.config.loading.loader import compose_recipe
from gensight.config.schema import RunConfig
from gensight.files.images import write_image
from gensight.files.videos.writing import VideoWriter
from gensight.guidance.sampling import ImageSampling
from gensight.guidance.targets import GuidanceTargets
from gensight.readers import splits
from gensight.readers.coco.writer import write_coco
from gensight.readers.puppets import PuppetsReader
from gensight.teachers.base import Teacher
from gensight.teachers.choose import choose_teacher
from gensight.verbs import guide as guidance
from gensight.verbs import train as training
from gensight.verbs.data import annotate
from gensight.verbs.data.datasets import write
from tests.pipelines import edit_json, save_pipeline
from tests.teachers.tiny_models import save_tiny

SIZE = (64, 64)
SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
SMALL = [
    "training.batch_size=2", "training.validate_every=1", "training.warmup_steps=0", "training.workers=0",
    "view.size=[64,64]", "evaluation.baselines=[]", "cache.mode=off",
]  # fmt: skip
SMALL_BACKBONE = ["backbone.kind=scratch", "backbone.widths=[8,8,16]"]
SMALL_METHODS = {
    "readout": ["method.projection=16", "method.bottleneck=8", "method.widths=[8,8]"],
    "gaze-diffusion": ["method.sample_steps=1", "method.train_steps=50"],
    "instruct": ["method.words_first=0"],
    "landmarks": ["method.shape_widths=[8,8,8]", "method.decoder_widths=[8,8]", "method.background_width=4"],
}


def shrunk(config: RunConfig) -> RunConfig:
    """The same recipe for a test: one or two small steps, without baselines, on a network of a few channels."""
    changes = [*SMALL, *SMALL_METHODS.get(config.method.kind, [])]
    if config.training.epochs is None:
        changes.append("training.steps=1")
    else:
        changes.append("training.epochs=1")
    if config.method.kind == "instruct":
        changes += ["backbone.kind=diffusers", f"backbone.id={SD15}", "backbone.trainable=full"]
    elif config.backbone.kind == "tiny":
        changes += SMALL_BACKBONE
    if config.backbone.kind == "diffusers":
        changes.append("backbone.dtype=float32")
    return compose_recipe(config.name, config.model_dump(mode="json", exclude={"name"}), changes)


def small_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, in which whatever a block trains is small."""
    train, guide, keep_validation = training.train, guidance.guide, splits.validation_from_train

    def train_small(config: RunConfig, out: Path | None, device: str, **options: Any) -> Path:
        return train(shrunk(config), out, "cpu", **options)

    def guide_small(
        runs: list[Path], out: Path, targets: GuidanceTargets, sampling: ImageSampling, *rest: Any, **options: Any
    ) -> Path:
        small = replace(sampling, size=SIZE, steps=2)
        return guide(runs, out, targets, small, *rest, **options)

    def keep_a_third(train: Any, share: float, **options: Any) -> Any:
        return keep_validation(train, share and 0.3, **options)  # a hundredth of a few images is none

    def choose_small(name: str, settings: Any, device: str) -> Teacher:
        steps = {"num_steps": 2} if name.startswith("variants") else {}
        return choose_teacher(name, {**(settings or {}), **steps}, device)

    monkeypatch.setattr(annotate, "choose_teacher", choose_small)
    monkeypatch.setattr(training, "train", train_small)
    monkeypatch.setattr(splits, "validation_from_train", keep_a_third)
    monkeypatch.setattr(guidance, "guide", guide_small)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pictures(place: Path) -> None:
    """The folder `photos`, and two of its images as photo.jpg and other.jpg."""
    for number, sample in enumerate(PuppetsReader(10, seed=5, size=SIZE, truths=())):
        write_image(place / "photos" / f"{number}.png", sample.image())
        if number < 2:
            write_image(place / ("photo.jpg", "other.jpg")[number], sample.image())


def clips(place: Path) -> None:
    """Two videos of twelve frames in `clips`."""
    (place / "clips").mkdir()
    for number, name in enumerate("ab"):
        with VideoWriter(place / "clips" / f"{name}.mp4", 10) as video:
            for sample in PuppetsReader(12, seed=number, size=SIZE, truths=(), num_frames=12):
                video.write(sample.image())


def coco(place: Path) -> None:
    """People with keypoints in COCO's layout, in `coco`."""
    for seed, part in enumerate(("train2017", "val2017")):
        labels = f"annotations/person_keypoints_{part}.json"
        write_coco(PuppetsReader(4, seed=seed, size=SIZE, subjects="people"), place / "coco", part, labels)


def frames(place: Path) -> None:
    """Two videos of six frames as pictures in folders, in `frames`."""
    for number, name in enumerate("ab"):
        for index, sample in enumerate(PuppetsReader(6, seed=number, size=SIZE, truths=(), num_frames=6)):
            write_image(place / "frames" / name / f"{index}.png", sample.image())


def small_stable_diffusion(place: Path) -> None:
    """A pipeline of a few channels, trained at 64 px, under the name that the blocks have."""
    folder = save_pipeline(place / SD15)
    edit_json(folder / "unet" / "config.json", sample_size=8)


def written(place: Path, format: str, name: str, num: int = 12) -> None:
    """The built-in data set in another format."""
    write("puppets", place / name, format=format, num_samples=num, size=f"{SIZE[0]}x{SIZE[1]}", seed=6)


def small_models(place: Path) -> None:
    """Models of the transformers library with a few channels, under the names that the documentation has."""
    save_tiny("depth-anything-metric", place / "depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf")
    save_tiny("rt-detr-v2", place / "PekingU/rtdetr_v2_r50vd")
    save_tiny("vitpose", place / "usyd-community/vitpose-base-simple")


def controls(place: Path) -> None:
    """The control pictures pose.png and depth.png."""
    for name in ("pose.png", "depth.png"):
        write_image(place / name, np.full((64, 64, 3), 90, dtype=np.uint8))
