"""SLEAP's projects (.slp) of predictions, through sleap-io: skeleton, tracks, scores and numbers of frames.

SLEAP's coordinates have 0 at the centre of the first pixel. Labels by people, with their images, are read by
`readers/label_files`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import DataError, first_line
from gensight.files.atomic import atomic_path
from gensight.readers.deeplabcut.reader import OFFSET
from gensight.readers.poses.table import PoseFrame, PoseTable, Subject, located
from gensight.skeletons import Skeleton


def write(table: PoseTable, path: Path) -> None:
    """Predicted instances of all frames; an individual of the table is a track. Frames without any stand for none."""
    import sleap_io

    names = list(table.skeleton.keypoints)
    edges = [(names[a], names[b]) for a, b in table.skeleton.edges]
    skeleton = sleap_io.Skeleton(nodes=names, edges=edges, name=table.skeleton.name)
    tracks = [sleap_io.Track(name) for name in table.names]
    listed, frames = list(table.frames()), []
    height, width = next((frame.size for frame in listed if any(frame.size)), (0, 0))
    film = all(frame.frame is not None for frame in listed)
    about: dict[str, Any] = {"shape": (table.num_frames, height, width, 3)}
    names_of_images = [frame.key for frame in listed]
    if not film:
        about |= {"type": "ImageVideo", "filename": names_of_images[0], "filenames": names_of_images}
    filename = table.video or "video.mp4" if film else names_of_images
    video = sleap_io.Video(filename=filename, open_backend=False, backend_metadata=about)
    for number, frame in enumerate(listed):
        found = []
        for one in frame.subjects:
            points = np.where(one.keypoints.located[:, None], one.keypoints.points - OFFSET, np.nan)
            found.append(sleap_io.PredictedInstance.from_numpy(
                points, skeleton, point_scores=one.keypoints.confidence.astype(float), score=float(one.score),
                track=tracks[one.place],
            ))  # fmt: skip
        index = number if frame.frame is None else frame.frame
        if found:
            frames.append(sleap_io.LabeledFrame(video=video, frame_idx=index, instances=found))
    labels = sleap_io.Labels(frames, videos=[video], skeletons=[skeleton], tracks=tracks)
    labels.provenance["scorer"] = table.scorer
    with atomic_path(path) as temporary:
        sleap_io.save_slp(labels, str(temporary), verbose=False)


def read(path: Path) -> PoseTable:
    """The predictions of one video. Raises DataError for another file, and for labels by people."""
    import sleap_io

    try:
        labels: Any = sleap_io.load_slp(str(path), open_videos=False)
    except Exception as error:  # sleap-io raises whatever h5py or json do
        raise DataError(f"sleap-io can't read it: {first_line(error)}", where=path) from error
    if len(labels.videos) != 1 or len(labels.skeletons) != 1 or any(one.user_instances for one in labels):
        what = f"{len(labels.videos)} videos, {len(labels.skeletons)} skeletons; a table is of one, predicted"
        raise DataError(what, where=path, hint="name the folder: labels by people are read as a data set")
    video, source = labels.videos[0], labels.skeletons[0]
    names = tuple(source.node_names)
    skeleton = Skeleton(source.name or "sleap", names, tuple((int(a), int(b)) for a, b in source.edge_inds))
    places = {id(track): place for place, track in enumerate(labels.tracks)}
    by_index = {int(one.frame_idx): one for one in labels}
    images = list(video.filename) if isinstance(video.filename, list) else []
    shape = video.backend_metadata.get("shape") or (0, 0, 0, 0)
    count = max(len(images) or int(shape[0]), max(by_index, default=-1) + 1)

    def frames() -> Iterator[PoseFrame]:
        for number in range(count):
            subjects, free = [], iter(range(len(labels.tracks), 1000))
            for one in by_index[number].instances if number in by_index else ():
                data = one.numpy(scores=True)
                keypoints = located(skeleton, data[:, :2] + OFFSET, data[:, 2])
                place = next(free) if one.track is None else places[id(one.track)]
                subjects.append(Subject(place, keypoints, float(one.score)))
            key = images[number] if images else f"{Path(str(video.filename)).name}#{number:06d}"
            size = (int(shape[1]), int(shape[2]))
            yield PoseFrame(key, tuple(subjects), None if images else number, None, size)

    most = max((sum(one.track is None for one in frame.instances) for frame in labels), default=0)
    individuals = [track.name for track in labels.tracks]
    individuals += [f"individual{len(individuals) + number}" for number in range(1, most + 1)]
    several = tuple(individuals) if len(individuals) > 1 else ()
    scorer = str(labels.provenance.get("scorer", "sleap"))
    return PoseTable(skeleton, frames, count, several, scorer, "" if images else str(video.filename))
