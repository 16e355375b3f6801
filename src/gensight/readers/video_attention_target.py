"""VideoAttentionTarget (Chong et al., CVPR 2020): where people in television shows look; and its writer.

The layout: images/SHOW/CLIP/NNNNNNNN.jpg and annotations/{train,test}/SHOW/CLIP/sNN.txt, one file for each person's
track. Rows have no header: file name, x_min, y_min, x_max, y_max, gaze_x, gaze_y, in whole pixels; a gaze of (-1, -1)
is out of frame.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import write_text
from gensight.files.images import image_size, write_image
from gensight.readers.base import Reader
from gensight.readers.gazefollow.reader import head_findings
from gensight.readers.shared.checking import Finding
from gensight.readers.shared.gaze_annotations import Tally, clip_head, sound_corners
from gensight.readers.shared.listings import (
    Missing,
    files_present,
    folder_names,
    image_sample,
    keep_present,
    plain_name,
    read_text,
    require_folder,
)
from gensight.samples import Array, Gaze, Instance, Sample

PARTS = ("train", "test")
SMOOTHING_TAPS = 11
_COLUMNS = 7


class VideoAttentionTargetReader(Reader):
    """The annotated frames of one part, show by show and clip by clip; each lists the people whose tracks meet there.

    Keys are `SHOW/CLIP/FRAME`, groups `SHOW/CLIP`, identities `SHOW/CLIP/sNN`. A row with one negative coordinate, but
    not both -1, looks into the frame from its border: the coordinate becomes 0, as in the public code. Head boxes are
    averaged over 11 rows of their track, as the original loader does, also for the test.

    Args:
        root: The folder that holds images and annotations.
        part: `train` or `test`.
        shows: Only these shows; None: all.
        step: Take every k-th frame of a clip (k = step).
        missing: Refuse (`error`) frames that are not there, or leave out and count (`drop`).

    Raises:
        DataError: Naming the file and row that is wrong.
    """

    name = "video-attention-target"
    categories = ("person",)

    def __init__(
        self,
        root: str | Path,
        part: str = "train",
        shows: Sequence[str] | None = None,
        step: int = 1,
        *,
        missing: Missing = "error",
    ) -> None:
        self.root = Path(root)
        folder = self.root / "annotations" / part
        require_folder(folder, "folder of the annotations", "name the folder that holds images and annotations")
        there = show_names(root, part)
        unknown = sorted(set(shows or ()) - set(there))
        if unknown:
            raise DataError(f"there is no show `{unknown[0]}`", where=folder, choices=there)
        self._tally = Tally()
        frames: dict[str, list[tuple[str, Array]]] = {}
        for show in there if shows is None else shows:
            for clip in folder_names(folder / show):
                self._read_clip(folder / show / clip, f"{show}/{clip}", step, frames)
        if not frames:
            raise DataError("there are no rows", where=folder, hint="each track is a file SHOW/CLIP/sNN.txt")
        paths = list(frames)
        present = files_present(paths, self.root / "images")
        kept, absent = keep_present(paths, present, "frames", folder, missing)
        self._frames = [(path, frames[path]) for path in kept]
        self.dropped = {**self._tally.dropped, **absent}

    def _read_clip(self, folder: Path, clip: str, step: int, frames: dict[str, list[tuple[str, Array]]]) -> None:
        tracks: dict[str, list[tuple[str, Array]]] = {}
        for file in folder_names(folder):
            if not file.endswith(".txt"):
                continue
            names, table = read_track(folder / file)
            table[:, :4] = smooth(table[:, :4])
            for row, (name, values) in enumerate(zip(names, table, strict=True), 1):
                where = f"{clip}/{file}, row {row}"
                head = sound_corners(values[:4], where, self._tally)
                if head is None:
                    self._tally.drop("head box without an area", where)
                    continue
                gaze = self._gaze(values[4:], where)
                tracks.setdefault(name, []).append((f"{clip}/{file[:-4]}", np.concatenate([head, gaze])))
        for name in sorted(tracks)[::step]:
            frames[f"{clip}/{name}"] = tracks[name]

    def _gaze(self, gaze: Array, where: str) -> Array:
        """float64 (2,), NaN where out of frame."""
        if (gaze == -1).all():
            return np.full(2, np.nan)
        if (gaze < 0).any():
            self._tally.mend("one negative gaze coordinate, set to 0", where)
        return np.maximum(gaze, 0)

    def __len__(self) -> int:
        return len(self._frames)

    def sample(self, index: int) -> Sample:
        name, people = self._frames[index]
        path = self.root / "images" / name
        size = image_size(path)
        instances = []
        for identity, values in people:
            gaze = values[4:]
            inside = bool(np.isfinite(gaze).all())
            points = np.minimum(gaze, [size[1], size[0]])[None] if inside else np.zeros((0, 2))
            instances.append(
                Instance("person", head_box=clip_head(values[:4], size), gaze=Gaze(points, inside), identity=identity)
            )
        return image_sample(name.rpartition(".")[0], path, size, instances=tuple(instances), group=self.group(index))

    def group(self, index: int) -> str:
        return self._frames[index][0].rpartition("/")[0]

    @property
    def num_rows(self) -> int:
        """Persons in frames."""
        return sum(len(people) for _, people in self._frames)

    def findings(self) -> list[Finding]:
        """What was mended, and people without a head box."""
        return [*self._tally.findings(), *head_findings(self)]


def show_names(root: str | Path, part: str) -> list[str]:
    """Names of the shows of a part, in order."""
    folder = Path(root) / "annotations" / part
    return [name for name in folder_names(folder) if (folder / name).is_dir()]


def read_track(path: Path) -> tuple[list[str], Array]:
    """(file names, float64 (rows, 6): head box and gaze) of one sNN.txt. Raises DataError naming the row."""
    names, table = [], []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        columns = line.split(",")
        where = f"{path}, row {number}"
        if len(columns) != _COLUMNS:
            raise DataError(f"{len(columns)} columns instead of {_COLUMNS}", where=where)
        try:
            table.append([float(value) for value in columns[1:]])
        except ValueError as error:
            raise DataError(f"a column is no number: {error}", where=where) from None
        names.append(columns[0].strip())
    return names, np.array(table, dtype=np.float64).reshape(-1, _COLUMNS - 1)


def smooth(values: Array, taps: int = SMOOTHING_TAPS) -> Array:
    """The moving average of each column (rows, columns) over `taps` rows, the ends repeated."""
    half = taps // 2
    padded = np.pad(values, ((half, half), (0, 0)), mode="edge")
    sums = np.cumsum(np.vstack([np.zeros((1, values.shape[1])), padded]), axis=0)
    return (sums[taps:] - sums[:-taps]) / taps


def write_video_attention_target(samples: Iterable[Sample], root: str | Path, part: str = "train") -> None:
    """Writes one part: frames of the same group are a clip, the n-th person of the first frame is track s(n-1).

    Coordinates are rounded to whole pixels, as the format has them. Kept are people with a head box and a known gaze.

    Raises:
        DataError: Nobody in the samples can be written.
    """
    root = Path(root)
    tracks: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for sample in samples:
        clip = f"show/{plain_name(sample.group)}"
        frame = counts[clip] = counts.get(clip, -1) + 1
        name = f"{frame:08d}.jpg"
        rows = []
        for number, one in enumerate(sample.instances or ()):
            gaze = one.gaze
            if gaze is None or gaze.in_frame is None or one.head_box is None:
                continue
            target = np.round(gaze.points.mean(0)) if gaze.in_frame else np.array([-1, -1])
            values = ",".join(str(int(value)) for value in (*np.round(one.head_box), *target))
            rows.append((f"{clip}/s{number:02d}", f"{name},{values}"))
        if rows:
            write_image(root / "images" / clip / name, sample.image())
        for track, row in rows:
            tracks.setdefault(track, []).append(row)
    if not tracks:
        raise DataError("none of the samples has a person with a head box and a gaze", where=root)
    for track, lines in tracks.items():
        write_text(root / "annotations" / part / f"{track}.txt", "".join(f"{line}\n" for line in lines))
