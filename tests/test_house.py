"""The shape of the package: how large it, its files, functions and folders are; no import cycles; tests in place."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gensight.config.fields import Section
from gensight.config.pretrain import PretrainConfig
from gensight.config.schema import RunConfig
from gensight.config.sections import members
from gensight.config.study import StudyConfig

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "gensight"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_FILE, MAX_FUNCTION, MAX_FOLDER = 400, 60, 15
MAX_LINES, MAX_FIELDS = 65_000, 300  # of all Python in src; of all recipes
Function = ast.FunctionDef | ast.AsyncFunctionDef


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def _sections(recipe: type[Section], known: set[type[Section]]) -> set[type[Section]]:
    """Adds to the known sections those that a recipe is made of, and their bases."""
    if recipe not in known:
        known |= {base for base in recipe.__mro__ if issubclass(base, Section)}
        for info in recipe.model_fields.values():
            for section in members(info.annotation):
                _sections(section, known)
    return known


def test_recipes_have_no_more_than_300_fields() -> None:
    known: set[type[Section]] = set()
    for recipe in (RunConfig, PretrainConfig, StudyConfig):
        _sections(recipe, known)
    own = [
        f"{section.__name__}.{name}"
        for section in known
        for name in inspect.get_annotations(section)
        if name in section.model_fields and name != "kind"
    ]
    assert len(own) <= MAX_FIELDS, "a new field: is there one that no recipe sets and no user would miss?"


def test_the_package_has_no_more_lines_than_it_had() -> None:
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES)
    assert lines <= MAX_LINES, "more lines than before: what can be merged, or go?"


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    found = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function) and node.end_lineno is not None:
                length = node.end_lineno - node.lineno + 1
                if length > MAX_FUNCTION:
                    found[f"{path.relative_to(ROOT)}:{node.name}"] = length
    assert found == {}


def test_no_folder_holds_more_than_15_modules_side_by_side() -> None:
    folders = {path.parent for path in MODULES}
    counts = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders}
    flat = {name for name in counts if not any(child.is_dir() and list(child.glob("*.py")) for child in
                                               (ROOT / name).iterdir())}  # fmt: skip
    assert {name: count for name, count in counts.items() if count > MAX_FOLDER and name in flat} == {}


def _imports(path: Path) -> Iterator[str]:
    """Modules of the package that a module imports when it is itself imported (not inside functions)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("gensight"):
            base = PACKAGE.parent.joinpath(*node.module.split("."))
            for alias in node.names:
                deeper = base / f"{alias.name}.py"
                yield f"{node.module}.{alias.name}" if deeper.is_file() else node.module


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {_name(path): set(_imports(path)) for path in MODULES}
    state: dict[str, int] = {}
    cycles: list[list[str]] = []

    def visit(name: str, trail: list[str]) -> None:
        state[name] = 1
        for other in sorted(graph.get(name, ())):
            if state.get(other) == 1:
                cycles.append([*trail[trail.index(other) :], other] if other in trail else [name, other])
            elif other not in state:
                visit(other, [*trail, other])
        state[name] = 2

    for name in sorted(graph):
        if name not in state:
            visit(name, [name])
    assert cycles == []


def _is_module(place: Path) -> bool:
    return place.is_dir() or place.with_suffix(".py").is_file()


def test_tests_lie_where_what_they_test_lies() -> None:
    beside = {"contracts", "golden", "parity"}
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    strays = [
        str(folder)
        for folder in folders
        if folder.parts and folder.parts[0] not in beside and not _is_module(PACKAGE / folder)
    ]
    assert strays == []


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=_name)
def test_files_that_a_package_names_exist(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    named = re.findall(r"`([\w/]+\.py)`", docstring)
    missing = [name for name in named if "NAME" not in name and not (path.parent / name).is_file()
               and not (PACKAGE / name).is_file() and not (ROOT / name).is_file()]  # fmt: skip
    assert missing == []
