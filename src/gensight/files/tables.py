"""Rows of one kind on disk: csv, or Parquet."""

import csv
from collections.abc import Iterable, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from gensight.errors import ConfigError
from gensight.files.atomic import atomic_path

BLOCK = 20_000  # rows of Parquet that are written at once


def check_table(path: Path) -> None:
    """Raises ConfigError for what is no .csv or .parquet, or Parquet without the package that writes it."""
    if path.suffix not in (".csv", ".parquet"):
        raise ConfigError(f"`{path.name}` is no kind of table", where="--out", choices=[".csv", ".parquet"])
    if path.suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401  # an optional extra
        except ModuleNotFoundError as error:
            raise ConfigError(
                "Parquet needs the package pyarrow, which is not installed",
                where="--out",
                hint='pip install "gensight[parquet]", or write .csv',
            ) from error


def write_table(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Writes one or more rows of the same columns as they come, in constant memory; in csv, numbers to four decimals.

    Columns are those of the first row; None stands for an empty cell.
    """
    some = iter(rows)
    first = next(some)
    with atomic_path(path) as temporary:
        if path.suffix == ".csv":
            with temporary.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(first))
                writer.writeheader()
                for row in chain([first], some):
                    writer.writerow({name: f"{v:.4f}" if isinstance(v, float) else v for name, v in row.items()})
            return
        from pyarrow import Table, parquet

        block = [first, *islice(some, BLOCK - 1)]
        schema = Table.from_pylist(block).schema
        with parquet.ParquetWriter(temporary, schema) as output:
            while block:
                output.write_table(Table.from_pylist(block, schema))
                block = list(islice(some, BLOCK))
