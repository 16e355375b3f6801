"""Pairs of a degraded image and the one that it should become: rain, low light, noise.

    ROOT/PART/input/NAME.png, ROOT/PART/target/NAME.png

The folders may have other names (`low`, `high` in LOL; `rain`, `norain`), and parts may be folders of folders
(`test/Rain100H`). Files go together by the order of their names: `rain-001` and `norain-001`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import cast

from gensight.errors import DataError
from gensight.files.images import image_size, read_image
from gensight.readers.base import Reader
from gensight.readers.shared.listings import files_by_stem, image_sample, require_folder
from gensight.samples import Array, Sample

RESTORED = "restored"  # key in `Sample.extras`: task -> returns uint8 RGB (height, width, 3)


def restored_image(sample: Sample, task: str) -> Callable[[], Array] | None:
    """Returns the image that a task should make of a sample; None where it is not known."""
    known = cast("Mapping[str, Callable[[], Array]]", sample.extras.get(RESTORED, {}))
    return known.get(task)


class ImagePairsReader(Reader):
    """Degraded images, with the restored one as `Sample.extras["restored"][task]`.

    Args:
        root: The folder.
        part: Folder of the part below it; empty: the two folders lie in `root`.
        task: What is restored: `derain`, `low-light` or `denoise`.
        folders: Names of the folders of degraded and of restored images.

    Raises:
        DataError: A folder is missing or empty, or an image has no partner of its size.
    """

    name = "image-pairs"

    def __init__(self, root: str | Path, part: str, task: str, folders: tuple[str, str] = ("input", "target")) -> None:
        self._task, self._folder = task, Path(root) / part
        found = []
        for name in folders:
            require_folder(self._folder / name, "folder", "name the two folders with data.folders=[DEGRADED,RESTORED]")
            found.append(files_by_stem(self._folder / name))
        degraded, restored = found
        if not degraded or len(degraded) != len(restored):
            what = f"{len(degraded)} images in {folders[0]} and {len(restored)} in {folders[1]} make no pairs"
            raise DataError(what, where=self._folder, hint="each image needs its partner")
        self._pairs = [  # in the order of their names, which is that of equal ones too
            (f"{folders[0]}/{degraded[one]}", f"{folders[1]}/{restored[other]}")
            for one, other in zip(sorted(degraded), sorted(restored), strict=True)
        ]

    def __len__(self) -> int:
        return len(self._pairs)

    def sample(self, index: int) -> Sample:
        key, partner = self._pairs[index]
        path, size = self._folder / partner, image_size(self._folder / key)
        if image_size(path) != size:
            raise DataError(f"{key} is of {size}, its partner of {image_size(path)}", where=path)
        return image_sample(key, self._folder / key, size, extras={RESTORED: {self._task: partial(read_image, path)}})
