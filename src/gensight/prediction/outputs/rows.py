"""Predictions as rows on disk: NAME.json and NAME.csv, both written whole at the end."""

import csv
import io
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from gensight.files.atomic import write_json, write_text


class RowFiles:
    """What its children add to `rows`, in a csv of some columns and a json of all that a row has.

    Args:
        folder: Where.
    """

    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []

    def open(self, stack: ExitStack) -> None:
        """Nothing: both files are written whole at the end."""

    def close(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.folder / f"{self.name}.csv", text.getvalue())
        write_json(self.folder / f"{self.name}.json", self.rows, indent=1)
