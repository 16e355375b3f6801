"""Plain folder: images without labels."""

from functools import partial
from pathlib import Path

from gensight.errors import DataError
from gensight.files.images import IMAGE_SUFFIXES, image_size, read_image
from gensight.readers.base import Reader, Summary
from gensight.readers.shared.checking import check_samples
from gensight.samples import Sample


class FolderReader(Reader):
    """Every image below a folder, sorted by path. Keys are paths relative to it; hidden files are left out.

    Args:
        root: The folder.
        recursive: Whether folders below it are searched too.

    Raises:
        DataError: The folder is missing, or holds no image.
    """

    name = "folder"

    def __init__(self, root: str | Path, recursive: bool = True) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise DataError("folder not found", where=self.root, hint="check the path")
        found = self.root.rglob("*") if recursive else self.root.iterdir()
        relative = (path.relative_to(self.root) for path in found if path.suffix.lower() in IMAGE_SUFFIXES)
        visible = (path for path in relative if not any(part.startswith(".") for part in path.parts))
        self._keys = sorted(path.as_posix() for path in visible)
        if not self._keys:
            deeper = "" if recursive else ", or look into its folders too (recursive)"
            raise DataError(
                "the folder holds no images", where=self.root, choices=sorted(IMAGE_SUFFIXES),
                hint=f"name the folder that the images lie in{deeper}",
            )  # fmt: skip

    def __len__(self) -> int:
        return len(self._keys)

    def sample(self, index: int) -> Sample:
        path = self.root / self._keys[index]
        return Sample(self._keys[index], image_size(path), partial(read_image, path), path=str(path))

    @property
    def groups(self) -> list[str]:
        return list(self._keys)

    @property
    def folder(self) -> Path:
        return self.root

    def check(self) -> Summary:
        return check_samples(self.sample, len(self))
