"""A pooled data set from miniatures: parts, negatives, lossless answers, resuming, shards."""

import io
import json
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from gensight.cli.data.datasets import app
from gensight.encodings.painted.classes import PaintedClass
from gensight.errors import ConfigError, DataError
from gensight.files.images import write_image
from gensight.readers.instruct_pool.reader import InstructPoolReader
from gensight.verbs.data import build_instruct as module
from gensight.verbs.data.build_instruct import build_instruct
from gensight.verbs.data.pool_pairs import Settings
from tests.readers.miniatures import make_nyu_raw, make_pets, make_scene_parsing, picture
from tests.readers.voc import test_reader as test_voc


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    base = tmp_path_factory.mktemp("sources")
    make_pets(base / "pets")
    (base / "nyu").mkdir()
    make_nyu_raw(base / "nyu")
    return f"pets root={base}/pets validation_share=0.0", f"nyu root={base}/nyu validation_share=0.0"


def records(folder):
    return {path: json.loads(path.read_text()) for path in sorted(folder.rglob("*-*.json"))}


def test_folders(roots, tmp_path):
    out = tmp_path / "pool"
    counts = build_instruct(out, Settings(roots, size=32)).parts
    assert set(counts) == {"train", "test"}
    assert counts["train"]["images"] == 4 + 2
    assert counts["test"]["images"] == 2 + 1
    train, test = records(out / "train"), records(out / "test")
    assert len(train) == counts["train"]["pairs"]
    assert not {one["sample"] for one in train.values()} & {one["sample"] for one in test.values()}
    assert {one["task"] for one in train.values()} == {"segment", "classify", "depth"}  # heads aren't boxes
    for path, one in {**train, **test}.items():
        pixels = np.asarray(Image.open(path.with_suffix(".png")))
        assert pixels.shape[:2] == tuple(one["size"])
        if one["task"] == "depth":
            assert pixels.dtype == np.uint16
        elif not one["present"]:
            assert pixels[..., :3].max() == 0  # nothing there is black
        else:
            assert pixels[..., :3].max() == 255
    assert any(not one["present"] for one in train.values())
    assert (out / "contact_sheet_train.png").is_file()
    assert json.loads((out / "dataset.json").read_text())["vocabularies"]["00-pets"]["categories"] == ["cat", "dog"]


def test_depth_is_stored_without_loss(roots, tmp_path):
    build_instruct(tmp_path / "pool", Settings(roots[1:], size=32))
    path = next((tmp_path / "pool" / "test").rglob("*-depth-image.png"))
    steps = np.asarray(Image.open(path)).astype(np.float64)
    metres = 0.1 * 100 ** ((steps - 1) / 65534)
    rows = np.linspace(1, 4, 24)[:, None] + np.zeros((24, 32))
    np.testing.assert_allclose(metres[steps > 0], rows[steps > 0], rtol=2e-3)
    assert (steps > 0).mean() > 0.9


def test_an_interrupted_build_resumes_and_gives_the_same(roots, tmp_path):
    settings = Settings(roots[:1], size=32)
    build_instruct(tmp_path / "whole", settings)
    build_instruct(tmp_path / "cut", settings)
    done = sorted((tmp_path / "cut" / "train").rglob("pairs.json"))[1]
    for path in done.parent.iterdir():
        path.unlink()
    build_instruct(tmp_path / "cut", settings)
    files = [path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file()]
    for path in files:
        assert (tmp_path / "cut" / path).read_bytes() == (tmp_path / "whole" / path).read_bytes()
    with pytest.raises(DataError, match="the folder holds a data set of other settings"):
        build_instruct(tmp_path / "cut", Settings(roots[:1], size=64))


