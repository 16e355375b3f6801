"""NYU Depth V2: the labelled .mat file (1,449 frames with classes), and the layout of raw PNG files.

`nyu_depth_v2_labeled.mat` is HDF5, written by MATLAB, so axes are reversed: images (N, 3, width, height), depths in
metres and labels (N, width, height), names (894 classes), scenes. `splits.mat` holds trainNdxs and testNdxs, from 1.
The raw layout is that of BTS and the Monocular-Depth-Estimation-Toolbox: SCENE/rgb_*.jpg, SCENE/sync_depth_*.png in
millimetres, and lists (nyu_train.txt, nyu_test.txt) of pairs and focal lengths.
"""

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import DataError
from gensight.readers.base import Reader
from gensight.readers.rgbd.depth_pngs import pair_sample, read_pairs
from gensight.readers.shared.class_maps import SEGMENTATION, ClassMap
from gensight.readers.shared.listings import Missing, require_folder
from gensight.readers.shared.mat_files import read_mat
from gensight.samples import Array, Depth, Sample

UNLABELLED = "unlabelled"
_MAT_HINT = "this is the labelled file of nyu_depth_v2, HDF5 as MATLAB 7.3 writes it"


def _read_frame(path: Path, name: str, index: int) -> Array:
    """One frame of one array of a .mat file, upright."""
    try:
        import h5py

        with h5py.File(path, "r") as file:
            values = np.asarray(file[name][index])
    except (OSError, KeyError) as error:
        raise DataError(f"cannot be read: {error}", where=path, hint=_MAT_HINT) from error
    return np.ascontiguousarray(values.T)  # (width, height) or (3, width, height), as MATLAB's axes come out


def _read_depth(path: Path, index: int) -> Depth:
    metres = _read_frame(path, "depths", index).astype(np.float32)
    return Depth(np.where(metres > 0, metres, np.float32(np.nan)), "metric")


class NyuReader(Reader):
    """Frames of NYUv2's labelled file: image, metric depth (filled in by its makers), and the class of every pixel.

    Keys are numbers from 1 as the data set counts (`nyu-0001`), groups are scenes (`kitchen_0004`).
    `Sample.extras["segmentation"]` is a `ClassMap` of the file's own 894 names, 0 (unlabelled) ignored.

    Args:
        path: The .mat file.
        part: `train` or `test` (the official 795 and 654, according to `splits.mat` beside it), or `all`.

    Raises:
        DataError: A file is missing, is no such file, or the parts don't fit it.
    """

    name = "nyu"

    def __init__(self, path: str | Path, part: str = "all") -> None:
        self.path = Path(path)
        self.root = self.path.parent
        num, self._size, self.categories, self._scenes = _open_mat(self.path)
        self._indices = list(range(num))
        if part != "all":
            self._indices = _official(self.path.with_name("splits.mat"), part, num)

    def __len__(self) -> int:
        return len(self._indices)

    def sample(self, index: int) -> Sample:
        frame = self._indices[index]
        classes = partial(_read_frame, self.path, "labels", frame)
        return Sample(
            f"nyu-{frame + 1:04d}",
            self._size,
            partial(_read_frame, self.path, "images", frame),
            depth=partial(_read_depth, self.path, frame),
            group=self.group(index),
            extras={SEGMENTATION: ClassMap(classes, (UNLABELLED, *self.categories), (0,))},
        )

    def group(self, index: int) -> str:
        return self._scenes[self._indices[index]]


class NyuRawReader(Reader):
    """Pairs of NYUv2's raw layout. Keys are paths without suffix (`kitchen_0004/rgb_00012`), groups are scenes.

    Args:
        root: The folder that the list's paths count from.
        part: Name of the list without `.txt`: `nyu_train` or `nyu_test`.
        missing: Refuse (`error`) pairs whose files are not there, or leave out and count (`drop`).

    Raises:
        DataError: Naming the list and row that is wrong.
    """

    name = "nyu"

    def __init__(self, root: str | Path, part: str = "nyu_train", *, missing: Missing = "error") -> None:
        self.root = Path(root)
        require_folder(self.root, "folder")
        self._pairs, self.dropped = read_pairs(self.root / f"{part}.txt", self.root, missing)

    def __len__(self) -> int:
        return len(self._pairs)

    def sample(self, index: int) -> Sample:
        return pair_sample(self.root, self._pairs[index], self.group(index))

    def group(self, index: int) -> str:
        return _scene(self._pairs[index].colour)


def _scene(path: str) -> str:
    """`basement_0001a/rgb_00000.jpg` -> `basement_0001`: parts a, b, c of a recording show one room."""
    folder = path.rpartition("/")[0]
    return re.sub(r"(_\d{4})(?:[a-z]|_\d{2})?(_out)?$", r"\1", folder) or path


def _open_mat(path: Path) -> tuple[int, tuple[int, int], tuple[str, ...], list[str]]:
    """(number of frames, their size, class names, scenes)."""
    if not path.is_file():
        raise DataError("file not found", where=path, hint="name nyu_depth_v2_labeled.mat")
    try:
        import h5py

        with h5py.File(path, "r") as file:
            required = ("images", "depths", "labels", "names", "scenes")
            absent = [name for name in required if name not in file]
            if absent:
                raise DataError(f"the file has no {' and no '.join(absent)}", where=path, hint=_MAT_HINT)
            shape = file["images"].shape
            frames = [file[name].shape[:1] + file[name].shape[-2:] for name in ("images", "depths", "labels")]
            if len(shape) != 4 or shape[1] != 3 or len(set(frames)) > 1:
                what = f"images, depths and labels do not fit: {', '.join(str(of) for of in frames)}"
                raise DataError(what, where=path, hint=_MAT_HINT)
            names, scenes = _texts(file, "names"), _texts(file, "scenes")
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"cannot be read: {error}", where=path, hint=_MAT_HINT) from error
    if len(scenes) != shape[0]:
        raise DataError(f"{len(scenes)} scenes for {shape[0]} images", where=path, hint=_MAT_HINT)
    return int(shape[0]), (int(shape[3]), int(shape[2])), tuple(names), scenes


def _texts(file: Any, name: str) -> list[str]:
    """The strings of a cell array: references to rows of character codes."""
    return ["".join(map(chr, np.asarray(file[one]).ravel().tolist())) for one in np.asarray(file[name]).ravel()]


def _official(path: Path, part: str, num: int) -> list[int]:
    if part not in ("train", "test"):
        raise DataError(f"NYUv2 has no part `{part}`", where=path, choices=("train", "test", "all"))
    (numbers,) = read_mat(path, [f"{part}Ndxs"], "download the official split")
    indices = numbers.ravel().astype(int) - 1
    if not len(indices) or indices.min() < 0 or indices.max() >= num:
        raise DataError(f"{part}Ndxs does not number the file's {num} frames from 1", where=path)
    return sorted(indices.tolist())
