"""A pooled data set from miniatures: parts, negatives, lossless answers, going on, shards."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from gensight.errors import ConfigError, DataError
from gensight.verbs.build_instruct import Settings, build_instruct
from tests.readers.miniatures import make_nyu_raw, make_pets


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
    counts = build_instruct(out, Settings(roots, size=32))
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


def test_an_interrupted_build_goes_on_and_gives_the_same(roots, tmp_path):
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
    counts = build_instruct(tmp_path, Settings(roots[:1], size=32, images_per_shard=3))
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


def test_several_classes_are_asked_of_a_set_share(roots, tmp_path):
    build_instruct(tmp_path / "none", Settings(roots[:1], size=32, several=0.0))
    build_instruct(tmp_path / "all", Settings(roots[:1], size=32, several=1.0))
    none, every = (list(records(tmp_path / name / "train").values()) for name in ("none", "all"))
    asked = [one for one in every if one["task"] == "segment" and len(one["classes"]) > 1]
    assert [one["classes"] for one in asked] == [["cat", "dog"]] * 4  # one question for each image
    assert all("cat" in one["instruction"] and "dog" in one["instruction"] and one["present"] for one in asked)
    assert len(every) == len(none) + len(asked)
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
        Settings.checked(roots, ["paint"], 64, "fixed", 1, "log", "filled", None, 0, 0)
