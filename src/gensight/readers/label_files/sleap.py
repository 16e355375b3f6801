"""SLEAP's projects (.slp, .pkg.slp with images inside) and its analysis files (h5, csv), through sleap-io.

SLEAP's coordinates have 0 at the centre of the first pixel, so 0.5 is added.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gensight.errors import DataError, first_line
from gensight.files.videos.reading import VIDEO_SUFFIXES
from gensight.readers.label_files.records import LabelledImage, LabelledSubject, LabelSet
from gensight.samples import Array, Size, Visibility

OFFSET = 0.5


@dataclass(frozen=True)
class EmbeddedImage:
    """Reads an image that lies in a project: uint8 RGB (height, width, 3)."""

    path: str
    dataset: str
    frame: int

    def __call__(self) -> Array:
        try:
            pixels = np.asarray(_embedded_video(self.path, self.dataset)[self.frame])
        except Exception as error:  # of any of sleap-io's decoders
            where = f"{self.path}, {self.dataset}, frame {self.frame}"
            raise DataError(f"the image cannot be read: {first_line(error)}", where=where) from error
        pixels = pixels if pixels.dtype == np.uint8 else np.clip(pixels, 0, 255).astype(np.uint8)
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        return np.ascontiguousarray(np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3])


@lru_cache(maxsize=8)
def _embedded_video(path: str, dataset: str) -> Any:
    import sleap_io

    return sleap_io.Video.from_filename(path, dataset=dataset)


def is_sleap(path: Path) -> bool:
    """Whether a file is one of SLEAP's: by its suffix, an analysis h5 by its content, a csv by its header."""
    if path.suffix.lower() == ".slp":
        return True
    if path.suffix.lower() == ".csv":
        with path.open("rb") as file:
            head = file.read(4000).partition(b"\n")[0]
        return head.startswith(b"track,frame_idx,instance.score")
    try:
        with h5py.File(path) as file:
            return {"tracks", "node_names", "track_occupancy"} <= set(file)
    except (OSError, RuntimeError):
        return False


def read_sleap(root: Path, files: Sequence[Path]) -> LabelSet:
    """Labels by people; predictions where a file has no others."""
    images: list[LabelledImage] = []
    names: dict[str, None] = {}
    edges: dict[tuple[str, str], None] = {}
    for path in files:
        labels = _load(path, root)
        names |= dict.fromkeys(_header_names(path))
        for skeleton in labels.skeletons:
            names |= dict.fromkeys(skeleton.node_names)
            edges |= dict.fromkeys((edge.source.name, edge.destination.name) for edge in skeleton.edges)
        images += _images(labels, path)
    return LabelSet(images, tuple(names), tuple(edges))


def _header_names(path: Path) -> list[str]:
    """A csv's keypoints in its order, which sleap-io sorts; none for other files."""
    if path.suffix.lower() != ".csv":
        return []
    with path.open(encoding="utf-8") as file:
        return [cell.strip()[:-2] for cell in file.readline().split(",") if cell.strip().endswith(".x")]


def _load(path: Path, root: Path) -> Any:
    try:
        import sleap_io
    except ModuleNotFoundError as error:
        raise DataError("SLEAP's files need the package sleap-io", where=path, hint="pip install sleap-io") from error
    try:
        if path.suffix.lower() == ".slp":
            return sleap_io.load_slp(str(path), open_videos=False)
        if path.suffix.lower() == ".csv":
            video = _video_beside(path, root)
            return sleap_io.load_csv(str(path), format="sleap", video=video)
        return sleap_io.load_analysis_h5(str(path))
    except DataError:
        raise
    except Exception as error:  # sleap-io raises whatever h5py, json or pandas do
        hint = "open and save it again in SLEAP, or export its labels as .slp"
        raise DataError(f"sleap-io can't read it: {first_line(error)}", where=path, hint=hint) from error


def _video_beside(path: Path, root: Path) -> Any:
    """The video that a csv is about, which names none: of those beside it, the one whose name it begins with."""
    import sleap_io

    videos = sorted(one for one in path.parent.iterdir() if one.suffix.lower() in VIDEO_SUFFIXES)
    fitting = [one for one in videos if one.stem in path.name] or videos
    if len(fitting) != 1:
        hint = "put the video beside the csv, under a name that the csv's contains, or use SLEAP's analysis h5"
        raise DataError("a csv of SLEAP names no video", where=path, choices=[one.name for one in videos], hint=hint)
    return sleap_io.Video(filename=str(fitting[0]), open_backend=False)


def _images(labels: Any, path: Path) -> Iterator[LabelledImage]:
    by_people = any(frame.user_instances for frame in labels.labeled_frames)
    for frame in labels.labeled_frames:
        instances = frame.user_instances if by_people else frame.instances
        if by_people and not instances and not getattr(frame, "is_negative", False):
            continue
        video, index = frame.video, int(frame.frame_idx)
        where = f"{path}, frame {index}"
        subjects = tuple(_subject(one, where) for one in instances)
        subjects = tuple(one for one in subjects if one.keypoints)
        dataset, name = video.backend_metadata.get("dataset"), video.filename
        pixels = None
        if dataset and isinstance(name, str) and Path(name).suffix.lower() in (".slp", ".h5", ".hdf5"):
            pixels = EmbeddedImage(str(name), str(dataset), index)
            name = f"{path.name}/{str(dataset).partition('/')[0]}"
        elif isinstance(name, list):  # a video that is a list of images
            yield LabelledImage(str(name[index]), path, subjects)
            continue
        yield LabelledImage(str(name), path, subjects, index, _size(video), pixels=pixels)


def _size(video: Any) -> Size | None:
    shape = video.backend_metadata.get("shape")
    return (int(shape[1]), int(shape[2])) if shape is not None and len(shape) == 4 and shape[1] else None


def _subject(instance: Any, where: str) -> LabelledSubject:
    points = np.asarray(instance.numpy(), np.float64)
    names = instance.skeleton.node_names
    keypoints = {
        name: (float(x) + OFFSET, float(y) + OFFSET, int(Visibility.VISIBLE))
        for name, (x, y) in zip(names, points[:, :2], strict=True)
        if np.isfinite([x, y]).all()
    }
    track = instance.track.name if instance.track is not None else None
    return LabelledSubject("animal", keypoints, identity=track, where=f"{where}, {track}" if track else where)
