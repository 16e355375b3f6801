"""Image classes for data sets that annotate objects only."""

from dataclasses import replace

from gensight.readers.base import Reader, WrappedReader
from gensight.samples import Sample


class SingleClassReader(WrappedReader):
    """A reader that labels an image with the class of its objects, if all objects are of one class.

    Args:
        reader: Whose labels are unknown; its categories become the labels.
    """

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.labels = reader.categories

    def sample(self, index: int) -> Sample:
        sample = self.reader.sample(index)
        shown = {one.category for one in sample.instances or ()}
        if sample.label is not None or len(shown) != 1:
            return sample
        return replace(sample, label=next(iter(shown)))


def with_labels(reader: Reader) -> Reader:
    """The reader itself if it has labels, or no objects to derive them from; else a `SingleClassReader`."""
    return reader if reader.labels or not _marks_objects(reader) else SingleClassReader(reader)


def _marks_objects(reader: Reader) -> bool:
    """Whether it has several object classes, and images without a class of their own."""
    if len(reader.categories) < 2:
        return False
    return any(sample.instances is not None and sample.label is None for sample in reader)
