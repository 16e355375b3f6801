"""The project's own data sets: images with the labels of teachers. docs/dataset-format.md describes the format."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import named_path, read_json
from gensight.files.images import read_image
from gensight.files.strangers import decode_json
from gensight.files.videos.reading import read_frame
from gensight.readers.annotated.labels import Entry, entry_files, merge_labels, skeleton_from_json
from gensight.readers.annotated.writer import DESCRIPTION, FORMAT, OWN, VERSION
from gensight.readers.base import Reader
from gensight.readers.shared.checking import Finding
from gensight.samples import Array, Provenance, Relation, Sample

_AGAIN = "annotate the images again, or restore the file"


class _Description(msgspec.Struct):
    """The field that identifies a description among other files of its name."""

    format: str = ""


class _Head(msgspec.Struct):
    """What opening reads of a row."""

    key: str
    group: str


def is_annotated(root: str | Path) -> bool:
    """Whether a folder has the file that describes a data set of this format."""
    return (Path(root) / DESCRIPTION).is_file()


def is_described(root: str | Path) -> bool:
    """Whether a folder's `dataset.json` is of this format: other formats use that file name too.

    Raises:
        DataError: The file is not JSON.
    """
    path = Path(root) / DESCRIPTION
    if not path.is_file():
        return False
    try:
        return decode_json(path.read_bytes(), _Description).format == FORMAT
    except msgspec.ValidationError:
        return False
    except (msgspec.DecodeError, UnicodeDecodeError):
        read_json(path)  # its error states where the file is broken
        return False


def read_description(root: str | Path) -> dict[str, Any]:
    """The `dataset.json` of a data set's folder.

    Raises:
        DataError: It is missing or broken, of another format or of a newer version.
    """
    path = Path(root) / DESCRIPTION
    value = read_json(path)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise DataError(
            "not a data set of this project's format", where=path, hint="name a folder that `annotate` wrote"
        )
    if value.get("version") != VERSION:
        raise DataError(f"version {value.get('version')} of the format can't be read", where=path, choices=[VERSION],
                        hint="update gensight, or annotate the images again")  # fmt: skip
    missing = [name for name in ("samples", "source", "teachers", "categories", "skeletons") if name not in value]
    if missing:
        raise DataError(f"the entry `{missing[0]}` is missing", where=path, hint=_AGAIN)
    return value


class AnnotatedReader(Reader):
    """Images and their labels by teachers, merged in the order of the teachers.

    Instances and `extras["provenance"]` (by field name) give each label's teacher and confidence; `extras["variants"]`
    are callables that give other pictures with the image's layout. `relation` knows the point tracks of videos.

    Args:
        root: The data set's folder.
        images: Where the source's images lie now, if they were moved; by default the folder in `dataset.json`.
        min_confidence: Less confident labels are left out: instances, single keypoints, track points, maps, captions.
        variants: Whether the variants of images are samples too, behind all others: unlabelled, of their image's group,
            with its key in `extras["variant_of"]`.

    Raises:
        DataError: Naming the file and the line that is wrong.
    """

    name = "annotated"

    def __init__(
        self,
        root: str | Path,
        images: str | Path | None = None,
        min_confidence: float = 0.0,
        variants: bool = False,
    ) -> None:
        self.root = Path(root)
        if not 0 <= min_confidence <= 1:
            raise DataError(f"a confidence of {min_confidence:g} is impossible", where=self.root, hint="choose 0 to 1")
        self.min_confidence = min_confidence
        self.description = read_description(self.root)
        source = self.description["source"]
        self.images = Path(images) if images is not None else (self.root / source["root"])
        self._skeletons = {name: skeleton_from_json(name, entry)
                           for name, entry in self.description["skeletons"].items()}  # fmt: skip
        self.skeleton = next(iter(self._skeletons.values())) if len(self._skeletons) == 1 else None
        self.categories = tuple(self.description["categories"])
        self._rows = self.root / self.description["samples"]
        self._keys, self._groups, self._offsets = self._open_rows()
        self._index = {key: index for index, key in enumerate(self._keys)}
        self._videos = self._open_videos()
        self._variants = self._find_variants() if variants else []

    def _find_variants(self) -> list[tuple[int, str]]:
        """(index of the image, file) of each variant."""
        rows = ((index, self.row(index)) for index in range(len(self._keys)))
        return [(index, variant["file"]) for index, row in rows for entry in row["labels"]
                if float(entry.get("confidence", 1.0)) >= self.min_confidence
                for variant in entry.get("variants", ())]  # fmt: skip

    def _open_rows(self) -> tuple[list[str], list[str], Array]:
        decoder = msgspec.json.Decoder(_Head)
        keys, groups, offsets, offset = [], [], [], 0
        try:
            with self._rows.open("rb") as file:
                for line in file:
                    head = decoder.decode(line)
                    keys.append(head.key)
                    groups.append(head.group)
                    offsets.append(offset)
                    offset += len(line)
        except FileNotFoundError as error:
            raise DataError("file not found", where=self._rows, hint=_AGAIN) from error
        except msgspec.MsgspecError as error:
            raise DataError(f"not a row of the format: {error}", where=f"{self._rows}, line {len(keys) + 1}",
                            hint=_AGAIN) from error  # fmt: skip
        return keys, groups, np.array(offsets, dtype=np.int64)

    def _open_videos(self) -> dict[str, Entry]:
        """Group -> its video's line, with the frames' positions by sample index."""
        name = self.description.get("videos")
        if name is None:
            return {}
        try:
            lines = [json.loads(line) for line in (self.root / name).read_bytes().splitlines()]
        except (OSError, ValueError) as error:
            raise DataError("the list of videos cannot be read", where=self.root / name, hint=_AGAIN) from error
        for line in lines:
            line["places"] = {self._index[key]: place for place, key in enumerate(line["frames"]) if key in self._index}
        return {line["group"]: line for line in lines}

    def __len__(self) -> int:
        return len(self._keys) + len(self._variants)

    def with_variants(self, images: Sequence[int]) -> list[int]:
        """These images, by index, and the variants of them behind: what one part of a split holds."""
        chosen = set(images)
        numbers = enumerate(self._variants, len(self._keys))
        return [*images, *(number for number, (original, _) in numbers if original in chosen)]

    def row(self, index: int) -> Entry:
        """The line of one image, as JSON."""
        with self._rows.open("rb") as file:
            file.seek(int(self._offsets[index]))
            row: Entry = json.loads(file.readline())
        return row

    @property
    def keys(self) -> list[str]:
        """The images' keys, in order."""
        return list(self._keys)

    def find(self, key: str) -> int | None:
        """Where the image of this key is; None if there is none."""
        return self._index.get(key)

    def sample(self, index: int) -> Sample:
        if index >= len(self._keys):
            original, file = self._variants[index - len(self._keys)]
            height, width = self.row(original)["size"]
            path = self.root / file
            return Sample(file, (height, width), partial(read_image, path), group=self._groups[original],
                          path=str(path), extras={"variant_of": self._keys[original]})  # fmt: skip
        row = self.row(index)
        try:
            return self.sample_of(row, row["labels"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a row of the format: {error!r}", where=f"{self._rows}, line {index + 1}",
                            hint=_AGAIN) from error  # fmt: skip

    def sample_of(self, row: Entry, labels: Sequence[Entry]) -> Sample:
        """The sample of a row with some of its labels. Raises KeyError, TypeError or ValueError if they are broken."""
        image, (height, width) = row["image"], row["size"]
        path = None
        if "video" in image:
            read = partial(read_frame, named_path(self.images, image["video"]), image["frame"])
        else:
            path = self.root / image["copy"] if "copy" in image else named_path(self.images, image["file"])
            read = partial(read_image, path)
        bare = Sample(row["key"], (height, width), read, group=row["group"], path=None if path is None else str(path))
        return merge_labels(bare, labels, self.root, self._skeletons, self.min_confidence)

    @property
    def groups(self) -> list[str]:
        return [*self._groups, *(self._groups[original] for original, _ in self._variants)]

    # --- Tracks ---

    @property
    def videos(self) -> dict[str, Entry]:
        """Group -> the line of its video."""
        return self._videos

    def relation(self, first: int, second: int) -> Relation | None:
        """The points that the last teacher tracked in both frames; None if they are no frames of one tracked video."""
        common = self._common((first, second))
        if common is None:
            return None
        points, confidence, teacher = common
        kept = (confidence > 0).all(0)
        mean = float(confidence[:, kept].min(0).mean()) if kept.any() else 0.0
        return Relation("tracks", tracks=points[:, kept], provenance=Provenance(teacher, mean))

    def trails(self, indices: Sequence[int]) -> Array | None:
        """Where the points that are seen in the first of some frames are in all of them.

        Returns:
            float64 (num_frames, num_points, 2), NaN where a point is not seen; None if they are no frames of one
            tracked video.
        """
        common = self._common(indices)
        if common is None:
            return None
        points, confidence, _ = common
        kept = confidence[0] > 0
        return np.where((confidence > 0)[:, kept, None], points[:, kept], np.nan)

    def _common(self, indices: Sequence[int]) -> tuple[Array, Array, str] | None:
        """The last teacher's points in some frames of one video, their confidence (0 where not seen), and who it is."""
        groups = {self._groups[index] for index in indices if index < len(self._groups)}
        video = self._videos.get(next(iter(groups))) if len(groups) == 1 else None
        tracked = [entry for entry in video["labels"] if entry.get("tracks")] if video is not None else []
        if video is None or not tracked or any(index not in video["places"] for index in indices):
            return None
        places = np.array([video["places"][index] for index in indices])
        stretches = [self._stretch(track, places) for track in tracked[-1]["tracks"]]
        points = np.concatenate([points for points, _ in stretches], axis=1)
        return points, np.concatenate([sure for _, sure in stretches], axis=1), tracked[-1]["teacher"]

    def _stretch(self, track: Entry, places: Array) -> tuple[Array, Array]:
        """float64 (num_frames, n, 2) and float32 (num_frames, n): one stretch's points in some frames of the video."""
        rows = places - track["start"]
        within = (rows >= 0) & (rows < track["num_frames"])
        points = np.full((len(rows), track["num_points"], 2), np.nan)
        confidence = np.zeros((len(rows), track["num_points"]), dtype=np.float32)
        if not within[0]:
            return points[:, :0], confidence[:, :0]
        arrays = {name: _open_array(self.root / track[name]) for name in ("points", "visible", "confidence")}
        points[within] = arrays["points"][rows[within]]
        sure = np.where(arrays["visible"][rows[within]], arrays["confidence"][rows[within]], 0)
        confidence[within] = np.where(sure >= self.min_confidence, sure, 0)
        return points, confidence

    # --- The audit ---

    def findings(self) -> Iterator[Finding]:
        """Labels without a teacher, lost files, counts by teacher, duplicates, skipped images."""
        known = {teacher["source"] for teacher in self.description["teachers"]} | {OWN}
        counts: Counter[str] = Counter()
        strangers: dict[str, list[str]] = {}
        lost: list[str] = []
        by_hash: dict[str, list[str]] = {}
        lines = [(key, self.row(index)) for index, key in enumerate(self._keys)]
        for key, row in [*lines, *((group, video) for group, video in self._videos.items())]:
            for entry in row["labels"]:
                counts[entry["teacher"]] += 1
                if entry["teacher"] not in known:
                    strangers.setdefault(entry["teacher"], []).append(key)
                lost += [file for file in entry_files(entry) if not (self.root / file).is_file()]
            if "image" in row:
                by_hash.setdefault(str(row["image"].get("sha256")), []).append(key)
        for teacher, keys in strangers.items():
            yield Finding.at("error", f"label of `{teacher}`, which `{DESCRIPTION}` does not list", keys)
        if lost:
            yield Finding.at("error", "map or track file that is missing", lost)
        for key, value in counts.items():
            yield Finding("note", f"labels of {key}", count=value)
        for keys in by_hash.values():
            if len(keys) > 1:
                yield Finding.at("warning", "images of the same content", keys)
        for skipped in self.description.get("skipped", ()):
            yield Finding("warning", f"image that was skipped: {skipped['problem']}", skipped["key"])


@lru_cache(maxsize=64)
def _open_array(path: Path) -> Array:
    """A memory-mapped .npy file."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"the tracks cannot be read: {error}", where=path, hint=_AGAIN) from error
