"""Pairs of samples of a group: frames of a video, a range of frames apart."""

from collections.abc import Iterable, Mapping, Sequence

from gensight.errors import ConfigError, DataError

Range = tuple[int, int]


def frame_range(distance: Range) -> Range:
    """Fewest and most frames between two images. ConfigError where they are no range."""
    if not 1 <= distance[0] <= distance[1]:
        raise ConfigError(f"distance={distance} is not a range of frames", hint="give the fewest, then the most")
    return distance[0], distance[1]


def members_by_group(groups: Sequence[str], indices: Iterable[int]) -> dict[str, list[int]]:
    """Group -> its samples among `indices`, in order."""
    members: dict[str, list[int]] = {}
    for index in indices:
        members.setdefault(groups[index], []).append(index)
    return members


def partners(place: int, length: int, distance: Range) -> list[int]:
    """The places of a group of this length that lie a distance (fewest, most) before or after `place`."""
    low, high = distance
    before = range(max(0, place - high), place - low + 1)
    after = range(place + low, min(length - 1, place + high) + 1)
    return [*before, *after]


def short_groups(members: Mapping[str, Sequence[int]], distance: Range) -> DataError:
    """The error that no group is long enough for the distance."""
    longest = max(members, key=lambda group: len(members[group]))
    return DataError(
        f"no two images of one group are {distance[0]} to {distance[1]} frames apart",
        where=f"the longest group is `{longest}`: {len(members[longest])} images",
        hint="set encoding.distance to what the groups allow, or take data with longer videos "
        "(puppets: data.num_frames)",
    )
