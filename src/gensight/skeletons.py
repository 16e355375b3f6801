"""Skeletons: which keypoints a subject has, how they are joined, and which of them mirror each other."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from gensight.errors import ConfigError, DataError, did_you_mean


@dataclass(frozen=True)
class Skeleton:
    """The keypoints of one kind of subject.

    Attributes:
        name: For example `coco-17`.
        keypoints: Names, in the order of all arrays of this skeleton (K names).
        edges: Pairs of keypoint indices that are drawn as limbs.
        mirror: For each keypoint the index of its left-right partner; itself where it has none.
        sigmas: OKS fall-off per keypoint (COCO's `sigmas`, not doubled); None where they were not measured.

    Errors:
        DataError: two keypoints share a name, or edges, mirror or sigmas do not fit the keypoints.
    """

    name: str
    keypoints: tuple[str, ...]
    edges: tuple[tuple[int, int], ...] = ()
    mirror: tuple[int, ...] = ()
    sigmas: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not self.mirror:
            object.__setattr__(self, "mirror", mirror_by_name(self.keypoints))
        num = len(self.keypoints)
        twice = sorted({name for name in self.keypoints if self.keypoints.count(name) > 1})
        if twice:
            raise DataError(f"skeleton {self.name} has keypoints of the same name: {', '.join(twice)}")
        if any(not 0 <= end < num for edge in self.edges for end in edge):
            raise DataError(f"skeleton {self.name} has an edge to a keypoint beyond its {num}")
        if sorted(self.mirror) != list(range(num)) or any(self.mirror[m] != i for i, m in enumerate(self.mirror)):
            raise DataError(f"skeleton {self.name} has a mirror that does not pair its {num} keypoints: {self.mirror}")
        if self.sigmas is not None and len(self.sigmas) != num:
            raise DataError(f"skeleton {self.name} has {len(self.sigmas)} sigmas for {num} keypoints")

    def __len__(self) -> int:
        return len(self.keypoints)


def numbered_names(count: int) -> tuple[str, ...]:
    """Of keypoints whose labels give them no names."""
    return tuple(f"{_NAMELESS}{number}" for number in range(1, count + 1))


def is_nameless(names: Sequence[str]) -> bool:
    """Whether the labels gave these keypoints no names."""
    return tuple(names) == numbered_names(len(names))


def mirror_by_name(names: tuple[str, ...]) -> tuple[int, ...]:
    """Left-right partners: names that differ only in their side, see `_other_sides`; itself where there is none."""
    found = [_other_sides(name) for name in names]
    partners = [next((j for j, other in enumerate(names) if other in sides), i) for i, sides in enumerate(found)]
    return tuple(j if partners[j] == i else i for i, j in enumerate(partners))  # only mutual pairs


def mirror_of_pairs(names: tuple[str, ...], pairs: Sequence[tuple[str, str]]) -> tuple[int, ...]:
    """The partners that pairs of names give. Raises ConfigError for unknown names, and names in several pairs."""
    given = [name for pair in pairs for name in pair]
    where = "encoding.mirror_pairs"
    for name in given:
        if name not in names:
            raise ConfigError(f"there is no keypoint `{name}`", where=where, choices=names,
                              hint=did_you_mean(name, names))  # fmt: skip
        if given.count(name) > 1:
            raise ConfigError(f"`{name}` stands there twice, and has one partner at most", where=where)
    other = dict(pairs) | {right: left for left, right in pairs}
    return tuple(names.index(other.get(name, name)) for name in names)


def lone_sides(names: tuple[str, ...], mirror: tuple[int, ...]) -> tuple[str, ...]:
    """Names that look like one side of a pair and have no partner: mirrored images would exchange what they mean.

    A capital L or R (`Lpaw`, `FL`) and a word's end count only where a pair is named so: `Lip`, `upright` are no sides.
    """
    used = {"clear"} | {_other_sides(names[i]).get(names[j], "") for i, j in enumerate(mirror) if i != j}
    return tuple(
        name
        for i, name in enumerate(names)
        if mirror[i] == i and (used & set(_other_sides(name).values()) or _PAIRED.match(name))
    )


def sides_note(skeleton: Skeleton) -> str:
    """What to do about keypoints that look like one side of a pair without a partner; empty where there are none."""
    lone = lone_sides(skeleton.keypoints, skeleton.mirror)
    if not lone:
        return ""
    example = f"[[{lone[0]},{lone[1]}]]" if len(lone) > 1 else f"[[{lone[0]},PARTNER]]"
    return (
        f"{', '.join(lone)}: named as one side of a pair, without a partner, so flips are off; give all pairs with "
        f"encoding.mirror_pairs={example}, or [] if there are none"
    )


def pairs_text(names: tuple[str, ...], mirror: tuple[int, ...], most: int = 12) -> str:
    """`left_ear-right_ear, ...`; `none`; of more than `most` pairs the first ones, and how many there are."""
    pairs = [f"{names[i]}-{names[j]}" for i, j in enumerate(mirror) if i < j]
    return ", ".join(pairs[:most]) + (f" ... ({len(pairs)} pairs)" if len(pairs) > most else "") or "none"


_SIDES = (
    ("left", "right"), ("gauche", "droite"), ("gauche", "droit"), ("links", "rechts"), ("linke", "rechte"),
    ("izquierd", "derech"), ("esquerd", "direit"), ("sinistr", "destr"), ("\u5de6", "\u53f3"),
)  # fmt: skip
_SHORT_SIDES = (("l", "r"), ("lt", "rt"), ("lft", "rgt"), ("izq", "der"))
_PAIRED = re.compile(  # `Lpaw`: of what animals have two
    "(?!Rear)[LR]_?(?i:ankle|antenna|arm|cheek|ear|elbow|eye|foot|hand|hip|knee|leg|paw|shoulder|whisker|wing|wrist)",
    re.NOFLAG,
)
# Where a side may stand in a name. Only the first two make it a side's name by themselves.
_RULES = (
    (_SIDES, r"(?<![^\W\d_]){}", re.IGNORECASE, "clear"),  # a word begins with it: `gauche_1`, `leftear`
    (_SHORT_SIDES, r"(?<![^\W\d_]){}(?![^\W\d_])", re.IGNORECASE, "clear"),  # a word of its own: `l_eye`, `eye-l`, `l1`
    (_SIDES, r"{}(?![^\W\d_])", re.IGNORECASE, "ending"),  # `earleft`, but also `upright`
    ((("L", "R"),), r"^{}(?=[A-Z]?[a-z])|(?<=[a-z\d]){}(?=[A-Z\d_]|$)|(?<=[A-Z]){}$", re.NOFLAG, "capital"),  # `Lpaw`
)


def _other_sides(name: str) -> dict[str, str]:
    """Names that a keypoint's partner may have -> how its side is written: `clear`, `ending`, `capital`."""
    found: dict[str, str] = {}
    for sides, pattern, flags, rule in _RULES:
        for left, right in sides:
            for old, new in ((left, right), (right, left)):
                other = re.sub(pattern.replace("{}", old), partial(_as_cased, new), name, flags=flags)
                if other != name:
                    found.setdefault(other, rule)
    return found


def _as_cased(word: str, found: re.Match[str]) -> str:
    old = found[0]
    return word.upper() if old.isupper() else word.capitalize() if old[0].isupper() else word


def _edges(names: tuple[str, ...], *limbs: str) -> tuple[tuple[int, int], ...]:
    return tuple((names.index(a), names.index(b)) for a, b in (limb.split("-") for limb in limbs))


_COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
_COCO_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089,
    0.089,
)  # fmt: skip
COCO_17 = Skeleton(
    "coco-17",
    _COCO,
    _edges(
        _COCO, "left_ankle-left_knee", "left_knee-left_hip", "right_ankle-right_knee", "right_knee-right_hip",
        "left_hip-right_hip", "left_shoulder-left_hip", "right_shoulder-right_hip", "left_shoulder-right_shoulder",
        "left_shoulder-left_elbow", "right_shoulder-right_elbow", "left_elbow-left_wrist", "right_elbow-right_wrist",
        "left_eye-right_eye", "nose-left_eye", "nose-right_eye", "left_eye-left_ear", "right_eye-right_ear",
    ),
    sigmas=_COCO_SIGMAS,
)  # fmt: skip

