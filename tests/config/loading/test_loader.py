"""Recipes by name and path, overrides, and the message about every mistake."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from gensight.config.loading.loader import (
    dump_config,
    list_recipes,
    load_pretrain_recipe,
    load_recipe,
    load_study_recipe,
    recipe_path,
)
from gensight.config.schema import DiffusersConfig, RunConfig
from gensight.errors import ConfigError

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writer(text: str) -> Path:
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        return path

    return writer


def message(path: Path | str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_recipe(path, overrides)
    return str(caught.value).replace(str(path), "FILE") if isinstance(path, Path) else str(caught.value)


# --- the recipes of the package


@pytest.mark.parametrize("name", list(list_recipes()))
def test_packaged_recipe_loads_dumps_and_loads_again(name: str, tmp_path: Path) -> None:
    verb = yaml.safe_load(recipe_path(name).read_text())["verb"]
    load = {"train": load_recipe, "pretrain": load_pretrain_recipe, "study": load_study_recipe}[verb]
    needs_data = verb != "study" and "kind: puppets" not in recipe_path(name).read_text()
    config = load(name, ["data.root=/somewhere"] if needs_data else [])
    copy = tmp_path / "config.yaml"
    copy.write_text(dump_config(config))
    assert load(copy) == config
    assert config.name == name


@pytest.mark.parametrize("name", list(list_recipes()))
def test_packaged_recipe_opens_with_command_cost_and_expectation(name: str) -> None:
    text = recipe_path(name).read_text()
    comments = text.partition("verb:")[0]
    for word in (f" {name}", "# command:  gensight ", "# cost:", "# expected:"):
        assert word in comments
    assert yaml.safe_load(text)["description"]


def test_unknown_recipe_names_the_nearest() -> None:
    assert message("openfield-mose") == (
        "there is no recipe `openfield-mose`\n"
        f"  valid: {', '.join(list_recipes())}\n"
        "  next:  did you mean `openfield-mouse`?"
    )


def test_a_folder_or_missing_file_is_no_recipe(tmp_path: Path) -> None:
    assert "gensight init" in message(tmp_path)
    assert "there is no such recipe file" in message(tmp_path / "none.yaml")


def test_recipe_of_the_other_verb_names_its_command() -> None:
    assert "next:  run `gensight pretrain tiny`" in message("tiny")
    with pytest.raises(ConfigError, match="run `gensight train demo`"):
        load_pretrain_recipe("demo")


def test_name_defaults_to_the_file(write: Write) -> None:
    assert load_recipe(write("data: {kind: puppets}")).name == "recipe"


# --- overrides


def test_override_values_are_yaml(write: Write) -> None:
    config = load_recipe(
        write("data: {kind: puppets}\ntraining: {clip: 1.0}"),
        ["view.size=[240, 320]", "training.learning_rate=3e-4", "training.clip=null", "evaluation.flip_test=true",
         "view.augment.scale=[0.5, 2]", "description='a: b'", "cache.mode=off"],
    )  # fmt: skip
    assert config.view.size == (240, 320)
    assert config.training.learning_rate == 3e-4
    assert config.training.clip is None
    assert config.evaluation.flip_test is True
    assert config.view.augment.scale == (0.5, 2.0)
    assert config.description == "a: b"
    assert config.cache.mode == "off"


def test_later_overrides_win(write: Write) -> None:
    assert load_recipe(write("data: {kind: puppets}"), ["seed=1", "seed=2"]).seed == 2


DEEPLABCUT = """
data:
  kind: deeplabcut
  root: /project
  num_labels: 20
  split: {kind: blocks, num_blocks: 7, test_block: 2}
