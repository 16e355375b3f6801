"""The contract of readers: a lazy, picklable sequence of Samples, from one on-disk format."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, overload

from gensight.readers.shared.checking import Finding, Summary, check_samples
from gensight.samples import Relation, Sample
from gensight.skeletons import Skeleton

if TYPE_CHECKING:
    Samples = Sequence[Sample]
else:
    # Without its parameter at run time: a type checker that runs would read a sample, pixels and all, at each call.
    Samples = Sequence


class Reader(Samples, ABC):
    """A data set on disk, as a sequence of Samples. Subclasses give `__len__`, `sample` and, where fast, `group`.

    Opening validates the label file and counts what it drops; `reader[i]` builds one Sample without touching its
    pixels, and `sample.image()` reads them. Readers are picklable (loader workers get a copy) and convert their
    format's coordinate convention to the project's. Errors are `DataError`s naming file and row.

    Attributes:
        name: The reader's `kind`.
        skeleton: The keypoints that its instances carry, or None.
        categories: Class names of its instances.
        labels: Class names of its images as wholes (`Sample.label`).
        synonyms: Other names of a category or label, as the data set's own files have them.
        dropped: What opening left out, counted by reason.
    """

    name: str = ""
    skeleton: Skeleton | None = None
    categories: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    synonyms: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    dropped: Mapping[str, int] = MappingProxyType({})

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def sample(self, index: int) -> Sample:
        """The sample at a non-negative index below `len(self)`."""

    def group(self, index: int) -> str:
        """The group (video, subject, scene) of a sample, without reading pixels."""
        return self.sample(index).group

    @property
    def groups(self) -> list[str]:
        """Each sample's group."""
        return [self.group(index) for index in range(len(self))]

    @property
    def folder(self) -> Path | None:
        """Root folder on disk, if any."""
        return getattr(self, "root", None)

    def pairs(self) -> Sequence[tuple[int, int]] | None:
        """The image pairs that the data set itself defines, as indices; None where any two of a group are a pair."""
        return None

    def relation(self, first: int, second: int) -> Relation | None:
        """The known correspondences of two samples: the same points in both; None if unknown.

        `tracks` is (2, num_points, 2), NaN where a point is hidden or outside; it may hold no point.
        """
        return None

    def findings(self) -> Iterable[Finding]:
        """What `check` reports besides what it finds in the samples."""
        return ()

    def check(self) -> Summary:
        """Looks at everything (files exist and decode, labels are plausible) and reports without raising."""
        return check_samples(self.sample, len(self), self.findings(), self.dropped)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        if isinstance(index, slice):
            return [self.sample(i) for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self.sample(index % len(self))

    def __iter__(self) -> Iterator[Sample]:
        return (self.sample(index) for index in range(len(self)))


class WrappedReader(Reader):
    """Another reader's samples, chosen or changed; what it knows about them is passed on.

    Args:
        reader: The other reader.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader, self.name, self.skeleton = reader, reader.name, reader.skeleton
        self.categories, self.labels = reader.categories, reader.labels
        self.synonyms, self.dropped = dict(reader.synonyms), dict(reader.dropped)  # an empty proxy cannot be pickled

    def __len__(self) -> int:
        return len(self.reader)

    @property
    def groups(self) -> list[str]:
        return self.reader.groups

    @property
    def folder(self) -> Path | None:
        return self.reader.folder

    def relation(self, first: int, second: int) -> Relation | None:
        return self.reader.relation(first, second)

    def check(self) -> Summary:
        return self.reader.check()
