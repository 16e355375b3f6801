"""`gensight annotate` as the user sees it."""

import pytest
from typer.testing import CliRunner

from gensight.cli.main import app
from gensight.readers.annotated.reader import AnnotatedReader
from gensight.readers.coco.reader import CocoReader
from gensight.teachers.base import Teacher
from gensight.verbs.data.annotate import annotate
from tests.teachers.samples import QuickTeacher, pictures


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["annotate", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_a_folder_then_its_data_set(tmp_path):
    images, out = pictures(tmp_path / "images", 3), tmp_path / "out"
    code, printed, _ = run("edges", images, "--out", out, "--set", "resolution=64", "--batch-size", 2)
    assert code == 0
    assert printed == f"labelled 3 images\ndata set: {out}\nlook at it: {out / 'contact-sheet.html'}\n"
    assert AnnotatedReader(out).description["teachers"][0]["settings"]["resolution"] == 64
    code, printed, _ = run("edges", out, "--set", "resolution=64", "--sheet", "none")
    assert printed == f"labelled 0 images; 3 were labelled already\ndata set: {out}\n"


def test_shards_print_what_is_left(tmp_path):
    images, out = pictures(tmp_path / "images", 4), tmp_path / "out"
    _, printed, _ = run("edges", images, "--out", out, "--shard", "1/2", "--batch-size", 1)
    assert printed == "labelled 2 images\n2 images are left to other shards; the last one makes the data set\n"
    assert run("edges", images, "--out", out, "--shard", "2/2", "--batch-size", 1)[1].startswith("labelled 2 images\nd")


def test_a_kind_of_data_set(tmp_path):
    out = tmp_path / "out"
    keys = ("num_train=2", "num_validation=1", "num_test=1", "size=[32,32]")
    code, _, errors = run("edges", "puppets", *keys, "--out", out)
    assert (code, errors.count("Traceback")) == (0, 0)
    reader = AnnotatedReader(out)
    assert len(reader) == 4
    assert reader[0].instances
    assert reader[0].edges().shape == (32, 32)
    [category, *_] = reader.categories
    assert len(CocoReader(out / "images", out / "coco.json", (category,))) == 4
    before = (out / "dataset.json").read_bytes()
    assert run("edges", "puppets", *keys, "--out", out)[1].startswith("labelled 0 images; 4 were")
    assert (out / "dataset.json").read_bytes() == before
    code, _, errors = run("edges", "puppets", *keys[:-1], "size=[48,48]", "--out", out)
    assert (code, "made from another source" in errors) == (2, True)


def test_skipped_images_are_reported(tmp_path):
    images = pictures(tmp_path / "images", 3)
    (images / "01.png").write_bytes((images / "01.png").read_bytes()[:-300])
    code, printed, errors = run("edges", images, "--out", tmp_path / "out")
    assert code == 0
    assert printed.startswith("labelled 3 images\n")
    assert "skipped 01.png: cannot be read as an image" in errors
    assert "skipped 1 images that can't be read" in errors


def test_python_users_bring_their_own_teacher_and_reader(tmp_path):
    teacher: Teacher = QuickTeacher()
    first = annotate(teacher, pictures(tmp_path / "images", 3), tmp_path / "out", sheet="least-confident")
    assert first.outcome.num_labelled == 3
    again = annotate(QuickTeacher("2"), AnnotatedReader(tmp_path / "out"), tmp_path / "copy", sheet="none")
    assert again.sheet is None
    assert AnnotatedReader(tmp_path / "copy")[0].caption.endswith(" v2")
    summary = AnnotatedReader(tmp_path / "out").check()
    assert (summary.num_samples, summary.num_instances) == (3, 3)
    assert summary.truths == ("boxes", "depth", "captions")
    assert [(f.what, f.count) for f in summary.findings] == [("labels of quick@1", 3)]


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (("edgs", "IMAGES", "--out", "OUT"), "there is no teacher called `edgs`"),
        (("edges", "IMAGES"), "no folder is given for the data set"),
        (("edges", "IMAGES", "--out", "OUT", "--engine", "rey"), "did you mean `ray`?"),
        (("edges", "IMAGES", "--out", "OUT", "--sheet", "worst"), "valid: spread, least-confident, none"),
        (("edges", "IMAGES", "--out", "OUT", "--shard", "3/2"), "`3/2` is no part of the work"),
        (("edges", "IMAGES", "root=x", "--out", "OUT"), "is a path, and takes no `root=x`"),
        (("edges", "pupets", "--out", "OUT"), "did you mean `puppets`?"),
        (("edges", "IMAGES", "--out", "OUT", "--set", "blur"), "write --set NAME=VALUE"),
        (("tracks", "IMAGES", "--out", "OUT"), "pass --frames"),
        (("pose:nowhere/at-all", "IMAGES", "--out", "OUT"), "nowhere/at-all"),
    ],
)
def test_mistakes_end_with_2(tmp_path, monkeypatch, arguments, printed):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    places = {"IMAGES": str(pictures(tmp_path / "images", 1)), "OUT": str(tmp_path / "out")}
    code, _, errors = run(*(places.get(argument, argument) for argument in arguments))
    assert code == 2, errors
    assert printed in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "out").exists()


def test_another_out_than_the_data_set(tmp_path):
    run("edges", pictures(tmp_path / "images", 1), "--out", tmp_path / "out", "--sheet", "none")
    code, _, errors = run("edges", tmp_path / "out", "--out", tmp_path / "other")
    assert (code, "labels of several teachers add up in one data set" in errors) == (2, True)


def test_help():
    code, printed, _ = run("--help")
    assert code == 0
    assert max(map(len, printed.splitlines())) <= 80
    assert "gensight annotate detect PHOTOS --out people" in printed