def test_shards(roots, tmp_path):
    counts = build_instruct(tmp_path, Settings(roots[:1], size=32, images_per_shard=3)).parts
    names = sorted(path.name for path in tmp_path.glob("*.tar"))
    assert names == ["test-000000.tar", "train-000000.tar", "train-000001.tar"]
    with tarfile.open(tmp_path / "train-000000.tar") as tar:
        members = tar.getnames()
        keys = {name.partition(".")[0] for name in members}
        assert len(members) == 3 * len(keys)
        key = sorted(keys)[0]
        record = json.load(tar.extractfile(f"{key}.json"))
        image = Image.open(io.BytesIO(tar.extractfile(f"{key}.source.jpg").read()))
        assert image.size[::-1] == tuple(record["size"])
    assert counts["train"]["images"] == 4


def test_several_classes_are_queried_for_a_set_share(roots, tmp_path):
    build_instruct(tmp_path / "none", Settings(roots[:1], size=32, several=0.0))
    build_instruct(tmp_path / "all", Settings(roots[:1], size=32, several=1.0))
    none, every = (list(records(tmp_path / name / "train").values()) for name in ("none", "all"))
    several = [one for one in every if one["task"] == "segment" and len(one["classes"]) > 1]
    assert [one["classes"] for one in several] == [["cat", "dog"]] * 4  # one query for each image
    assert all("cat" in one["instruction"] and "dog" in one["instruction"] and one["present"] for one in several)
    assert len(every) == len(none) + len(several)
    path = next(path for path, one in records(tmp_path / "all").items() if one["classes"] == ["cat", "dog"])
    assert path.stem.endswith("segment-cat-dog")
    # the one that is there keeps its place in the palette: cats are white, dogs are not
    pixels = np.asarray(Image.open(path.with_suffix(".png")))
    shown = {tuple(colour) for colour in pixels[pixels[..., 3] > 0][:, :3].tolist()} - {(0, 0, 0)}
    label = json.loads(path.read_text())["sample"]
    assert shown <= ({(255, 255, 255)} if label[0].isupper() else {(0, 0, 255), (0, 255, 0), (255, 0, 0)})


def test_mistakes_are_named(roots, tmp_path):
    with pytest.raises(ConfigError, match="needs a source"):
        build_instruct(tmp_path, Settings(()))
    with pytest.raises(ConfigError, match="pictures of 33 px"):
        build_instruct(tmp_path, Settings(roots, size=33))
    (tmp_path / "other").write_text("x")
    with pytest.raises(DataError, match="this folder is not empty"):
        build_instruct(tmp_path, Settings(roots))
    with pytest.raises(ConfigError, match="no task is called `paint`"):
        Settings.checked(sources=roots, tasks=("paint",))
    with pytest.raises(ConfigError, match="unknown value 'tail'"):
        Settings.checked(sources=roots, box_region="tail")
    with pytest.raises(ConfigError, match="a farthest depth of 0 m"):
        build_instruct(tmp_path / "new", Settings(roots, far=0.0))


@pytest.mark.parametrize("source", ["", "  ", "''", "pets root='x", "no-such-kind root=x", "pets root"])
def test_sources_that_name_nothing(tmp_path, source):
    with pytest.raises(ConfigError):
        build_instruct(tmp_path / "pool", Settings((source,)))
    assert not (tmp_path / "pool").exists()


def test_files_in_the_way_are_named(roots, tmp_path):
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "pool"):
        with pytest.raises(ConfigError, match="this is a file, not a folder"):
            build_instruct(out, Settings(roots))
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "dataset.json").write_text("[]")
    with pytest.raises(DataError, match="the folder holds a data set of other settings"):
        build_instruct(tmp_path / "pool", Settings(roots))


def test_more_labels_than_colours_are_refused_before_anything_is_written(roots, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "NUM_CLASS_COLOURS", 2)
    with pytest.raises(ConfigError, match=r"there are colours for 2 classes of images, but 3 classes: 3 of 00-pets"):
        build_instruct(tmp_path / "pool", Settings(roots[:1], size=32))
    assert not (tmp_path / "pool").exists()
    build_instruct(tmp_path / "pool", Settings(roots[:1], size=32, tasks=("segment",)))
    with pytest.raises(ConfigError, match="4913 labels, but there are colours for 4912 classes"):
        PaintedClass([str(number) for number in range(4913)])


