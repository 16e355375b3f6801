"""The keypoints that a recipe names: chosen of the labels' own, or names for those that the labels leave without."""

from collections.abc import Sequence
from dataclasses import replace

from gensight.errors import DataError, did_you_mean
from gensight.readers.base import Reader, WrappedReader
from gensight.readers.shared.checking import Summary
from gensight.samples import Instance, Keypoints, Sample
from gensight.skeletons import Skeleton, is_nameless, mirror_by_name

KEY = "data.keypoints"


class NamedKeypointsReader(WrappedReader):
    """Another reader's samples with keypoints of these names.

    Names that the labels have choose keypoints, in this order. Where the labels have none (`keypoint_1` ...), there is
    a name for each, in their order; left-right partners then follow from the names, unless the labels state some.

    Attributes:
        whole: All keypoints of the labels, under the names that are in use.

    Args:
        reader: Its skeleton is not None.
        names: Of the keypoints.

    Raises:
        DataError: A name that the labels don't have, or another number of names than of nameless keypoints.
    """

    def __init__(self, reader: Reader, names: Sequence[str]) -> None:
        super().__init__(reader)
        if reader.skeleton is None:
            raise DataError("the labels have no keypoints", where=KEY, hint="leave it out")
        self._own, names = reader.skeleton.keypoints, tuple(names)
        self.whole = _named(reader.skeleton, names)
        self._order = [self.whole.keypoints.index(name) for name in names]
        self.skeleton = self._skeleton = chosen_keypoints(self.whole, names)

    def sample(self, index: int) -> Sample:
        sample = self.reader.sample(index)
        if sample.instances is None:
            return sample
        return replace(sample, instances=tuple(map(self._instance, sample.instances)))

    def _instance(self, instance: Instance) -> Instance:
        old = instance.keypoints
        if old is None or old.skeleton.keypoints != self._own:
            return instance
        taken = (values[self._order] for values in (old.points, old.visibility, old.confidence))
        return replace(instance, keypoints=Keypoints(self._skeleton, *taken))

    def check(self) -> Summary:
        return Reader.check(self)


def chosen_keypoints(skeleton: Skeleton, names: Sequence[str]) -> Skeleton:
    """Some of a skeleton's keypoints, in this order."""
    order = [skeleton.keypoints.index(name) for name in names]
    places = {old: new for new, old in enumerate(order)}
    return Skeleton(
        skeleton.name,
        tuple(names),
        tuple((places[a], places[b]) for a, b in skeleton.edges if a in places and b in places),
        tuple(places.get(skeleton.mirror[old], new) for new, old in enumerate(order)),
        None if skeleton.sigmas is None else tuple(skeleton.sigmas[old] for old in order),
    )


def _named(skeleton: Skeleton, names: tuple[str, ...]) -> Skeleton:
    """All of a skeleton's keypoints, under the names given to them if they have none."""
    known = skeleton.keypoints
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"`{twice}` stands there twice", where=KEY, hint="name each keypoint once")
    if set(names) <= set(known):
        return skeleton
    if not is_nameless(known):
        wrong = next(name for name in names if name not in known)
        hint = did_you_mean(wrong, known)
        raise DataError(f"the labels have no keypoint `{wrong}`", where=KEY, choices=known, hint=hint)
    if len(names) != len(known):
        what = f"{len(names)} names for {len(known)} keypoints, which have none in the labels"
        raise DataError(what, where=KEY, hint="give a name for each, in the labels' order")
    stated = any(partner != index for index, partner in enumerate(skeleton.mirror))
    return replace(skeleton, keypoints=names, mirror=skeleton.mirror if stated else mirror_by_name(names))
