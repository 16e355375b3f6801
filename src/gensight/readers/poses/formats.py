"""The formats of keypoints, by name and by suffix."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gensight.errors import ConfigError
from gensight.readers.poses import coco, deeplabcut, nwb, parquet, sleap_analysis, sleap_project
from gensight.readers.poses.table import PoseTable


@dataclass(frozen=True)
class PoseFormat:
    """One kind of file.

    Attributes:
        suffix: Of its files; the longest that fits decides.
        write: Writes a table to a path.
        read: And back.
        lost: What it does not hold.
    """

    suffix: str
    write: Callable[[PoseTable, Path], None]
    read: Callable[[Path], PoseTable]
    lost: tuple[str, ...] = ()


_TABLE = ("visibility", "times", "sizes of images", "limbs")


FORMATS = {
    "csv": PoseFormat(".csv", deeplabcut.write_csv, deeplabcut.read, _TABLE),
    "h5": PoseFormat(".h5", deeplabcut.write_h5, deeplabcut.read, _TABLE),
    "sleap": PoseFormat(".analysis.h5", sleap_analysis.write, sleap_analysis.read, (*_TABLE[:3], "names of images")),
    "slp": PoseFormat(".slp", sleap_project.write, sleap_project.read, ("visibility", "times")),
    "coco": PoseFormat(".json", coco.write, coco.read),
    "parquet": PoseFormat(".parquet", parquet.write, parquet.read),
    "nwb": PoseFormat(".nwb", nwb.write, nwb.read, ("visibility", "sizes of images")),
}


def format_of(path: Path) -> PoseFormat | None:
    """By the name of a file; None for any other."""
    fitting = [one for one in FORMATS.values() if path.name.lower().endswith(one.suffix)]
    return max(fitting, key=lambda one: len(one.suffix), default=None)


def parse_formats(text: str, where: str) -> tuple[str, ...]:
    """The names in `A,B`. Raises ConfigError for one that is none."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in FORMATS:
            raise ConfigError(f"unknown format '{name}'", where=where, choices=FORMATS, hint="write A,B")
    return names
