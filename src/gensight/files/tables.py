"""Rows of one kind on disk: csv, or Parquet."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gensight.errors import ConfigError
from gensight.files.atomic import atomic_path, write_text


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


def write_table(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Writes one or more rows of the same columns; in csv, numbers to four decimals."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows({name: f"{v:.4f}" if isinstance(v, float) else v for name, v in row.items()} for row in rows)
        write_text(path, text.getvalue())
        return
    from pyarrow import Table, parquet

    with atomic_path(path) as temporary:
        parquet.write_table(Table.from_pylist(list(rows)), temporary)
