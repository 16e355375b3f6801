"""SUN RGB-D: 10,335 RGB-D images of four sensors, with their rooms' kinds.

The layout: SENSOR/.../SCENE/{image/*.jpg, depth/*.png, depth_bfx/*.png, scene.txt} below SUNRGBD (sensors kv1, kv2,
realsense, xtion); the official parts in SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat, as folders of its makers'
machine. Depth is in millimetres with its lowest three bits moved to the top; beyond 8 m it counts as 8 m.
"""

import os
from pathlib import Path

import numpy as np

from gensight.errors import DataError
from gensight.readers.base import Reader
from gensight.readers.rgbd.depth_pngs import DepthPair, pair_sample
from gensight.readers.shared.listings import MISSING_HINT, Missing, folder_names, read_text, require_folder
from gensight.readers.shared.mat_files import read_mat
from gensight.samples import Sample

SENSORS = ("kv1", "kv2", "realsense", "xtion")
FARTHEST = 8.0  # metres, as the toolbox reads them
_NYU = "kv1/NYUdata/"
_DEPTH = "depth_bfx"  # with holes filled
_SPLIT = "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"
_VARIABLES = {"train": "alltrain", "test": "alltest"}


class SunRgbdReader(Reader):
    """The images of one part but NYUv2's: colour, metric depth (holes filled), and the kind of room as `Sample.label`.

    Keys are paths of the colour images without suffix, from `SUNRGBD`. Groups are the folders that recordings of one
    place lie in.

    Args:
        root: The folder that holds `SUNRGBD` (or the sensors' folders themselves), and SUNRGBDtoolbox for its parts.
        part: `train` or `test` of allsplit.mat, or `all`.
        missing: Refuse (`error`) scenes whose files are not there, or leave out and count (`drop`).

    Raises:
        DataError: Naming the file or folder that is wrong.
    """

    name = "sunrgbd"

    def __init__(self, root: str | Path, part: str = "test", *, missing: Missing = "error") -> None:
        self.root = Path(root)
        require_folder(self.root, "folder")
        self._base = self.root / "SUNRGBD" if (self.root / "SUNRGBD").is_dir() else self.root
        self.dropped: dict[str, int] = {}
        pairs = self._find_pairs(part, missing)
        kept = [pair for pair in pairs if _NYU not in pair.colour]
        if len(kept) < len(pairs):
            self.dropped["part of NYUv2"] = len(pairs) - len(kept)
        if not kept:
            raise DataError(
                f"the part `{part}` has no image", where=self.root, hint="all are NYUv2's, or none is there"
            )
        self._pairs = kept

    def _find_pairs(self, part: str, missing: Missing) -> list[DepthPair]:
        folders = self._folders(part)
        pairs = []
        for folder in folders:
            colour = _only_file(self._base / folder / "image")
            depth = _only_file(self._base / folder / _DEPTH)
            if colour and depth:
                pairs.append(DepthPair(f"{folder}/image/{colour}", f"{folder}/{_DEPTH}/{depth}"))
            elif missing == "error":
                hint = MISSING_HINT
                raise DataError("a scene without its images", where=self._base / folder, hint=hint)
            else:
                self.dropped["files missing"] = self.dropped.get("files missing", 0) + 1
        return pairs

    def _folders(self, part: str) -> list[str]:
        """Scene folders, from the sensors' folder."""
        if part == "all":
            found = []
            for sensor in SENSORS:
                for folder, names, _ in os.walk(self._base / sensor):
                    if "image" in names:
                        found.append(Path(folder).relative_to(self._base).as_posix())
                        names.clear()
            return sorted(found)
        if part not in _VARIABLES:
            raise DataError(f"SUN RGB-D has no part `{part}`", where=self.root, choices=("train", "test", "all"))
        path = self.root / _SPLIT
        (cells,) = read_mat(path, [_VARIABLES[part]], "download the toolbox, which holds the official split")
        entries = [str(np.asarray(cell).ravel()[0]) for cell in cells.ravel()]
        folders = [entry.partition("SUNRGBD/")[2].strip("/") for entry in entries]
        if not all(folders):
            raise DataError(f"`{entries[folders.index('')]}` lies in no folder SUNRGBD", where=path)
        return folders

    def __len__(self) -> int:
        return len(self._pairs)

    def sample(self, index: int) -> Sample:
        pair = self._pairs[index]
        scene = self._base / _scene(pair) / "scene.txt"
        label = read_text(scene).strip().replace("_", " ") if scene.is_file() else None
        return pair_sample(self._base, pair, self.group(index), label or None, rotated=True, farthest=FARTHEST)

    def group(self, index: int) -> str:
        """The folder of a SUN3D recording (`.../home_ac/home_ac_scan1/0000123-...`), else the scene's own."""
        scene = _scene(self._pairs[index])
        return scene.rpartition("/")[0] if "/sun3ddata/" in scene else scene


def _scene(pair: DepthPair) -> str:
    return pair.colour.rpartition("/image/")[0]


def _only_file(folder: Path) -> str | None:
    names = folder_names(folder)
    return names[0] if names else None
