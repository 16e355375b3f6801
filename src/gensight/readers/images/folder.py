"""Plain folder: images without labels."""

from pathlib import Path

from gensight.errors import DataError
from gensight.files.images import IMAGE_SUFFIXES
from gensight.readers.base import Reader
from gensight.readers.shared.listings import image_sample, require_folder
from gensight.samples import Sample


class FolderReader(Reader):
    """Every image below a folder, sorted by path. Keys are paths relative to it; hidden files are left out.

    Args:
        root: The folder.

    Raises:
        DataError: The folder is missing, or holds no image.
    """

    name = "folder"

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        require_folder(self.root, "folder")
        relative = (
            path.relative_to(self.root) for path in self.root.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES
        )
        visible = (path for path in relative if not any(part.startswith(".") for part in path.parts))
        self._keys = sorted(path.as_posix() for path in visible)
        if not self._keys:
            hint = "name the folder that the images lie in"
            raise DataError("the folder holds no images", where=self.root, choices=sorted(IMAGE_SUFFIXES), hint=hint)

    def __len__(self) -> int:
        return len(self._keys)

    def sample(self, index: int) -> Sample:
        return image_sample(self._keys[index], self.root / self._keys[index])

    def group(self, index: int) -> str:
        return self._keys[index]
