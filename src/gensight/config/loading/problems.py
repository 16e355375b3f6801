"""What pydantic found wrong, in the words of a recipe: dotted key, value, valid choices, nearest key."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from gensight.config.fields import Section
from gensight.config.sections import kinds, members
from gensight.errors import ConfigError, did_you_mean, nearest

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One mistake: the key that it is about (empty for the whole recipe), what is wrong, valid choices, what to do."""

    path: Path
    what: str
    choices: tuple[str, ...] | None = None
    hint: str | None = None
    where: str | None = None

    @property
    def text(self) -> str:
        return f"{dotted(self.path)}: {self.what}" if self.path else self.what


def dotted(path: Path) -> str:
    """`("view", "size", 0)` -> `view.size[0]`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")


def raise_all(problems: Sequence[Problem], where: str) -> None:
    """Raises one ConfigError that lists every problem; does nothing if there is none."""
    if not problems:
        return
    if len(problems) == 1:
        only = problems[0]
        raise ConfigError(only.text, where=only.where or where, choices=only.choices, hint=only.hint)
    lines = [f"{len(problems)} mistakes"]
    for number, problem in enumerate(problems, start=1):
        lines.append(f"  {number}. {problem.text}")
        if problem.where:
            lines.append(f"     where: {problem.where}")
        if problem.choices is not None:
            lines.append(f"     valid: {', '.join(problem.choices)}")
        if problem.hint:
            lines.append(f"     next:  {problem.hint}")
    raise ConfigError("\n".join(lines), where=where)


# --- the schema as a tree


def all_paths(section: type[Section], prefix: Path = ()) -> Iterator[Path]:
    """Every key that a recipe can have, over all kinds."""
    for name, info in section.model_fields.items():
        yield (*prefix, name)
        for child in members(info.annotation):
            yield from all_paths(child, (*prefix, name))


@dataclass(frozen=True)
class _KeyLocation:
    """Where pydantic's location points in the schema: path without union tags, section around it, field at its end."""

    path: Path
    around: type[Section] | None
    info: FieldInfo | None
    allowed: Sequence[type[Section]] = ()


def _place(root: type[Section], location: tuple[str | int, ...]) -> _KeyLocation:
    place = _KeyLocation((), None, None, [root])
    for element in location:
        if len(place.allowed) > 1:  # pydantic names the kind as a step of its own
            place = _KeyLocation(place.path, place.around, place.info, [kinds(place.allowed)[str(element)]])
            continue
        if element == "[key]":  # the key itself is wrong, and named already
            continue
        around = place.allowed[0] if place.allowed else None
        info = around.model_fields.get(str(element)) if around else None
        info = info or (place.info if isinstance(element, int) or _is_mapping(place.info) else None)
        allowed = members(info.annotation) if info and not isinstance(element, int) else ()
        place = _KeyLocation((*place.path, element), around, info, allowed)
    return place


def _is_mapping(info: FieldInfo | None) -> bool:
    return info is not None and get_origin(info.annotation) is dict


def _literals(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    return [value for part in get_args(annotation) for value in _literals(part)]


# --- one problem

_SECTION = "must be a section with keys of its own"
_REQUIREMENTS = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text (in quotes, if it looks like a number)",
    "string_too_short": "must not be empty",
    "path_type": "must be a path",
    "tuple_type": "must be a list, like [a, b]",
    "model_type": _SECTION,
    "model_attributes_type": _SECTION,
    "dict_type": _SECTION,
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
}  # pydantic's error -> what is required; of others its own message


def problems_of(error: ValidationError, root: type[Section]) -> list[Problem]:
    """Every mistake that pydantic found, in recipe words."""
    return [_problem(detail, root) for detail in error.errors()]


def _problem(detail: Mapping[str, Any], root: type[Section]) -> Problem:
    place = _place(root, detail["loc"])
    given = detail["input"]
    match detail["type"]:
        case "extra_forbidden" | "invalid_key":
            return _unknown_key(place, root)
        case "missing":
            if isinstance(place.path[-1], int):
                return Problem(place.path[:-1], f"has too few entries, got {given!r}")
            description = place.info.description if place.info else None
            return Problem(place.path, "must be given", hint=f"add {dotted(place.path)}=... ({description})")
        case "union_tag_invalid":
            valid = tuple(kinds(place.allowed))
            tag = detail["ctx"]["tag"]
            hint = did_you_mean(str(tag), valid)
            return Problem((*place.path, "kind"), f"unknown kind {tag!r}", valid, hint)
        case "union_tag_not_found":
            return Problem((*place.path, "kind"), "must be given", tuple(kinds(place.allowed)))
        case "literal_error":
            valid = tuple(_literals(place.info.annotation)) if place.info else ()
            word = "unknown kind" if place.path[-1] == "kind" else "unknown value"
            return Problem(place.path, f"{word} {given!r}", valid, did_you_mean(str(given), valid))
        case "value_error":
            return Problem(place.path, str(detail["ctx"]["error"]))
    template = _REQUIREMENTS.get(detail["type"])
    requirement = template.format_map(detail.get("ctx", {})) if template else str(detail["msg"])
    return Problem(place.path, f"{requirement}, got {given!r}")


def _unknown_key(place: _KeyLocation, root: type[Section]) -> Problem:
    key = str(place.path[-1])
    valid = tuple(place.around.model_fields) if place.around else ()
    others = [kind for kind, section in kinds(_siblings(root, place.path[:-1])).items() if key in section.model_fields]
    if others:
        owner = " or ".join(f"{dotted(place.path[:-1])}.kind={kind}" for kind in others)
        return Problem(place.path, "unknown key here", valid, f"`{key}` belongs to {owner}")
    near = nearest(key, valid)
    if near:
        return Problem(place.path, "unknown key", valid, f"did you mean `{dotted((*place.path[:-1], near))}`?")
    # The right key in the wrong section is as common as a typing error.
    elsewhere = [dotted(path) for path in all_paths(root) if path[-1] == key]
    if elsewhere:
        return Problem(place.path, "unknown key here", valid, f"did you mean `{elsewhere[0]}`?")
    if near := nearest(key, {str(path[-1]) for path in all_paths(root)}):
        found = next(dotted(path) for path in all_paths(root) if path[-1] == near)
        return Problem(place.path, "unknown key", valid, f"did you mean `{found}`?")
    return Problem(place.path, "unknown key", valid)


def _siblings(root: type[Section], path: Path) -> list[type[Section]]:
    """Every Section class that may stand at a dotted path, whatever the kinds above it."""
    level = [root]
    for key in path:
        infos = [section.model_fields[str(key)] for section in level if str(key) in section.model_fields]
        level = [child for info in infos for child in members(info.annotation)]
    return level