backbone: {kind: tiny, timestep: 100}
"""


@pytest.mark.parametrize("order", [1, -1])
def test_another_kind_replaces_the_whole_node(write: Write, order: int) -> None:
    overrides = ["data.kind=coco", "data.root=/coco"][::order]
    config = load_recipe(write(DEEPLABCUT), overrides)
    assert config.data == RunConfig.model_validate({"data": {"kind": "coco", "root": "/coco"}}).data


def test_no_field_of_the_former_kind_survives(write: Write) -> None:
    # Both kinds have `root`, `timestep`: the former ones must not leak into the new node.
    assert "data.root: must be given" in message(write(DEEPLABCUT), "data.kind=coco")
    backbone = load_recipe(write(DEEPLABCUT), ["backbone.kind=diffusers", "backbone.id=x"]).backbone
    assert backbone == DiffusersConfig(id="x")
    split = load_recipe(write(DEEPLABCUT), ["data.split.kind=seed"]).data.split  # type: ignore[union-attr]
    assert split.model_dump() == {"kind": "seed", "train": 0.7, "validation": 0.1, "test": 0.2, "seed": 0}


def test_the_same_kind_keeps_its_node(write: Write) -> None:
    assert load_recipe(write(DEEPLABCUT), ["backbone.kind=tiny"]).backbone.timestep == 100  # type: ignore[union-attr]


def test_override_into_a_section_that_the_file_leaves_out(write: Write) -> None:
    config = load_recipe(write("data: {kind: puppets}"), ["backbone.timestep=7", "view.augment.flip=0.5"])
    assert config.backbone.model_dump(include={"kind", "timestep"}) == {"kind": "tiny", "timestep": 7}
    assert config.view.augment.flip == 0.5


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.steps", "`training.steps` is not an override\n  where: FILE\n  next:  write section.key=value"),
        ("training..steps=3", "`training..steps=3` is not an override"),
        ("name.first=3", "name: is a value, not a section with keys of its own\n  where: override `name.first=3`"),
        ("view.size=[1", "view.size: not valid YAML"),
        ("seed=1.0", "seed: must be a whole number, got 1.0\n  where: override `seed=1.0`"),
        ("view.size=[240]", "view.size: has too few entries, got [240]"),
        ("evaluation.protocols=pck-box", "evaluation.protocols: must be a list, like [a, b], got 'pck-box'"),
        ("training.stepps=3", "next:  did you mean `training.steps`?"),
        ("data.num_labels=3", "next:  `num_labels` belongs to data.kind=deeplabcut"),
        ("stride=3", "next:  did you mean `encoding.stride`?"),
        ("training.clip=-1", "training.clip: must be above 0, got -1"),
        ("view.augment=strong", "view.augment: must be a section with keys of its own, got 'strong'"),
    ],
)  # fmt: skip
def test_bad_override(write: Write, override: str, expected: str) -> None:
    assert expected in message(write("name: x\ndata: {kind: puppets}"), override)


# --- mistakes in files


def test_one_mistake_in_full(write: Write) -> None:
    assert message(write("data: {kind: puppets}\nbackbone: {kind: tinny}")) == (
        "backbone.kind: unknown kind 'tinny'\n"
        "  where: FILE, line 2\n"
        "  valid: tiny, diffusers, scratch, imagenet, transformers\n"
        "  next:  did you mean `tiny`?"
    )


def test_keys_that_a_mapping_does_not_know() -> None:
    text = message("instruct-puppets", "data.root=pool", "encoding.repeats={dept: 2, classify: 0}")
    assert "encoding.repeats.dept: unknown value 'dept'" in text
    assert "valid: segment, detect, depth, classify" in text
    assert "did you mean `depth`?" in text
    assert "encoding.repeats.classify: must be at least 1, got 0" in text


def test_all_mistakes_at_once(write: Write) -> None:
    text = message(
        write(
            "data: {kind: deeplabcut, rot: x, split: {kind: blocks, num_blocks: 1}}\n"
            "view:\n  crop: boxx\n  padding: big\n"
            "training: {batch_size: 4.0, learning_rate: 3e-4}\n"
            "encoding: {kind: heatmap, sigmas: 0.1}\n"
        ),
        "evaluation.flip_test=maybe",
    )
    assert text == (
        "8 mistakes\n"
        "  1. data.root: must be given\n"
        "     where: FILE, line 1\n"
        "     next:  add data.root=... (Folder of the project (the one with config.yaml).)\n"
        "  2. data.split.num_blocks: must be at least 2, got 1\n"
        "     where: FILE, line 1\n"
        "  3. data.rot: unknown key\n"
        "     where: FILE, line 1\n"
        "     valid: kind, root, missing, keypoints, split, num_labels\n"
        "     next:  did you mean `data.root`?\n"
        "  4. view.crop: unknown value 'boxx'\n"
        "     where: FILE, line 3\n"
        "     valid: frame, stretched-frame, fitted-frame, box, stretched-box\n"
        "     next:  did you mean `box`?\n"
        "  5. view.padding: must be a number, got 'big'\n"
        "     where: FILE, line 4\n"
        "  6. encoding.sigmas: unknown key\n"
        "     where: FILE, line 6\n"
        "     valid: kind, skeleton, mirror_pairs, stride, sigma, decoder\n"
        "     next:  did you mean `encoding.sigma`?\n"
        "  7. training.batch_size: must be a whole number, got 4.0\n"
        "     where: FILE, line 5\n"
        "  8. evaluation.flip_test: must be true or false, got 'maybe'\n"
        "     where: override `evaluation.flip_test=maybe`\n"
        "  where: FILE"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: [1", "not valid YAML: expected ',' or ']', but got '<stream end>' (while parsing a flow sequence)\n"
                     "  where: FILE, line 1, column 9"),
        ("seed: 1\nname: x\nseed: 2\n", "not valid YAML: the key `seed` stands here a second time; first in line 1\n"
                                        "  where: FILE, line 3, column 1"),
        ("data: {kind: coco, kind: puppets}", "the key `kind` stands here a second time"),
        ("a: &x 1\nb: *x", "aliases (*name) are not used in recipes\n  where: FILE, line 2, column 4"),
        ("- data", "a recipe is a mapping of sections"),
        ("name: !!python/object/apply:os.system [ls]", "not valid YAML: could not determine a constructor"),
        ("name: 2024-13-45", "a value cannot be read"),
        ("name: \x01", "a character that YAML does not allow"),
        ("[" * 3000, "nested too deeply"),
        ("", "data: must be given"),
        ("1: 2\ndata: {kind: puppets}", "`1` is not a key: keys are words"),
        ("data: 3", "data: must be a section with keys of its own, got 3"),
        ("data: {num_train: 3}", "data.kind: must be given\n  where: FILE, line 1\n  valid: puppets, coco, deeplabcut"),
    ],
)  # fmt: skip
def test_bad_file(write: Write, text: str, expected: str) -> None:
    assert expected in message(write(text))


def test_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "not a text file" in message(path)


def test_a_picture_of_everybody_is_not_scored_as_one_subject() -> None:
    assert load_recipe("guide-pose").protocols == ("coco-oks",)
    assert load_recipe("guide-pose", ["encoding.instances=subject", "evaluation.protocols=[pck-box]"])
    with pytest.raises(ConfigError, match="kind=pose-image and instances=all, which goes with coco-oks"):
        load_recipe("guide-pose", ["evaluation.protocols=[pck-box]"])
