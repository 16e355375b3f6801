"""Recipes: found by name or path, read, overridden, checked and written."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from gensight.config.data import Data
from gensight.config.fields import Section
from gensight.config.loading.overrides import Override, apply_overrides, parse_overrides, source_of
from gensight.config.loading.problems import Problem, problems_of, raise_all
from gensight.config.loading.yaml_text import Document, parse
from gensight.config.pretrain import PretrainConfig
from gensight.config.recipe import DataOnly
from gensight.config.schema import RunConfig
from gensight.config.study import StudyConfig
from gensight.errors import ConfigError, did_you_mean

RECIPES = Path(__file__).parents[1] / "recipes"
VERBS = ("train", "pretrain", "study")
Config = TypeVar("Config", RunConfig, PretrainConfig, StudyConfig, DataOnly)


def list_recipes() -> dict[str, Path]:
    """The recipes that come with the package: name -> file."""
    return {path.stem: path for path in sorted(RECIPES.glob("*.yaml"))}


def recipe_path(name_or_path: str | Path) -> Path:
    """The file of a recipe given by name (`demo`) or by path (`my/recipe.yaml`).

    Raises:
        ConfigError: If there is no such recipe.
    """
    known = list_recipes()
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        raise ConfigError("a folder is not a recipe", where=path, hint=f"gensight init {path} writes one for its data")
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        raise ConfigError("there is no such recipe file", where=path, hint="gensight recipes lists those by name")
    hint = did_you_mean(str(name_or_path), known) or "a recipe of your own is given by its path, ending in .yaml"
    raise ConfigError(f"there is no recipe `{name_or_path}`", choices=known, hint=hint)


def load_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> RunConfig:
    """The resolved recipe of a training run.

    Args:
        name_or_path: A recipe's name, or the path of a YAML file (a run's config.yaml is one).
        overrides: `section.key=value` each; values are YAML.

    Raises:
        ConfigError: Listing every mistake of the file and of the overrides at once.
    """
    return _load(RunConfig, recipe_path(name_or_path), overrides)


def compose_recipe(name: str, values: Mapping[str, Any], overrides: Iterable[str] = ()) -> RunConfig:
    """The recipe of a training run from plain values; overrides and errors as for `load_recipe`."""
    return _checked(RunConfig, {"name": name, **values}, overrides, name)


def load_pretrain_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> PretrainConfig:
    """The resolved recipe of a pretraining; arguments and errors as for `load_recipe`."""
    return _load(PretrainConfig, recipe_path(name_or_path), overrides)


def load_study_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> StudyConfig:
    """The resolved recipe of a study; arguments and errors as for `load_recipe`."""
    return _load(StudyConfig, recipe_path(name_or_path), overrides)


def load_data(kind: str, overrides: Iterable[str] = ()) -> Data:
    """A `data` section by itself, from its kind and `key=value` each (without `data.`). Raises ConfigError."""

    def without_data(problem: Problem, _: list[Override]) -> Problem:
        path = problem.path[1:] if problem.path[:1] == ("data",) else problem.path
        what, hint, where = (
            text and re.sub(r"(^|[ `])data\.(?=[\w=])", r"\1", text)
            for text in (problem.what, problem.hint, problem.where)
        )
        return replace(problem, path=path, what=what or "", hint=hint, where=where)

    prefixed = [f"data.{text}" for text in overrides]
    return _checked(DataOnly, {"data": {"kind": kind}}, prefixed, f"data set `{kind}`", without_data).data


def dump_config(config: Section) -> str:
    """YAML text with every key of the config; `load_recipe` of it gives an equal one."""
    values = config.model_dump(mode="json")
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)


def read_recipe_file(path: Path) -> Document:
    """The plain values of a recipe file, and the lines of its keys. Raises ConfigError if it is no YAML mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"not a text file: byte {error.start} is not UTF-8", where=path) from None
    except OSError as error:
        raise ConfigError(f"the recipe cannot be read: {error.strerror}", where=path) from None
    document = parse(text, str(path))
    if document.value is None:
        return Document({})
    if not isinstance(document.value, dict):
        raise ConfigError("a recipe is a mapping of sections, such as `data:` and `training:`", where=path)
    return document


def _load(model: type[Config], path: Path, texts: Iterable[str]) -> Config:
    document = read_recipe_file(path)
    _check_verb(document.value, model, path)
    located = partial(_with_source, document=document, path=path)
    return _checked(model, {"name": path.stem, **document.value}, texts, str(path), located)


def _checked(
    model: type[Config],
    values: dict[str, Any],
    texts: Iterable[str],
    where: str,
    reported: Callable[[Problem, list[Override]], Problem] = lambda problem, _: problem,
) -> Config:
    """The values with overrides, validated; one error lists every mistake, as `reported` puts it."""
    overrides, problems = parse_overrides(texts)
    values, more = apply_overrides(values, overrides, model)
    problems += more
    config = None
    try:
        config = model.model_validate(values)
    except ValidationError as error:
        problems += problems_of(error, model)
    raise_all([reported(problem, overrides) for problem in problems], where)
    assert config is not None, "a validation error holds at least one problem"
    return config


def _check_verb(values: dict[str, Any], model: type[Section], path: Path) -> None:
    expected = model.model_fields["verb"].default
    verb = values.get("verb", expected)
    if verb != expected and verb in VERBS:
        name = path.stem if path.parent == RECIPES else path
        raise ConfigError(f"this recipe is for `{verb}`, not for `{expected}`", where=path,
                          hint=f"run `gensight {verb} {name}`")  # fmt: skip


def _with_source(problem: Problem, overrides: list[Override], document: Document, path: Path) -> Problem:
    """Names the override or the line of the file that the problem comes from, where it doesn't yet."""
    if problem.where is not None:
        return problem
    override = source_of(problem.path, problem.path in document.lines, overrides)
    if override:
        return replace(problem, where=override)
    for length in range(len(problem.path), 0, -1):
        line = document.lines.get(problem.path[:length])
        if line:
            return replace(problem, where=f"{path}, line {line}")
    return problem
