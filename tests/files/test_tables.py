"""Tables that are written row by row."""

import csv
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from gensight.files.tables import write_table


def rows(count: int) -> Iterator[dict[str, object]]:
    for number in range(count):
        yield {"frame": f"clip.mp4#{number:06d}", "x": number / 3, "n": None if number == 1 else number}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_rows_come_back(tmp_path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'gensight[parquet]'")
    path = tmp_path / f"table{suffix}"
    write_table(rows(50_000), path)
    found = list(csv.DictReader(path.open())) if suffix == ".csv" else parquet.read_table(path).to_pylist()
    assert len(found) == 50_000
    assert float(found[-1]["x"]) == pytest.approx(49_999 / 3, abs=1e-4)
    assert found[1]["n"] in ("", None)


def test_the_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    peaks = []
    for count in (1_000, 50_000):
        tracemalloc.start()
        write_table(rows(count), tmp_path / "table.csv")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000
