"""Pools of instructions: tar shards are read as plain folders are, sample by sample."""

import json
import pickle
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gensight.assembly.readers import build_readers
from gensight.config.loading.loader import load_data
from gensight.encodings.painted.boxes import PaintedBoxes
from gensight.encodings.painted.classes import PaintedClass
from gensight.encodings.painted.depth import PaintedDepth
from gensight.encodings.painted.instructed import Instructed
from gensight.encodings.painted.masks import PaintedMask
from gensight.errors import DataError
from gensight.loading.cases import Cases
from gensight.loading.draw_order import DrawOrder
from gensight.loading.stream import CaseBatches
from gensight.loading.views import ViewPolicy
from gensight.readers.instruct_pool.reader import InstructPoolReader
from gensight.verbs.data.build_instruct import build_instruct
from gensight.verbs.data.pool_pairs import Settings
from tests.readers.coco import test_reader as test_coco
from tests.readers.miniatures import make_pets

SOURCE = "puppets num_train=5 num_validation=2 num_test=2 subjects=all num_subjects=[1,2] size=[48,48]"


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same pool in folders and in shards of two images."""
    base = tmp_path_factory.mktemp("pools")
    build_instruct(base / "folders", Settings((SOURCE, SOURCE + " seed=7"), size=48, several=0.5))
    build_instruct(base / "shards", Settings((SOURCE, SOURCE + " seed=7"), size=48, several=0.5, images_per_shard=2))
    return {name: base / name for name in ("folders", "shards")}


def test_shards_hold_the_same_samples_as_folders(pools: dict[str, Path]) -> None:
    assert len(list(pools["shards"].glob("train-*.tar"))) == 5
    folders, shards = (InstructPoolReader(pools[name], "train") for name in ("folders", "shards"))
    assert len(folders) == len(shards) == 10
    assert (folders.categories, folders.labels) == (shards.categories, shards.labels)
    for one, other in zip(folders, shards, strict=True):
        assert (one.key, one.size, one.label, one.group) == (other.key, other.size, other.label, other.group)
        assert np.array_equal(one.image(), other.image())
        assert other.image().flags.writeable
        assert one.depth is not None
        assert other.depth is not None
        assert np.array_equal(one.depth().values, other.depth().values, equal_nan=True)
        assert np.array_equal(one.extras["segmentation"](), other.extras["segmentation"]())
        assert [(a.category, a.box.tolist()) for a in one.instances] == [
            (b.category, b.box.tolist()) for b in other.instances
        ]  # fmt: skip


def test_objects_of_queries_of_several_classes_are_not_repeated(pools: dict[str, Path]) -> None:
    for sample in InstructPoolReader(pools["folders"], "train"):
        boxes = [(one.category, *one.box) for one in sample.instances]
        assert len(boxes) == len(set(boxes))


def test_a_class_has_one_colour_in_all_sources(tmp_path: Path) -> None:
    few = "puppets num_train=24 num_validation=0 num_test=0 size=[48,48] num_subjects=[1,1]"
    sources = (f"{few} subjects=all", f"{few} subjects=animals seed=3")
    build_instruct(tmp_path / "pool", Settings(sources, size=48, tasks=("classify",)))
    colours: dict[str, set[tuple[int, ...]]] = {}
    for record in sorted((tmp_path / "pool" / "train").rglob("*-classify-all.json")):
        label = json.loads(record.read_text())["label"]
        colours.setdefault(label, set()).add(Image.open(record.with_suffix(".png")).getpixel((9, 9)))
    assert all(len(found) == 1 for found in colours.values())
    assert len(set.union(*colours.values())) == len(colours) > 5


def batches(root: Path, num_workers: int = 0) -> list[tuple[list[str], torch.Tensor]]:
    reader = InstructPoolReader(root, "train")
    tasks = {
        "segment": PaintedMask(), "detect": PaintedBoxes(max_boxes=2), "depth": PaintedDepth(near=0.5),
        "classify": PaintedClass(reader.labels),
    }  # fmt: skip
    cases = Cases(reader, Instructed(tasks, reader.categories, reader.labels), ViewPolicy((48, 48)))
    stream = CaseBatches(cases, DrawOrder(len(cases), 3, seed=1)).from_step(0, num_workers)
    found = [batch for batch, _ in zip(stream, range(4), strict=False)]
    return [([item.key for item in batch.items], batch.targets["painted"]) for batch in found]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_training_gets_the_same_batches_from_shards_and_folders(pools: dict[str, Path], num_workers: int) -> None:
    folders, shards = batches(pools["folders"]), batches(pools["shards"], num_workers)
    assert [keys for keys, _ in folders] == [keys for keys, _ in shards]
    assert all(torch.equal(one, other) for (_, one), (_, other) in zip(folders, shards, strict=True))
    assert [keys for keys, _ in shards] != sorted(keys for keys, _ in shards)


def test_parts_are_found_and_workers_get_a_copy(pools: dict[str, Path]) -> None:
    splits = build_readers(load_data("instruct-pool", [f"root={pools['shards']}"]))
    assert (len(splits.train), len(splits.validation or ()), len(splits.test or ())) == (10, 4, 4)
    copy = pickle.loads(pickle.dumps(splits.train))
    assert np.array_equal(copy[3].image(), splits.train[3].image())
    assert not [one for one in copy.check().findings if one.level == "error"]


def test_damaged_shards_are_named(pools: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_bytes((pools["shards"] / "dataset.json").read_bytes())
    with pytest.raises(DataError, match="there is no part `train`"):
        InstructPoolReader(tmp_path, "train")
    whole = (pools["shards"] / "train-000000.tar").read_bytes()
    (tmp_path / "train-000000.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"train-000000\.tar"):
        InstructPoolReader(tmp_path, "train")
    with (
        tarfile.open(pools["shards"] / "train-000000.tar") as tar,
        tarfile.open(tmp_path / "train-000000.tar", "w") as cut,
    ):
        for member in tar.getmembers()[1:]:
            cut.addfile(member, tar.extractfile(member))
    with pytest.raises(DataError, match=r"lacks source\.jpg"):
        InstructPoolReader(tmp_path, "train")
    with tarfile.open(tmp_path / "train-000000.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("../outside.json"))
    with pytest.raises(DataError, match="no member of a pooled data set"):
        InstructPoolReader(tmp_path, "train")


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A pool of masks and classes."""
    root = make_pets(tmp_path / "pets")
    settings = Settings((f"pets root={root} test=null validation_share=0",), size=32)
    build_instruct(tmp_path / "pool", settings)
    return tmp_path / "pool"


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_class_may_have_any_number(pets: Path) -> None:
    plain = InstructPoolReader(pets)[0].extras["segmentation"]()
    many = [f"thing {number}" for number in range(254)]
    edit(pets / "dataset.json", vocabularies={"00-pets": {"categories": [*many, "cat", "dog"], "labels": ["beagle"]}})
    classes = InstructPoolReader(pets)[0].extras["segmentation"]
    assert classes.names[255] == "cat"
    assert np.array_equal(classes() == 255, plain == 1)
    assert classes.ignored == (257,)
    assert np.array_equal(classes() == 257, plain == 3)  # the border
    assert 255 in classes()
    assert 257 in classes()


