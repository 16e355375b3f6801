"""Plain folder: images without labels."""

from functools import partial
from pathlib import Path

from gensight.errors import DataError
from gensight.files.images import IMAGE_SUFFIXES, image_size, page_seconds
from gensight.files.videos import frame_key, read_frame
from gensight.readers.base import Reader
from gensight.readers.shared.listings import image_files, image_sample, require_folder
from gensight.samples import Sample


class FolderReader(Reader):
    """Every image below a folder, sorted by path. Keys are paths relative to it; hidden files are left out.

    Only regular files count. Where all pages of a TIFF or GIF are to be read (`ImageRules`), each is a sample.

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
        self._pages: dict[str, int] = {}  # of keys that are no file's name
        for name in sorted(path.relative_to(self.root).as_posix() for path in image_files(self.root)):
            count = len(page_seconds(self.root / name))
            keys = [name] if count == 1 else [frame_key(name, page) for page in range(count)]
            self._keys += keys
            self._pages |= {} if count == 1 else {key: page for page, key in enumerate(keys)}
        if not self._keys:
            hint = "name the folder that the images lie in"
            raise DataError("the folder holds no images", where=self.root, choices=sorted(IMAGE_SUFFIXES), hint=hint)

    def __len__(self) -> int:
        return len(self._keys)

    def sample(self, index: int) -> Sample:
        key = self._keys[index]
        if key not in self._pages:
            return image_sample(key, self.root / key)
        name = key.rpartition("#")[0]
        read = partial(read_frame, self.root / name, self._pages[key])
        return Sample(key, image_size(self.root / name), read, group=key)

    def group(self, index: int) -> str:
        return self._keys[index]

    def location(self, index: int) -> tuple[Path, int | None]:
        """A sample's file, and which page of it."""
        key = self._keys[index]
        page = self._pages.get(key)
        return self.root / (key if page is None else key.rpartition("#")[0]), page
