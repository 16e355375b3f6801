"""Plain folder: images without labels."""

from functools import partial
from pathlib import Path

from gensight.errors import DataError
from gensight.files.atomic import readable
from gensight.files.images import IMAGE_SUFFIXES, image_size, page_seconds
from gensight.files.videos.reading import frame_key, read_frame
from gensight.readers.base import Reader
from gensight.readers.shared.listings import image_files, image_sample, require_folder
from gensight.samples import Sample


class FolderReader(Reader):
    """Every image below a folder, sorted by path. Keys are paths relative to it; hidden files are left out.

    Only regular files count; bytes of their names that are no text are written as `\\udcfc` in keys. Where all pages of
    a TIFF or GIF are to be read (`ImageRules`), each is a sample.

    Args:
        root: The folder.

    Raises:
        DataError: The folder is missing, or holds no image.
    """

    name = "folder"

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        require_folder(self.root, "folder")
        self._keys: list[str] = []
        self._files: list[tuple[Path, int | None]] = []
        for name in sorted(path.relative_to(self.root).as_posix() for path in image_files(self.root)):
            path, count = self.root / name, len(page_seconds(self.root / name))
            pages = [None] if count == 1 else range(count)
            self._files += [(path, page) for page in pages]
            self._keys += [readable(name if page is None else frame_key(name, page)) for page in pages]
        if not self._keys:
            hint = "name the folder that the images lie in"
            raise DataError("the folder holds no images", where=self.root, choices=sorted(IMAGE_SUFFIXES), hint=hint)

    def __len__(self) -> int:
        return len(self._keys)

    def sample(self, index: int) -> Sample:
        path, page = self._files[index]
        if page is None:
            return image_sample(self._keys[index], path)
        return Sample(self._keys[index], image_size(path), partial(read_frame, path, page), group=self._keys[index])

    def group(self, index: int) -> str:
        return self._keys[index]

    def location(self, index: int) -> tuple[Path, int | None]:
        """A sample's file, and which page of it."""
        return self._files[index]
