"""Neurodata Without Borders, with its extension ndx-pose: a `PoseEstimation` for each individual.

Coordinates have 0 at the centre of the first pixel, as the `reference_frame` of each series says.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import atomic_path
from gensight.readers.deeplabcut.reader import OFFSET
from gensight.readers.poses.table import PoseFrame, PoseTable, Subject, located, required
from gensight.skeletons import Skeleton

MODULE, SINGLE = "behavior", "PoseEstimation"
UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)


def write(table: PoseTable, path: Path) -> None:
    """All frames at once. The session's start is not known, and stands as 1970.

    Raises:
        ConfigError: ndx-pose is not installed.
        DataError: The table is of images, whose times nobody knows.
    """
    required("ndx_pose", "nwb", "NWB")
    if any(frame.frame is None for frame in table.frames()):
        raise DataError("NWB holds keypoints over time, and these are of single images", where=path,
                        hint="choose another format")  # fmt: skip
    import ndx_pose
    from pynwb import NWBHDF5IO, NWBFile

    values = np.concatenate([some for _, some in table.blocks()]) - [OFFSET, OFFSET, 0]
    times = np.array([_time(frame, table) for frame in table.frames()])
    name = Path(table.video).name
    file = NWBFile(f"keypoints of {name}; the start of the session is not known", path.stem, UNKNOWN,
                   file_create_date=UNKNOWN)  # fmt: skip
    edges = np.array(table.skeleton.edges, np.uint8).reshape(-1, 2)
    skeleton = ndx_pose.Skeleton(name="skeleton", nodes=list(table.skeleton.keypoints), edges=edges)
    module = file.create_processing_module(MODULE, "keypoints")
    module.add(ndx_pose.Skeletons(skeletons=[skeleton]))
    for place, individual in enumerate(table.names):
        series = [
            ndx_pose.PoseEstimationSeries(
                name=part, data=values[:, place, number, :2], confidence=values[:, place, number, 2], timestamps=times,
                reference_frame="(0, 0) is the centre of the top left pixel, y points down", unit="pixels",
                confidence_definition="in [0, 1]; NaN where there is no keypoint",
            )
            for number, part in enumerate(table.skeleton.keypoints)
        ]  # fmt: skip
        module.add(ndx_pose.PoseEstimation(
            name=individual if table.individuals else SINGLE, pose_estimation_series=series, skeleton=skeleton,
            description=f"of {individual}", original_videos=[table.video] if table.video else None,
            scorer=table.scorer, source_software="gensight",
        ))  # fmt: skip
    with atomic_path(path) as temporary, NWBHDF5IO(str(temporary), "w") as output:
        output.write(file)


def _time(frame: PoseFrame, table: PoseTable) -> float:
    if frame.time is not None:
        return frame.time
    return (frame.frame or 0) / (table.rate or 1.0)


def read(path: Path) -> PoseTable:
    """The keypoints of a file. Raises DataError where it holds none, ConfigError without ndx-pose."""
    required("ndx_pose", "nwb", "NWB")
    import ndx_pose  # noqa: F401  # its types are known from here on
    from pynwb import NWBHDF5IO

    try:
        with NWBHDF5IO(str(path), "r", load_namespaces=True) as opened:
            module = opened.read().processing[MODULE]
            found = {name: one for name, one in module.data_interfaces.items() if type(one).__name__ == SINGLE}
            if not found:
                raise KeyError(SINGLE)
            known = next(iter(found.values()))
            parts = tuple(known.skeleton.nodes[:] if known.skeleton else known.pose_estimation_series)
            edges = [] if known.skeleton is None or known.skeleton.edges is None else known.skeleton.edges[:].tolist()
            videos = known.original_videos
            video, scorer = str(videos[0]) if videos is not None and len(videos) else "", str(known.scorer or "")
            values = np.stack([[_series(one[part]) for part in parts] for one in found.values()])
            times = _times(known[parts[0]], values.shape[2])
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"no keypoints of ndx-pose in the module `{MODULE}`: {error}", where=path) from error
    skeleton = Skeleton(path.stem, parts, tuple((int(a), int(b)) for a, b in edges))

    def frames() -> Iterator[PoseFrame]:
        for number, time in enumerate(times):
            rows = values[:, :, number]
            subjects = tuple(
                Subject(place, located(skeleton, own[:, :2] + OFFSET, own[:, 2]))
                for place, own in enumerate(rows)
                if np.isfinite(own[:, :2]).any()
            )
            yield PoseFrame(f"{Path(video).name or path.stem}#{number:06d}", subjects, number, float(time))

    individuals = () if list(found) == [SINGLE] else tuple(found)
    return PoseTable(skeleton, frames, len(times), individuals, scorer or "nwb", video)


def _series(series: Any) -> Any:
    data = np.asarray(series.data[:], np.float64)
    sure = np.ones(len(data)) if series.confidence is None else np.asarray(series.confidence[:])
    return np.column_stack([data[:, :2], sure])


def _times(series: Any, count: int) -> Any:
    if series.timestamps is not None:
        return np.asarray(series.timestamps[:], np.float64)
    return (series.starting_time or 0.0) + np.arange(count) / series.rate
