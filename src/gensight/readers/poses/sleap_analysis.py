"""SLEAP's analysis h5: tracks (individuals, 2, keypoints, frames), their scores, and the names of all axes.

SLEAP's coordinates have 0 at the centre of the first pixel.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import atomic_path
from gensight.readers.deeplabcut.reader import OFFSET
from gensight.readers.poses.table import PoseFrame, PoseTable, Subject, located
from gensight.skeletons import Skeleton


def write(table: PoseTable, path: Path) -> None:
    """Frame by frame. An individual of the table is a track; a table of one subject has one."""
    tracks, nodes, count = table.places, len(table.skeleton), table.num_frames
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        shapes: dict[str, tuple[int, ...]] = {
            "tracks": (tracks, 2, nodes, count), "point_scores": (tracks, nodes, count),
            "instance_scores": (tracks, count), "tracking_scores": (tracks, count),
        }  # fmt: skip
        data = {name: file.create_dataset(name, shape, "f8", fillvalue=np.nan) for name, shape in shapes.items()}
        occupied = file.create_dataset("track_occupancy", (count, tracks), "u1")
        place = 0
        for frames, values in table.blocks():
            span = slice(place, place + len(frames))
            data["tracks"][..., span] = (values[..., :2] - OFFSET).transpose(1, 3, 2, 0)
            data["point_scores"][..., span] = values[..., 2].transpose(1, 2, 0)
            scores = np.full((len(frames), tracks), np.nan)
            for number, frame in enumerate(frames):
                for one in frame.subjects:
                    scores[number, one.place] = one.score
            data["instance_scores"][:, span] = scores.T
            occupied[span] = np.isfinite(values[..., 0]).any(2)
            place += len(frames)
        file["track_names"] = _bytes(table.names)
        file["node_names"] = _bytes(table.skeleton.keypoints)
        edges = np.array(table.skeleton.edges, np.int64).reshape(-1, 2)
        file["edge_names"] = _bytes(table.skeleton.keypoints)[edges] if len(edges) else np.empty((0, 2), "S1")
        file["edge_inds"] = edges
        file["video_path"], file["labels_path"], file["video_ind"] = table.video, "", 0
        file["provenance"] = "{}"


def _bytes(names: Any) -> Any:
    return np.array([name.encode() for name in names])


def read(path: Path) -> PoseTable:
    """A table as `write` and SLEAP write it. Raises DataError for another file."""
    try:
        with h5py.File(path) as file:
            tracks = np.asarray(file["tracks"][()], np.float64)
            names = [[_text(value) for value in file[name][()]] for name in ("track_names", "node_names")]
            scores = np.asarray(file["point_scores"][()]) if "point_scores" in file else np.ones_like(tracks[:, 0])
            own = np.asarray(file["instance_scores"][()]) if "instance_scores" in file else np.ones(tracks.shape[::3])
            edges = file["edge_inds"][()].tolist() if "edge_inds" in file else []
            video = _text(file["video_path"][()]) if "video_path" in file else ""
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"not an analysis file of SLEAP: {error}", where=path) from error
    individuals, parts = names
    if tracks.shape[1:3] != (2, len(parts)) or len(tracks) != max(1, len(individuals)):
        what = f"tracks of shape {tracks.shape} for {len(individuals)} tracks of {len(parts)} keypoints"
        raise DataError(what, where=path, hint="export it from SLEAP again, in its default order of axes")
    skeleton = Skeleton(path.name.split(".")[0], tuple(parts), tuple((int(a), int(b)) for a, b in edges))

    def frames() -> Iterator[PoseFrame]:
        for number in range(tracks.shape[3]):
            subjects = []
            for place in range(len(tracks)):
                points = tracks[place, :, :, number].T + OFFSET
                if np.isfinite(points).any():
                    keypoints = located(skeleton, points, scores[place, :, number])
                    subjects.append(Subject(place, keypoints, float(np.nan_to_num(own[place, number], nan=1.0))))
            yield PoseFrame(f"{Path(video).name or path.stem}#{number:06d}", tuple(subjects), number)

    return PoseTable(
        skeleton, frames, tracks.shape[3], tuple(individuals) if len(individuals) > 1 else (), "sleap", video
    )


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
