"""A row per frame and keypoint in Parquet: frame, image, time, individual, bodypart, x, y, likelihood, visibility.

A frame without a subject has one row, without a bodypart. x and y are in the project's pixels: the centre of the first
is (0.5, 0.5). What the rows don't have (skeleton, individuals, video) stands in the file's metadata.
"""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import atomic_path, json_text
from gensight.readers.poses.table import PoseFrame, PoseTable, Subject, required
from gensight.samples import Keypoints, Visibility
from gensight.skeletons import Skeleton

META = b"gensight"
BLOCK = 20_000  # rows that are written at once


def write(table: PoseTable, path: Path) -> None:
    """In constant memory. Raises ConfigError without pyarrow."""
    required("pyarrow", "parquet", "Parquet")
    import pyarrow as pa
    from pyarrow import parquet

    text, real = pa.string(), pa.float64()
    about = {"skeleton": table.skeleton.name, "keypoints": table.skeleton.keypoints, "edges": table.skeleton.edges,
             "individuals": table.individuals, "scorer": table.scorer, "video": table.video, "rate": table.rate,
             "num_frames": table.num_frames}  # fmt: skip
    fields = {"row": pa.int64(), "image": text, "frame": pa.int64(), "time": real, "height": pa.int32(),
              "width": pa.int32(), "individual": text, "bodypart": text, "x": real, "y": real, "likelihood": real,
              "visibility": pa.int8(), "score": real}  # fmt: skip
    schema = pa.schema(list(fields.items()), {META: json_text(about).encode()})
    with atomic_path(path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        rows: list[dict[str, Any]] = []
        for number, frame in enumerate(table.frames()):
            rows += _rows(number, frame, table)
            if len(rows) >= BLOCK:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows = []
        writer.write_table(pa.Table.from_pylist(rows, schema))


def _rows(number: int, frame: PoseFrame, table: PoseTable) -> Iterator[dict[str, Any]]:
    own = {"row": number, "image": frame.key, "frame": frame.frame, "time": frame.time, "height": frame.size[0],
           "width": frame.size[1]}  # fmt: skip
    if not frame.subjects:
        yield own
    for one in frame.subjects:
        points = one.keypoints
        for place, part in enumerate(table.skeleton.keypoints):
            x, y = (None if np.isnan(value) else float(value) for value in points.points[place])
            yield {**own, "individual": table.names[one.place], "bodypart": part, "x": x, "y": y,
                   "likelihood": float(points.confidence[place]), "visibility": int(points.visibility[place]),
                   "score": one.score}  # fmt: skip


def read(path: Path) -> PoseTable:
    """What `write` has written. Raises DataError for another table, ConfigError without pyarrow."""
    required("pyarrow", "parquet", "Parquet")
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
        about = json.loads(file.schema_arrow.metadata[META])
        edges = tuple((a, b) for a, b in about["edges"])
        skeleton = Skeleton(about["skeleton"], tuple(about["keypoints"]), edges)
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise DataError(f"not a table of keypoints: {error}", where=path) from error
    individuals = tuple(about["individuals"])
    places = {name: place for place, name in enumerate(individuals or ("individual1",))}

    def frames() -> Iterator[PoseFrame]:
        rows = (row for batch in file.iter_batches(BLOCK) for row in batch.to_pylist())
        for _, own in groupby(rows, key=lambda row: row["row"]):
            some = list(own)
            first, subjects = some[0], []
            for name, parts in groupby((row for row in some if row["bodypart"] is not None),
                                       key=lambda row: row["individual"]):  # fmt: skip
                subjects.append(_subject(places[name], list(parts), skeleton))
            size = (first["height"], first["width"])
            yield PoseFrame(first["image"], tuple(subjects), first["frame"], first["time"], size)

    return PoseTable(skeleton, frames, about["num_frames"], individuals, about["scorer"], about["video"], about["rate"])


def _subject(place: int, rows: list[dict[str, Any]], skeleton: Skeleton) -> Subject:
    count = len(skeleton)
    points, confidence, visibility = np.full((count, 2), np.nan), np.zeros(count), np.zeros(count)
    for row in rows:
        number = skeleton.keypoints.index(row["bodypart"])
        points[number] = [np.nan if row[axis] is None else row[axis] for axis in "xy"]
        confidence[number], visibility[number] = row["likelihood"], Visibility(row["visibility"])
    keypoints = Keypoints(skeleton, points, visibility.astype(np.int8), confidence.astype(np.float32))
    return Subject(place, keypoints, rows[0]["score"])
