"""The field types that every section of a recipe is made of, and the base of the sections."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


class Section(BaseModel):
    """A node of a recipe: frozen, without unknown keys, and every field described."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, protected_namespaces=())


# YAML 1.1 reads 3e-4 (no dot) as a string, and people write it all the time.
_EXPONENT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value.strip()) else value


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 (Path.absolute keeps `..`)


def _folder_or_id(source: str) -> str:
    path = Path(source)
    return str(_absolute(path)) if path.expanduser().is_dir() else source


Number = Annotated[float, BeforeValidator(_number), Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
NonNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, le=1)]

Integer = Annotated[int, Field(strict=True)]
PositiveInteger = Annotated[Integer, Field(ge=1)]
NonNegativeInteger = Annotated[Integer, Field(ge=0)]

Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(strict=True)]
Name = Annotated[Text, Field(min_length=1)]

# Relative paths count from the working directory, and are kept absolute so that a run can be reopened from anywhere.
Location = Annotated[Path, AfterValidator(_absolute)]
FolderOrId = Annotated[Name, AfterValidator(_folder_or_id)]  # of a model hub, where there is no such folder

SamplerName = Literal["ddim", "euler", "euler-ancestral", "ancestral", "dpm-solver++"]
Precision = Literal["float32", "bfloat16", "float16"]  # of arithmetic
SkeletonName = Literal["openpose-18", "coco-17", "animal-17", "data"]
ImageSize = tuple[PositiveInteger, PositiveInteger]
Widths = Annotated[tuple[PositiveInteger, ...], Field(min_length=1)]