def test_class_maps_name_no_classes_of_images(roots, tmp_path):
    root = make_scene_parsing(tmp_path / "ade")
    build_instruct(tmp_path / "pool", Settings((f"ade20k root={root} validation_share=0", roots[0]), size=32))
    reader = InstructPoolReader(tmp_path / "pool")
    assert reader.labels == ("abyssinian", "american bulldog", "beagle")
    assert reader.categories == ("wall", "building", "person", "cat", "dog")
    assert reader.synonyms == {"building": ("edifice",), "person": ("individual", "soul")}
    kept = json.loads((tmp_path / "pool" / "dataset.json").read_text())["vocabularies"]
    assert kept["00-ade20k"]["synonyms"]["person"] == ["individual", "soul"]


@pytest.mark.parametrize("images_per_shard", [0, 2])
def test_keys_that_look_alike_are_kept_apart(tmp_path, images_per_shard):
    root = tmp_path / "classes"
    for number, name in enumerate(
        ("x/a_b.png", "x/a_b.jpg", "x/seq.1-f0.png", "x/seq.1-f1.png", "x_a/b.png", "x/c.png")
    ):
        write_image(root / "train" / name, picture(number))
    settings = Settings((f"image-folders root={root} test=null validation_share=0",), size=32,
                        images_per_shard=images_per_shard)  # fmt: skip
    assert build_instruct(tmp_path / "pool", settings).parts["train"]["images"] == 6
    reader = InstructPoolReader(tmp_path / "pool")
    assert len({sample.key for sample in reader}) == len(reader) == 6
    assert sum(sample.key.startswith("00-image-folders/x_a_b") for sample in reader) == 3
    assert {"00-image-folders/x_seq.1-f0", "00-image-folders/x_c"} < {sample.key for sample in reader}


def test_names_that_are_too_long_are_cut(tmp_path):
    for letter in "ab":
        write_image(tmp_path / "train" / ("x" * 120) / ("y" * 120 + f"{letter}.png"), picture(0))
    source = f"image-folders root={tmp_path} test=null validation_share=0"
    build_instruct(tmp_path / "pool", Settings((source,), size=32))
    assert len(InstructPoolReader(tmp_path / "pool")) == 2


def half_blank(tmp_path, test=("Abyssinian_9", "beagle_4")):
    """Pets of which only some have trimaps."""
    root = make_pets(tmp_path / "pets")
    for name in ("Abyssinian_1", *test):
        (root / "annotations" / "trimaps" / f"{name}.png").unlink()
    return f"pets root={root} validation_share=0"


@pytest.mark.parametrize("images_per_shard", [0, 2])
def test_images_without_queries_are_left_out(tmp_path, images_per_shard):
    settings = Settings((half_blank(tmp_path, ("beagle_4",)),), size=32, tasks=("segment",),
                        images_per_shard=images_per_shard)  # fmt: skip
    for _ in range(2):
        parts = build_instruct(tmp_path / "pool", settings).parts
        assert parts["train"] == {"images": 3, "pairs": parts["train"]["pairs"], "left_out": 1}
        assert parts["test"]["left_out"] == 1
    reader = InstructPoolReader(tmp_path / "pool")
    assert [sample.key.rpartition("/")[2] for sample in reader] == ["Abyssinian_2", "american_bulldog_7", "beagle_3"]


def test_a_part_without_queries_is_refused(tmp_path):
    source = half_blank(tmp_path)
    with pytest.raises(DataError, match=r"no query for the part `test`.*segment"):
        build_instruct(tmp_path / "pool", Settings((source,), size=32, tasks=("segment",)))
    assert not (tmp_path / "pool").exists()
    build_instruct(tmp_path / "pool", Settings((f"{source} test=null",), size=32, tasks=("segment",)))
    for path in (tmp_path / "pool" / "train").rglob("pairs.json"):
        path.write_text("[]")
    with pytest.raises(DataError, match="the part `train` has no pairs"):
        InstructPoolReader(tmp_path / "pool")


