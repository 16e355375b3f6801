"""`gensight recipes`: the list, a recipe as written, and one resolved."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gensight.cli.main import app
from gensight.config.loading.loader import list_recipes, load_pretrain_recipe, load_recipe, recipe_path
from gensight.errors import ConfigError
from gensight.verbs.recipes import recipes, show_recipe


def test_list_has_every_recipe_with_its_verb() -> None:
    lines = recipes()
    assert {line.name for line in lines} == set(list_recipes())
    assert {line.name: line.verb for line in lines}["tiny"] == "pretrain"
    output = CliRunner().invoke(app, ["recipes"]).stdout
    for line in lines:
        assert line.description in output


def test_a_recipe_is_shown_as_it_was_written() -> None:
    assert show_recipe("demo", []) == recipe_path("demo").read_text()


@pytest.mark.parametrize("name", ["demo", "tiny"])
def test_resolved_recipes_load_to_the_same(tmp_path: Path, name: str) -> None:
    path = tmp_path / "resolved.yaml"
    path.write_text(show_recipe(name, ["seed=7"], resolved=True))
    load = load_recipe if name == "demo" else load_pretrain_recipe
    assert load(path) == load(name, ["seed=7"])


def test_unknown_recipe() -> None:
    with pytest.raises(ConfigError, match=r"did you mean `demo`\?"):
        show_recipe("demoo", [])
