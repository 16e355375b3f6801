"""Class maps: the class number of every pixel, and the names of the classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from gensight.errors import DataError
from gensight.samples import Array, Instance, Sample

SEGMENTATION = "segmentation"  # key in `Sample.extras`
BACKGROUND = "background"
IGNORED = 255
UNKNOWN = -1  # in `ClassMap.places_in`


@dataclass(frozen=True, eq=False)
class ClassMap:
    """The class of every pixel of an image; `Sample.extras["segmentation"]` of the readers that know it.

    Attributes:
        source: Returns an integer array (height, width) when called; picklable.
        names: `names[number]` is a pixel's class; `background` is a class like any other.
        ignored: Numbers without a label: no loss, no score.
    """

    source: Callable[[], Array]
    names: tuple[str, ...]
    ignored: tuple[int, ...] = (IGNORED,)

    def __call__(self) -> Array:
        """Integer (height, width). Raises DataError for a number without a meaning."""
        numbers = self.source()
        unknown = np.setdiff1d(np.unique(numbers), [*range(len(self.names)), *self.ignored])
        if len(unknown):
            hint = f"there are {len(self.names)} classes"
            raise DataError(f"a label map holds {unknown[:3].tolist()}, which are no class numbers", hint=hint)
        return numbers

    def places_in(self, names: Sequence[str]) -> Array:
        """int32 (height, width): the place of each pixel's class in `names`, from 1; 0 none of them, -1 ignored."""
        numbers = self()
        table = np.full(int(max(numbers.max(initial=0), len(self.names), *self.ignored, 0)) + 1, UNKNOWN, np.int32)
        for number, name in enumerate(self.names):
            if number not in self.ignored:
                table[number] = names.index(name) + 1 if name in names else 0
        return np.asarray(table[numbers])

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of what is not ignored, in order."""
        return tuple(name for number, name in enumerate(self.names) if number not in self.ignored)


@dataclass(frozen=True, eq=False)
class InstanceClasses:
    """A class map made of instances' masks, later ones on top; crowds, too, are pixels of their class.

    Attributes:
        size: (height, width) of the image.
        instances: Each with a mask.
        names: Class names; `background` must be the first.
    """

    size: tuple[int, int]
    instances: tuple[Instance, ...]
    names: tuple[str, ...] = field(default=(BACKGROUND,))

    def __call__(self) -> Array:
        """int32 (height, width)."""
        numbers = np.zeros(self.size, dtype=np.int32)
        for instance in self.instances:
            if instance.mask is not None and instance.category in self.names:
                numbers[instance.mask()] = self.names.index(instance.category)
        return numbers


def class_map(sample: Sample, categories: Sequence[str] = ()) -> ClassMap | None:
    """A sample's own class map, or one made of its instances' masks; None where neither is known.

    Args:
        sample: Any.
        categories: Class names for one made of masks, without the background; none: those of the instances.
    """
    own = sample.extras.get(SEGMENTATION)
    if isinstance(own, ClassMap):
        return own
    if sample.instances is None or any(one.mask is None for one in sample.instances):
        return None
    if not sample.instances and not categories:
        return None
    found = dict.fromkeys(one.category for one in sample.instances)
    names = (BACKGROUND, *(categories or sorted(found)))
    return ClassMap(InstanceClasses(sample.size, sample.instances, names), names, ())