_OPENPOSE = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear",
)  # fmt: skip
# The neck is the midpoint of the shoulders, so it takes their sigma.
_OPENPOSE_SIGMAS = tuple(0.079 if name == "neck" else _COCO_SIGMAS[_COCO.index(name)] for name in _OPENPOSE)
OPENPOSE_18 = Skeleton(
    "openpose-18",
    _OPENPOSE,
    _edges(
        _OPENPOSE, "neck-right_shoulder", "neck-left_shoulder", "right_shoulder-right_elbow",
        "right_elbow-right_wrist", "left_shoulder-left_elbow", "left_elbow-left_wrist", "neck-right_hip",
        "right_hip-right_knee", "right_knee-right_ankle", "neck-left_hip", "left_hip-left_knee",
        "left_knee-left_ankle", "neck-nose", "nose-right_eye", "right_eye-right_ear", "nose-left_eye",
        "left_eye-left_ear",
    ),
    sigmas=_OPENPOSE_SIGMAS,
)  # fmt: skip

_AP10K = (
    "left_eye", "right_eye", "nose", "neck", "tail_root", "left_shoulder", "left_elbow", "left_front_paw",
    "right_shoulder", "right_elbow", "right_front_paw", "left_hip", "left_knee", "left_back_paw", "right_hip",
    "right_knee", "right_back_paw",
)  # fmt: skip
ANIMAL_17 = Skeleton(
    "animal-17",
    _AP10K,
    _edges(
        _AP10K, "left_eye-right_eye", "left_eye-nose", "right_eye-nose", "nose-neck", "neck-tail_root",
        "neck-left_shoulder", "left_shoulder-left_elbow", "left_elbow-left_front_paw", "neck-right_shoulder",
        "right_shoulder-right_elbow", "right_elbow-right_front_paw", "tail_root-left_hip", "left_hip-left_knee",
        "left_knee-left_back_paw", "tail_root-right_hip", "right_hip-right_knee", "right_knee-right_back_paw",
    ),
    sigmas=(
        0.025, 0.025, 0.026, 0.035, 0.035, 0.079, 0.072, 0.062, 0.079, 0.072, 0.062, 0.107, 0.087, 0.089, 0.107, 0.087,
        0.089,
    ),
)  # fmt: skip

_NAMELESS = "keypoint_"
NAMED = {skeleton.name: skeleton for skeleton in (COCO_17, OPENPOSE_18, ANIMAL_17)}
_LANDMARKS = "landmarks-"


def landmark_skeleton(num_landmarks: int) -> Skeleton:
    """A skeleton of numbered landmarks, without edges or left-right pairs."""
    return Skeleton(f"{_LANDMARKS}{num_landmarks}", tuple(f"landmark_{k}" for k in range(num_landmarks)))


def named_skeleton(name: str) -> Skeleton:
    """The skeleton of a name: one of `NAMED`, or `landmarks-N`. Raises KeyError for another."""
    number = name.removeprefix(_LANDMARKS)
    return landmark_skeleton(int(number)) if name != number and number.isdecimal() else NAMED[name]
