"""Random triplets of a data set: an anchor, another image of its group, and an image of something else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gensight.encodings.pairs.frame_pairs import Range, members_by_group, partners, short_groups
from gensight.errors import DataError
from gensight.readers.base import Reader
from gensight.samples import Instance, Sample, Size

Region = Literal["image", "box", "mask"]
VARIANT_OF = "variant_of"  # name in `Sample.extras`: the key of the sample that this one is an altered copy of


@dataclass(frozen=True)
class Place:
    """A sample, and a subject in it; `instance` is None for the whole image."""

    sample: int
    instance: int | None = None


Triplet = tuple[Place, Place, Place]


@dataclass(frozen=True)
class _Seen:
    """A subject in one image: its place, name and category; the image's key and size."""

    place: Place
    name: str
    category: str
    key: str
    size: Size


def subject_names(sample: Sample, region: Region) -> dict[str, int]:
    """Name -> index of the subjects that can be found again: by identity, or as the only one of their category."""
    instances = sample.instances or ()
    usable = [number for number, one in enumerate(instances) if _usable(one, region)]
    names: dict[str, int] = {}
    for number in usable:
        one = instances[number]
        if one.identity is not None:
            names[f"identity {one.identity}"] = number
        elif sum(instances[other].category == one.category for other in usable) == 1:
            names[f"the only {one.category}"] = number
    return names


def _usable(instance: Instance, region: Region) -> bool:
    if instance.is_crowd or (instance.box is None and region == "box") or (instance.mask is None and region == "mask"):
        return False
    return instance.box is None or bool((instance.box[2:] - instance.box[:2] >= 1).all())


def draw_triplets(reader: Reader, region: Region, variants: bool, distance: Range, seed: int) -> list[Triplet]:
    """One triplet per subject (or whole image) that has a partner and a negative, in the order of the anchors.

    Args:
        reader: Samples are read, their pixels are not.
        region: What is compared.
        variants: Whether negatives are the anchors' altered copies; else they are of other groups.
        distance: Fewest and most frames between anchor and positive, within the group.
        seed: Seeds the choice of positives and negatives.

    Raises:
        DataError: If there is none; the message states what the data set lacks.
    """
    seen, copies = _survey(reader, region)
    members = members_by_group(reader.groups, sorted(seen))
    if not members:
        raise DataError(
            f"no subject of this data set has a {region}",
            where=f"{reader.name}: {len(reader)} samples",
            hint="set encoding.region=image, or take data with these labels",
        )
    rng = np.random.default_rng(seed)
    negatives = _Copies(copies, rng) if variants else _Strangers(members, seen, rng)
    triplets: list[Triplet] = []
    paired = False
    for group, indices in members.items():
        for place, index in enumerate(indices):
            near = [seen[indices[other]] for other in partners(place, len(indices), distance)]
            for one in seen[index].values():
                there = [shown[one.name].place for shown in near if one.name in shown]
                paired |= bool(there)
                negative = negatives.of(one, group) if there else None
                if negative is not None:
                    triplets.append((one.place, there[int(rng.integers(len(there)))], negative))
    if not triplets:
        raise _lack(members, distance, paired, variants, region)
    return sorted(triplets, key=lambda triplet: (triplet[0].sample, triplet[0].instance or 0))


def _lack(
    members: Mapping[str, Sequence[int]], distance: Range, paired: bool, variants: bool, region: Region
) -> DataError:
    """The error that states why there is no triplet."""
    lengths = [len(indices) for indices in members.values()]
    if not any(partners(place, length, distance) for length in lengths for place in range(length)):
        return short_groups(members, distance)
    if not paired:
        return DataError(
            f"no subject with a {region} is found again in another image of its group",
            hint="take data that names individuals, as puppets and davis do, or set encoding.region=image",
        )
    if variants:
        return DataError(
            "no image of this data set is a variant of another",
            hint="make variants with `gensight annotate`, or set encoding.negative=other-group",
        )
    return DataError(
        "all images belong to one group, so nothing is known to look different",
        where=f"the group is `{next(iter(members))}`",
        hint="take several videos or scenes, or set encoding.negative=variant",
    )


Shown = dict[str, _Seen]


def _survey(reader: Reader, region: Region) -> tuple[dict[int, Shown], dict[str, list[tuple[int, Size, Shown]]]]:
    """What each sample shows, by name; and the variants of samples: key -> (index, size, what it shows) of each."""
    seen: dict[int, Shown] = {}
    copies: dict[str, list[tuple[int, Size, Shown]]] = {}
    for index, sample in enumerate(reader):
        shown = _shown(sample, index, region)
        original = sample.extras.get(VARIANT_OF)
        if original is not None:
            copies.setdefault(str(original), []).append((index, sample.size, shown))
        elif shown:
            seen[index] = shown
    return seen, copies


def _shown(sample: Sample, index: int, region: Region) -> Shown:
    if region == "image":
        return {"": _Seen(Place(index), "", "", sample.key, sample.size)}
    instances = sample.instances or ()
    return {
        name: _Seen(Place(index, number), name, instances[number].category, sample.key, sample.size)
        for name, number in subject_names(sample, region).items()
    }


class _Copies:
    """Negatives that are altered copies of their anchors."""

    def __init__(self, copies: Mapping[str, list[tuple[int, Size, Shown]]], rng: np.random.Generator) -> None:
        self.copies, self.rng = copies, rng

    def of(self, one: _Seen, group: str) -> Place | None:
        """A copy of the image. One without labels shows its subject where the anchor does, if their sizes agree."""
        places = []
        for index, size, shown in self.copies.get(one.key, []):
            if one.name in shown:
                places.append(shown[one.name].place)
            elif not shown and size == one.size:
                places.append(Place(index))
        return places[int(self.rng.integers(len(places)))] if places else None


class _Strangers:
    """Negatives of other groups: of the anchor's category wherever another group has one."""

    def __init__(
        self, members: Mapping[str, Sequence[int]], seen: Mapping[int, Shown], rng: np.random.Generator
    ) -> None:
        self.rng = rng
        self.places: dict[str | None, dict[str, list[Place]]] = {}
        for group, indices in members.items():
            for one in (one for index in indices for one in seen[index].values()):
                for kind in (one.category, None):
                    self.places.setdefault(kind, {}).setdefault(group, []).append(one.place)
        self.groups = {kind: list(by_group) for kind, by_group in self.places.items()}
        self.order = {kind: {group: n for n, group in enumerate(groups)} for kind, groups in self.groups.items()}

    def of(self, one: _Seen, group: str) -> Place | None:
        """A subject of another group, each group as likely as any other."""
        kind = one.category if len(self.groups[one.category]) > 1 else None
        groups = self.groups[kind]
        if len(groups) < 2:
            return None
        number = int(self.rng.integers(len(groups) - 1))
        number += number >= self.order[kind][group]
        places = self.places[kind][groups[number]]
        return places[int(self.rng.integers(len(places)))]