def test_heads_are_queried_and_stored_as_boxes(roots, tmp_path):
    settings = Settings((f"{roots[0]} test=null",), size=32, tasks=("detect",), box_region="head")
    built = build_instruct(tmp_path / "heads", settings)
    assert built.heads == ("00-pets",)
    for sample in InstructPoolReader(tmp_path / "heads"):
        (one,) = sample.instances
        np.testing.assert_allclose(one.box, [8, 7, 15, 13])
    mixed = (f"{roots[0]} test=null", "puppets num_train=2 num_validation=0 num_test=0 size=[32,32]")
    assert build_instruct(tmp_path / "both", Settings(mixed, size=32, box_region="auto")).heads == ("00-pets",)
    assert build_instruct(tmp_path / "whole", Settings(mixed, size=32)).heads == ()


def test_pools_of_before_there_were_regions_and_outlines_resume(roots, tmp_path):
    build_instruct(tmp_path, Settings(roots[:1], size=32))
    description = json.loads((tmp_path / "dataset.json").read_text())
    assert description["hash"] == module.value_hash(
        {k: v for k, v in description["settings"].items() if k not in ("box_region", "outline")}
    )


@pytest.mark.parametrize("images_per_shard", [0, 2])
def test_a_contact_sheet_shows_what_is_stored(roots, tmp_path, images_per_shard):
    settings = Settings(roots[:1], size=32, images_per_shard=images_per_shard)
    build_instruct(tmp_path, settings)
    before = (tmp_path / "contact_sheet_train.png").read_bytes()
    (tmp_path / "contact_sheet_train.png").unlink()
    build_instruct(tmp_path, settings)
    assert (tmp_path / "contact_sheet_train.png").read_bytes() == before


def test_strays_of_another_build_are_named(roots, tmp_path):
    build_instruct(tmp_path, Settings(roots[:1], size=32))
    folder = tmp_path / "train" / "00-pets"
    shutil.copytree(folder / "beagle_3", folder / "beagle")
    with pytest.raises(DataError, match="`00-pets/beagle` is no image of this build"):
        build_instruct(tmp_path, Settings(roots[:1], size=32))


def test_difficult_objects_are_marked(tmp_path):
    root = test_voc.make(tmp_path / "voc")
    build_instruct(tmp_path / "pool", Settings((f"voc root={root} test=null validation_share=0",), size=32))
    sample = next(one for one in InstructPoolReader(tmp_path / "pool") if one.key.endswith("/a"))
    flags = dict(zip((one.category for one in sample.instances), sample.extras["voc_flags"], strict=True))
    assert flags["person"].difficult
    assert not flags["dog"].difficult


def test_one_image_is_in_one_part_of_all_sources(roots, tmp_path):
    other = f"{roots[0]} train=test test=trainval"
    with pytest.raises(DataError, match="an image is in two parts, test and train"):
        build_instruct(tmp_path / "pool", Settings((roots[0], other), size=32))


def test_the_command_prints_what_was_made(roots, tmp_path):
    call = ["build-instruct", "--from", f"{half_blank(tmp_path, ())} test=null", "--out", str(tmp_path / "pool"),
            "--size", "32", "--tasks", "segment, detect", "--box-region", "auto", "--far", "8"]  # fmt: skip
    for path in (tmp_path / "pets" / "annotations" / "xmls").glob("Abyssinian_1.xml"):
        path.unlink()
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    assert "train: 3 images" in result.output
    assert "(1 left out: no task applies to them)" in result.output
    assert "boxes are those of heads: 00-pets" in result.output
    assert json.loads((tmp_path / "pool" / "dataset.json").read_text())["settings"]["far"] == 8
