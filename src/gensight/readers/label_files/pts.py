"""Points files of faces (.pts) with any number of points: one beside each image, which it names by its own name.

MATLAB, in which the format was made, counts pixels from 1, so 0.5 is taken off.
"""

from collections.abc import Sequence
from pathlib import Path

from gensight.errors import DataError
from gensight.files.images import IMAGE_SUFFIXES
from gensight.readers.label_files.records import LabelledImage, LabelledSubject, LabelSet
from gensight.readers.shared.listings import numbers, read_text
from gensight.samples import Visibility
from gensight.skeletons import numbered_names

OFFSET = -0.5


def pts_numbers(path: Path) -> list[str]:
    """The words between a file's braces. Raises DataError where there are none."""
    text = read_text(path)
    opened, closed = text.find("{"), text.rfind("}")
    if opened < 0 or closed < opened:
        raise DataError("no points file: its points stand in braces", where=path, hint="was the file cut short?")
    return text[opened + 1 : closed].split()


def pts_image(path: Path) -> Path:
    """The image of a points file: that of its name beside it."""
    images = (path.with_suffix(suffix) for suffix in (*sorted(IMAGE_SUFFIXES), *map(str.upper, sorted(IMAGE_SUFFIXES))))
    return next((image for image in images if image.is_file()), path.with_suffix(".png"))


def is_pts(path: Path) -> bool:
    """Whether a file's points stand in braces."""
    try:
        return len(pts_numbers(path)) >= 2
    except DataError:
        return False


def read_pts(root: Path, files: Sequence[Path]) -> LabelSet:
    """All files, which must have as many points as each other."""
    images = []
    count = len(pts_numbers(files[0]))
    names = numbered_names(count // 2)
    for path in files:
        values = numbers(
            " ".join(pts_numbers(path)), 2 * len(names), path, f"{len(names)} points, as {files[0].name} has"
        )
        points = {
            name: (x + OFFSET, y + OFFSET, int(Visibility.VISIBLE))
            for name, x, y in zip(names, values[::2], values[1::2], strict=True)
        }
        image = pts_image(path).relative_to(root).as_posix()
        images.append(LabelledImage(image, path, (LabelledSubject("face", points, where=str(path)),)))
    return LabelSet(images, names)