def test_other_names_are_those_of_no_other_class(pets: Path) -> None:
    assert InstructPoolReader(pets).synonyms == {}
    words = {"cat": ["kitty", "dog"], "dog": ["cat"]}
    edit(
        pets / "dataset.json",
        vocabularies={"00-pets": {"categories": ["cat", "dog"], "labels": ["beagle"], "synonyms": words}},
    )
    reader = InstructPoolReader(pets)
    assert reader.synonyms == {"cat": ("kitty",)}
    assert pickle.loads(pickle.dumps(reader)).synonyms == reader.synonyms


def test_inconsistent_names_and_records_are_reported(pets: Path) -> None:
    record = next((pets / "train" / "00-pets" / "Abyssinian_1").glob("*-segment-cat.json"))
    kept = record.read_text()
    for change, message in (
        ({"classes": ["cow"]}, "`cow` is no category of this image's source"),
        ({"classes": 3}, "no record of a pair"),
        ({"size": [0, 4]}, "a size of"),
    ):
        edit(record, **change)
        with pytest.raises(DataError, match=message):
            InstructPoolReader(pets)[0]
        record.write_text(kept)
    edit(pets / "dataset.json", vocabularies={"00-dogs": {"categories": [], "labels": []}})
    with pytest.raises(DataError, match="there is no source `00-pets`"):
        InstructPoolReader(pets)[0]
    edit(pets / "dataset.json", vocabularies={"00-pets": {"categories": 3, "labels": []}})
    with pytest.raises(DataError, match="this describes no data set of instructions"):
        InstructPoolReader(pets)


def test_pools_without_flags_are_read(pools: dict[str, Path], tmp_path: Path) -> None:
    whole = InstructPoolReader(pools["folders"])[0]
    shutil.copytree(pools["folders"], tmp_path / "pool")
    for path in (tmp_path / "pool").rglob("*-detect-*.json"):
        fields = json.loads(path.read_text())
        path.write_text(json.dumps({key: fields[key] for key in fields if key not in ("difficult", "crowds")}))
    old = InstructPoolReader(tmp_path / "pool")[0]
    assert len(old.instances) == len(whole.instances)
    assert len(old.extras["voc_flags"]) == len(old.instances)


def test_crowds_come_back_as_crowds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENSIGHT_CACHE", str(tmp_path / "cache"))
    root = test_coco.make(tmp_path / "coco")
    source = (
        f"coco root={root} train.images=images train.annotations=labels.json test=null test_share=0 "
        "validation_share=0 categories=null"
    )
    build_instruct(tmp_path / "pool", Settings((source,), size=32))
    sample = next(one for one in InstructPoolReader(tmp_path / "pool") if one.key.endswith("/8"))
    assert [(one.category, one.is_crowd) for one in sample.instances] == [("cup", False), ("cat", True)]
    np.testing.assert_allclose(sample.instances[1].box, np.array([1, 1, 10, 10]) * [32 / 30, 24 / 20, 32 / 30, 24 / 20])
