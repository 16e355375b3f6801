"""Folders of images, one folder per class: ImageNet's layout and that of many classification data sets.

    ROOT/train/CLASS/*.jpg, ROOT/val/CLASS/*.jpg       or ROOT/CLASS/*.jpg (part="")

Class names are the folders' names, unless a file in ROOT maps them to words: `LOC_synset_mapping.txt` or `words.txt`,
with rows of a folder's name and its synonyms (`n01440764 tench, Tinca tinca`).
"""

from pathlib import Path

from gensight.errors import DataError
from gensight.files.images import IMAGE_SUFFIXES
from gensight.readers.base import Reader
from gensight.readers.shared.listings import folder_names, image_sample, read_text, require_folder
from gensight.samples import Sample

MEANINGS = ("LOC_synset_mapping.txt", "words.txt")


class ImageFoldersReader(Reader):
    """Images with the class of their folder as `Sample.label`.

    Keys are paths relative to the part (`n01440764/a.JPEG`). `labels` are the classes in the order of the folders'
    names; `synonyms` has each class's other names.

    Args:
        root: The folder.
        part: Folder of the part below it (`train`, `val`); empty: the class folders lie in `root`.

    Raises:
        DataError: There is no such folder, no class in it, or two folders mean the same class.
    """

    name = "image-folders"

    def __init__(self, root: str | Path, part: str = "train") -> None:
        self.root = Path(root)
        self._part = self.root / part
        require_folder(self._part, "folder", "name the folder of the part, or an empty one where classes lie in root")
        meanings = _meanings(self.root)
        folders = [name for name in folder_names(self._part) if (self._part / name).is_dir()]
        names = {folder: meanings.get(folder, (folder.replace("_", " "),)) for folder in folders}
        self._keys: list[tuple[str, str]] = []
        for folder in folders:
            for path in sorted(map(Path, folder_names(self._part / folder))):
                if path.suffix.lower() in IMAGE_SUFFIXES and (self._part / folder / path).is_file():
                    self._keys.append((f"{folder}/{path}", names[folder][0]))
        if not self._keys:
            hint = "images lie in one folder per class"
            raise DataError("no class folder holds an image", where=self._part, hint=hint)
        self.labels = tuple(of[0] for of in names.values())
        if len(set(self.labels)) < len(self.labels):
            twice = next(name for name in self.labels if self.labels.count(name) > 1)
            raise DataError(
                f"two folders mean `{twice}`", where=self.root, hint="merge them, or give them different names"
            )
        self.synonyms = {of[0]: of[1:] for of in names.values() if len(of) > 1}

    def __len__(self) -> int:
        return len(self._keys)

    def sample(self, index: int) -> Sample:
        key, label = self._keys[index]
        return image_sample(key, self._part / key, label=label)

    def group(self, index: int) -> str:
        return self._keys[index][0]


def _meanings(root: Path) -> dict[str, tuple[str, ...]]:
    """Folder -> names of its class, the usual one first; {} without such a file."""
    path = next((root / name for name in MEANINGS if (root / name).is_file()), None)
    if path is None:
        return {}
    found = {}
    for line in read_text(path).splitlines():
        folder, _, names = line.strip().replace("\t", " ").partition(" ")
        words = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
        if words:
            found[folder] = words
    return found
