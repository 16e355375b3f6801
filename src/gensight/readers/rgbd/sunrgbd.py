"""SUN RGB-D: 10,335 RGB-D images of four sensors, with their rooms' kinds.

The layout: SENSOR/.../SCENE/{image/*.jpg, depth/*.png, depth_bfx/*.png, scene.txt} below SUNRGBD (sensors kv1, kv2,
realsense, xtion); the official parts in SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat, as folders of its makers'
machine. Depth is in millimetres with its lowest three bits moved to the top; beyond 8 m it counts as 8 m.
"""

import os
from pathlib import Path
from typing import Literal

import numpy as np

from gensight.errors import DataError
from gensight.readers.base import Reader, Summary
from gensight.readers.rgbd.depth_pngs import DepthPair, DepthPng, pair_sample, read_pairs
from gensight.readers.rgbd.nyu import read_mat
from gensight.readers.shared.checking import check_samples
from gensight.readers.shared.listings import MISSING_HINT, Missing, folder_names, read_text, require_folder
from gensight.samples import Sample

SENSORS = ("kv1", "kv2", "realsense", "xtion")
FARTHEST = 8.0  # metres, as the toolbox reads them
_NYU = "kv1/NYUdata/"
_SPLIT = "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"
_VARIABLES = {"train": "alltrain", "test": "alltest"}


class SunRgbdReader(Reader):
    """The images of one part: colour, metric depth, and the kind of room as `Sample.label`.

    Keys are paths of the colour images without suffix, from `SUNRGBD`. Groups are the folders that recordings of one
    place lie in.

    Args:
        root: The folder that holds `SUNRGBD` (or the sensors' folders themselves), and SUNRGBDtoolbox for its parts.
        part: `train` or `test` of allsplit.mat, `all`, or the path of a text list of pairs (colour, depth), from root.
        without_nyu: Leave out the images that are NYUv2's, as those do who train on NYUv2.
        depth: `filled` (depth_bfx) or `raw` (depth).
        missing: What to do with scenes whose files are not there: refuse (`error`), or leave out and count (`drop`).

    Raises:
        DataError: Naming the file or folder that is wrong.
    """

    name = "sunrgbd"

    def __init__(
        self,
        root: str | Path,
        part: str = "test",
        without_nyu: bool = True,
        depth: Literal["filled", "raw"] = "filled",
        *,
        missing: Missing = "error",
    ) -> None:
        self.root = Path(root)
        require_folder(self.root, "folder")
        self._base = self.root / "SUNRGBD" if (self.root / "SUNRGBD").is_dir() else self.root
        self.dropped: dict[str, int] = {}
        self._depth_folder = "depth_bfx" if depth == "filled" else "depth"
        pairs = self._listed(part, missing) if part.endswith(".txt") else self._official(part, missing)
        kept = [pair for pair in pairs if not (without_nyu and _NYU in f"{pair.colour}")]
        if len(kept) < len(pairs):
            self.dropped["part of NYUv2"] = len(pairs) - len(kept)
        if not kept:
            raise DataError(
                f"the part `{part}` has no image", where=self.root, hint="all are NYUv2's, or none is there"
            )
        self._pairs = kept

    def _listed(self, part: str, missing: Missing) -> list[DepthPair]:
        """Pairs of a text list; its paths may begin with SUNRGBD/."""
        path = self.root / part
        root = self.root if self._base == self.root or _begins(path, "SUNRGBD/") else self._base
        pairs, dropped = read_pairs(path, root, missing)
        self.dropped |= dropped
        prefix = "" if root == self._base else "SUNRGBD/"
        return [DepthPair(pair.colour.removeprefix(prefix), pair.depth.removeprefix(prefix)) for pair in pairs]

    def _official(self, part: str, missing: Missing) -> list[DepthPair]:
        folders = self._folders(part)
        pairs = []
        for folder in folders:
            colour = _only_file(self._base / folder / "image")
            depth = _only_file(self._base / folder / self._depth_folder)
            if colour and depth:
                pairs.append(DepthPair(f"{folder}/image/{colour}", f"{folder}/{self._depth_folder}/{depth}"))
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
            hint = "or name a .txt list of pairs"
            raise DataError(
                f"SUN RGB-D has no part `{part}`", where=self.root, choices=("train", "test", "all"), hint=hint
            )
        path = self.root / _SPLIT
        entries = [str(np.asarray(cell).ravel()[0]) for cell in read_mat(path, _VARIABLES[part]).ravel()]
        folders = [entry.partition("SUNRGBD/")[2].strip("/") for entry in entries]
        if not all(folders):
            raise DataError(f"`{entries[folders.index('')]}` lies in no folder SUNRGBD", where=path)
        return folders

    def __len__(self) -> int:
        return len(self._pairs)

    def sample(self, index: int) -> Sample:
        pair = self._pairs[index]
        plain = pair_sample(self._base, pair, _group(pair))
        scene = self._base / _scene(pair) / "scene.txt"
        label = read_text(scene).strip().replace("_", " ") if scene.is_file() else None
        depth = DepthPng(self._base / pair.depth, plain.size, packing="rotated", farthest=FARTHEST)
        return pair_sample(self._base, pair, _group(pair), depth, label=label or None)

    @property
    def groups(self) -> list[str]:
        return [_group(pair) for pair in self._pairs]

    @property
    def folder(self) -> Path:
        return self.root

    def check(self) -> Summary:
        return check_samples(self.sample, len(self), dropped=self.dropped)


def _scene(pair: DepthPair) -> str:
    return pair.colour.rpartition("/image/")[0]


def _group(pair: DepthPair) -> str:
    """The folder of a SUN3D recording (`.../home_ac/home_ac_scan1/0000123-...`), else the scene's own."""
    scene = _scene(pair)
    return scene.rpartition("/")[0] if "/sun3ddata/" in scene else scene


def _only_file(folder: Path) -> str | None:
    names = folder_names(folder)
    return names[0] if names else None


def _begins(path: Path, start: str) -> bool:
    return path.is_file() and read_text(path).lstrip("/\\\n ").startswith(start)
