"""BBC Pose: sign-language interpreters of twenty broadcasts, with seven joints of the upper body.

The layout (Charles et al., "Automatic and Efficient Human Pose Estimation for Sign Language Videos", IJCV 2014):
folders 1 to 20 of frames `NUMBER.jpg`; code/bbcpose.mat, a struct array whose entry for a folder has `train_frames`
(1, n) and `train_joints` (2, 7, n), and `test_frames` and `test_joints` where people marked joints; code/results.mat,
one struct of the test frames' joints `gt` (2, 7, n), then their frame numbers and their folders, (1, n) each. MATLAB
counts pixels from 1, so 0.5 is taken off each coordinate. Nothing in these files is run.

Another broadcast data set needs its own reader: the crops below are this one's protocol.
"""

from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from gensight.errors import DataError
from gensight.files.images import image_size
from gensight.readers.base import Reader
from gensight.readers.shared.listings import image_sample
from gensight.readers.shared.mat_files import read_mat
from gensight.samples import Array, Instance, Keypoints, Sample, Size, Visibility
from gensight.skeletons import Skeleton

BBC_7 = Skeleton(
    "bbc-7",
    ("head", "right_wrist", "left_wrist", "right_elbow", "left_elbow", "right_shoulder", "left_shoulder"),
    ((1, 3), (3, 5), (2, 4), (4, 6), (5, 6), (0, 5), (0, 6)),
)
Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
Crop = Literal["training", "evaluation"]
VIDEOS: dict[Part, range] = {"train": range(1, 11), "validation": range(11, 16), "test": range(16, 21)}
MARGIN, SIDE = 60.0, 300.0  # px: around the joints' extent; of the evaluation crop
_OFFSET = 0.5  # MATLAB's first pixel is 1, and its centre lies at 0.5 here


class BbcPoseReader(Reader):
    """One part of BBC Pose. A broadcast is a group; keys are `16/120.jpg`.

    The subject's box is the published crop, which is made from the true joints: `training`, their extent and 60 px to
    each side; `evaluation`, 300 x 300 px around the extent's centre; both clipped to the image, and squashed by
    `view.crop=stretched-box`.

    Args:
        root: Folder that holds 1 ... 20 and code.
        part: `train` (folders 1-10), `validation` (11-15: the joints that people marked, where there are some) or
            `test` (16-20: those of results.mat).
        crop: Which box.

    Raises:
        DataError: A file is missing or is not laid out as above.
    """

    name = "bbc-pose"
    skeleton = BBC_7

    def __init__(self, root: str | Path, part: Part = "train", crop: Crop = "training") -> None:
        self.root, self.part, self.crop = Path(root), part, crop
        self._frames, self._joints = _test(self.root) if part == "test" else _marked(self.root, part)

    def __len__(self) -> int:
        return len(self._frames)

    def sample(self, index: int) -> Sample:
        video, number = self._frames[index]
        path = self.root / str(video) / f"{number}.jpg"
        size, points = image_size(path), self._joints[index] - _OFFSET
        keypoints = Keypoints(
            BBC_7, points, np.full(len(points), Visibility.VISIBLE, np.int8), np.ones(len(points), np.float32)
        )
        subject = Instance("person", crop_box(points, size, self.crop), keypoints)
        return image_sample(f"{video}/{number}.jpg", path, size, instances=(subject,), group=str(video))

    def group(self, index: int) -> str:
        return str(self._frames[index][0])


def crop_box(points: Array, size: Size, crop: Crop) -> Array:
    """float64 (4,): the published crop around joints (7, 2), clipped to an image of `size` (height, width)."""
    low, high = points.min(0), points.max(0)
    if crop == "training":
        low, high = low - MARGIN, high + MARGIN
    else:
        centre = (low + high) / 2
        low, high = centre - SIDE / 2, centre + SIDE / 2
    edge = np.array(size[::-1], dtype=np.float64)
    return np.concatenate([np.clip(low, 0, edge), np.clip(high, 0, edge)])


def _marked(root: Path, part: Part) -> tuple[list[tuple[int, int]], Array]:
    """Frames (video, number) and joints (n, 7, 2) of a part of bbcpose.mat."""
    path = root / "code" / "bbcpose.mat"
    entries = _read(path, "bbcpose")
    frames: list[tuple[int, int]] = []
    joints = []
    for video in VIDEOS[part]:
        if video > len(entries):
            raise DataError(f"it has {len(entries)} broadcasts, and this one is number {video}", where=path)
        entry, prefix = entries[video - 1], "train"
        if part == "validation" and _field(entry, "test_frames", path).size:
            prefix = "test"
        numbers = _field(entry, f"{prefix}_frames", path).ravel().astype(int)
        frames += [(video, int(number)) for number in numbers]
        joints.append(_joints(_field(entry, f"{prefix}_joints", path), len(numbers), f"{path}: {video}"))
    if not frames:
        raise DataError(f"no frame of the {part} part is labelled", where=path)
    return frames, np.concatenate(joints)


def _test(root: Path) -> tuple[list[tuple[int, int]], Array]:
    path = root / "code" / "results.mat"
    struct = _read(path, "results")[0]
    names = struct.dtype.names
    if names is None or "gt" not in names or len(names) < 3:
        raise DataError("`results` is no struct of gt, frames and folders", where=path, choices=names or ())
    numbers, videos = (np.asarray(struct[name]).ravel().astype(int) for name in [n for n in names if n != "gt"][:2])
    if len(numbers) != len(videos):
        raise DataError(f"{len(numbers)} frames, but {len(videos)} folders", where=path)
    joints = _joints(np.asarray(struct["gt"]), len(numbers), str(path))
    return [(int(v), int(n)) for v, n in zip(videos, numbers, strict=True)], joints


def _joints(values: Array, count: int, where: str) -> Array:
    """(2, 7, n) as the files have it -> float64 (n, 7, 2)."""
    if count == 0:
        return np.zeros((0, len(BBC_7), 2))
    # MATLAB drops the last axis where it has one entry.
    values = values.reshape(*values.shape[:2], -1) if values.ndim < 3 else values
    if values.shape != (2, len(BBC_7), count):
        raise DataError(f"joints of shape {values.shape} for {count} frames", where=where, hint="(2, 7, frames)")
    return np.asarray(values, dtype=np.float64).transpose(2, 1, 0)


def _field(entry: Any, name: str, path: Path) -> Array:
    names = entry.dtype.names or ()
    if name not in names:
        raise DataError(f"a broadcast has no `{name}`", where=path, choices=names)
    return np.asarray(entry[name])


def _read(path: Path, name: str) -> Array:
    (values,) = read_mat(path, [name], "unpack bbcpose_extbbcpose_code_1.0.tgz beside the folders 1 ... 20")
    return values.ravel()
