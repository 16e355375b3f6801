"""Every data set that can be pooled, in the layout in which it is published: built, read, learned from, scored."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from gensight.config.loading.loader import load_recipe
from gensight.readers.instruct_pool.reader import InstructPoolReader
from gensight.readers.shared.label_maps import write_label_map
from gensight.verbs.data.build_instruct import build_instruct
from gensight.verbs.data.pool_pairs import Settings
from gensight.verbs.train import train
from tests.pipelines import save_pipeline
from tests.readers import miniatures, test_ade20k
from tests.readers.coco import test_reader as test_coco
from tests.readers.voc import test_reader as test_voc

PROTOCOLS = {"segment": "seg", "detect": "voc12", "depth": "depth-metric", "classify": "top-1"}


def nyu_mat(root: Path) -> str:
    return f"nyu root={miniatures.make_nyu_mat(root)} validation_share=0"


def nyu_raw(root: Path) -> str:
    root.mkdir()
    return f"nyu root={miniatures.make_nyu_raw(root)} validation_share=0"


def sunrgbd(root: Path) -> str:
    return f"sunrgbd root={miniatures.make_sunrgbd(root)} validation_share=0"


def coco(root: Path) -> str:
    (root / "annotations").mkdir(parents=True)
    parts = ""
    for part, name in (("train", "train2017"), ("test", "val2017")):
        made = test_coco.make(root / f"made-{name}")
        shutil.move(made / "images", root / name)
        shutil.move(made / "labels.json", root / "annotations" / f"instances_{name}.json")
        parts += f" {part}.images={name} {part}.annotations=annotations/instances_{name}.json"
    return f"coco root={root} validation_share=0 categories=null{parts}"


def scene_parsing(root: Path) -> str:
    return f"ade20k root={miniatures.make_scene_parsing(root)} validation_share=0"


def ade20k_full(root: Path) -> str:
    """Whose parts show other classes."""
    test_ade20k.make_full(root)
    other = test_ade20k.make_full(root / "other", ("building, edifice", "door", "lamp"))
    moved = root / "images" / "ADE" / "validation"
    shutil.move(other / "images" / "ADE" / "training", moved)
    for path in [*moved.rglob("*.json")]:
        content = json.loads(path.read_text())
        for one in content["annotation"]["object"]:
            if one["name"] == "lamp":
                one["name_ndx"] = 402
        path.write_text(json.dumps(content))
        classes = np.zeros((*miniatures.SIZE, 3), np.uint8)
        classes[2:10, 3:9], classes[12:20, 10:30] = (10, 56, 5), (10, 146, 6)
        miniatures.write_image(path.with_name(f"{path.stem}_seg.png"), classes)
    shutil.rmtree(root / "other")
    return f"ade20k root={root} validation_share=0"


def pets(root: Path) -> str:
    return f"pets root={miniatures.make_pets(root)} validation_share=0"


def voc(root: Path) -> str:
    test_voc.make(root)
    lists = root / "ImageSets" / "Main"
    (lists / "train.txt").write_text("a\nb\n")
    (lists / "val.txt").write_text("c\n")
    numbers = np.zeros((20, 30), np.uint8)
    numbers[4:15, 3:20], numbers[15] = 1, 255
    write_label_map(root / "SegmentationObject" / "c.png", numbers)
    write_label_map(root / "SegmentationClass" / "c.png", np.where(numbers == 1, 12, numbers))
    return f"voc root={root} validation_share=0"


def image_folders(root: Path) -> str:
    return f"image-folders root={miniatures.make_image_folders(root)} validation_share=0"


@dataclass(frozen=True)
class Layout:
    """A known layout and its labels."""

    make: Callable[[Path], str]
    tasks: tuple[str, ...]
    categories: int = 0
    labels: int = 0


LAYOUTS = {
    "nyu-mat": Layout(nyu_mat, ("segment", "depth"), categories=2),
    "nyu-raw": Layout(nyu_raw, ("depth",)),
    "sunrgbd": Layout(sunrgbd, ("depth",)),
    "coco": Layout(coco, ("segment", "detect", "classify"), categories=2, labels=2),
    "ade20k-scene-parsing": Layout(scene_parsing, ("segment",), categories=3),
    "ade20k-full": Layout(ade20k_full, ("segment", "detect"), categories=3),
    "pets": Layout(pets, ("segment", "classify"), categories=2, labels=3),
    "voc2012": Layout(voc, ("segment", "detect", "classify"), categories=20, labels=20),
    "image-folders": Layout(image_folders, ("classify",), labels=2),
}


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pipeline(tmp_path_factory.mktemp("backbone") / "sd")


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_built_read_learned_from_and_scored(
    name: str, backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENSIGHT_CACHE", str(tmp_path / "cache"))
    layout = LAYOUTS[name]
    source = layout.make(tmp_path / "data")
    built = build_instruct(tmp_path / "pool", Settings((source,), size=32, negatives=2))
    assert set(built.parts) == {"train", "test"}

    tasks = set()
    for part, counts in built.parts.items():
        reader = InstructPoolReader(tmp_path / "pool", part)
        assert len(reader) == counts["images"]
        assert (len(reader.categories), len(reader.labels)) == (layout.categories, layout.labels)
        assert not [one for one in reader.check().findings if one.level == "error"]
        tasks |= tasks_of(tmp_path / "pool" / part)
        for sample in reader:
            if "segmentation" in sample.extras:
                sample.extras["segmentation"]()
    assert tasks == set(layout.tasks)

    config = load_recipe(
        "instruct-puppets-one-step",
        [
            f"data.root={tmp_path / 'pool'}", f"backbone.id={backbone}", "backbone.kind=diffusers",
            "backbone.trainable=lora", "backbone.lora_rank=2", f"encoding.tasks=[{', '.join(layout.tasks)}]",
            "method.train_text=false", "method.words_first=0", "method.decoded_share=1.0", "encoding.near=0.1",
            "training.steps=1", "training.batch_size=2", "training.warmup_steps=0", "training.validate_every=1",
            f"evaluation.protocols=[{', '.join(PROTOCOLS[task] for task in layout.tasks)}]",
            "evaluation.batch_size=16", "evaluation.depth_range=[0.1, 10.0]",
        ],
    )  # fmt: skip
    run = train(config, tmp_path / "run", device="cpu")
    scores = json.loads((run / "metrics.json").read_text())["scores"]
    assert scores[0]["model"] == "instruct"
    for one in scores:
        found = {result["protocol"]: result["value"] for result in one["results"]}
        assert {protocol.partition("/")[0] for protocol in found} == {PROTOCOLS[task] for task in layout.tasks}
        assert all(value is not None and math.isfinite(value) for value in found.values())


def tasks_of(folder: Path) -> set[str]:
    """The tasks of a part."""
    return {json.loads(path.read_text())["task"] for path in folder.rglob("[0-9]*-*.json")}
