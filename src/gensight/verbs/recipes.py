"""The recipes that come with the package, or one given by its path."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gensight.config.fields import Section
from gensight.config.loading.commented import commented_yaml
from gensight.config.loading.loader import (
    list_recipes,
    load_pretrain_recipe,
    load_recipe,
    load_study_recipe,
    read_recipe_file,
    recipe_path,
)


@dataclass(frozen=True)
class RecipeLine:
    """One recipe in a list: its name, the verb that runs it, and what it does in one line."""

    name: str
    verb: str
    description: str


def recipes() -> list[RecipeLine]:
    """Every recipe of the package, by verb and name."""
    lines = []
    for name, path in list_recipes().items():
        values = read_recipe_file(path).value
        lines.append(RecipeLine(name, values["verb"], values["description"]))
    return sorted(lines, key=lambda line: (line.verb != "train", line.name))


def show_recipe(name_or_path: str | Path, overrides: list[str], resolved: bool = False) -> str:
    """The text of a recipe: as it was written, or `resolved` with overrides, defaults and what every key means.

    Raises:
        ConfigError: If there is no such recipe, or (resolved) it has mistakes.
    """
    path = recipe_path(name_or_path)
    if not (resolved or overrides):
        return path.read_text(encoding="utf-8")
    verb = read_recipe_file(path).value.get("verb", "train")
    load: dict[str, Callable[[Path, list[str]], Section]]
    load = {"pretrain": load_pretrain_recipe, "study": load_study_recipe}
    return commented_yaml(load.get(verb, load_recipe)(path, overrides), everything=True)
