"""Keypoints decoded from images of skeletons in OpenPose colours, also dim and blurred ones.

Each keypoint's colour gives a map of evidence, whose peaks are candidates. A person is the best choice of one candidate
(or none) per keypoint on the tree of limbs, where a pair of candidates counts by how much of its limb's colour lies
between them: pictorial structures (Felzenszwalb and Huttenlocher, IJCV 2005), solved exactly by dynamic programming.
Limbs resolve ambiguous colours, since a limb's hue is also that of a keypoint.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from gensight.drawing.openpose import LIMB_BRIGHTNESS, draw_skeletons, hues, num_hues
from gensight.samples import Array
from gensight.skeletons import Skeleton

_HUE_WIDTH = np.deg2rad(9.0)  # neighbouring hues of 18 lie 15 to 18 degrees of RGB apart
_MIN_SMOOTHING = 0.7  # cells
_DARK = 0.12  # a picture whose brightest cell is below this shows no person
_MIN_DOT = 0.3  # minimum share of a whole dot's evidence for a candidate
_DRAWN = 0.45  # the same, from which a chosen candidate counts as a dot: limbs alone have less
_MIN_LIMB = 0.35  # the same, of a limb
# Weight of a limb relative to a dot, and penalty of a limb as long as the picture (of two equally clear limbs the
# shorter one is chosen): for a picture of one person, and of several, where limbs assign dots to people.
_LIMB_WEIGHT, _LENGTH_COST = (0.35, 0.7), (0.5, 1.0)
_LONG = 4.0  # cells between two dots from which a limb counts in full
_NUM_CANDIDATES = 8
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_LIMB_SAMPLES = np.linspace(0, 1, 7)
_MAX_PEOPLE = 20
_MIN_KEYPOINTS = 4  # of a person in a picture of several


@dataclass(frozen=True, eq=False)
class Found:
    """One person.

    Attributes:
        points: float64 (K, 2), cells; NaN where the picture has none of the keypoint's colour.
        chosen: bool (K,): keypoints supported by limbs and dots. With one person the other points are guesses, between
            their neighbours or at the strongest trace of their colour; with several people they are NaN.
        drawn: bool (K,): those among them that have a dot, and not just a limb of its colour.
        brightness: float64 (K,) in [0, 1]: how much of a whole dot each point has.
    """

    points: Array
    chosen: Array
    drawn: Array
    brightness: Array


def find_people(picture: Array, skeleton: Skeleton, radius: float, half_width: float, num_people: int) -> list[Found]:
    """The people in a picture, the clearest first.

    After each one its dots and limbs are taken away and the next is sought, until what remains is no person: fewer than
    four keypoints. People whose keypoints share cells are taken for one, and limbs that lie on each other may
    change owners.

    Args:
        picture: float (height, width, 3), RGB in [0, 1].
        skeleton: Of K keypoints.
        radius: Of a dot, in cells.
        half_width: Of a limb, in cells.
        num_people: Maximum number. 1 always gives one person, with guesses for keypoints that are not drawn.
    """
    evidence = _evidence(picture, skeleton, radius)
    light = float(picture.max(initial=0.0))
    found: list[Found] = []
    if light < _DARK and num_people > 1:
        return []
    while len(found) < min(num_people, _MAX_PEOPLE):
        person = _best_person(evidence, max(light, _DARK), skeleton, radius, half_width, num_people > 1)
        if num_people > 1:
            if person.drawn.sum() < _MIN_KEYPOINTS:
                break
            person.points[~person.chosen] = np.nan
            _take_away(evidence, person, skeleton, radius, half_width)
        found.append(person)
    return found


@dataclass(frozen=True, eq=False)
class _Evidence:
    """`hues` (num_hues, height, width): brightness of each hue; `dots` (K, height, width): as shares of a whole dot."""

    hues: Array
    dots: Array


def _evidence(picture: Array, skeleton: Skeleton, radius: float) -> _Evidence:
    colours = hues(num_hues(skeleton))
    cells = np.clip(picture, 0, 1).astype(np.float32)
    length = np.linalg.norm(cells, axis=-1)
    cosine = cells @ (colours / np.linalg.norm(colours, axis=1, keepdims=True)).T / np.maximum(length, 1e-6)[..., None]
    match = np.exp(-0.5 * (np.arccos(np.clip(cosine, -1, 1)) / _HUE_WIDTH) ** 2)
    by_hue = np.ascontiguousarray((match * cells.max(-1)[..., None]).transpose(2, 0, 1).astype(np.float32))
    sigma, whole = _matched_filter(radius)
    dots = np.stack([cv2.GaussianBlur(one, (0, 0), sigma, borderType=cv2.BORDER_REFLECT) for one in by_hue])
    return _Evidence(by_hue, dots[: len(skeleton)] / whole)


@lru_cache(maxsize=64)
def _matched_filter(radius: float) -> tuple[float, float]:
    """A blur as wide as a dot, and what is left of a whole dot's brightness at its middle."""
    sigma = max(_MIN_SMOOTHING, radius / 2)
    side = 2 * int(np.ceil(radius + 3 * sigma)) + 1
    dot = draw_skeletons(np.full((1, 1, 2), side / 2), np.ones((1, 1), bool), Skeleton("dot", ("dot",)), (side, side),
                         radius, radius)[..., 0]  # fmt: skip
    return sigma, float(cv2.GaussianBlur(dot, (0, 0), sigma)[side // 2, side // 2])


def _best_person(
    evidence: _Evidence, light: float, skeleton: Skeleton, radius: float, half_width: float, several: bool
) -> Found:
    candidates = [_peaks(one) for one in evidence.dots]
    unary = [np.append(scores / light - _MIN_DOT, 0.0) for _, scores in candidates]  # the last choice: not drawn
    choice = np.array([len(scores) for _, scores in candidates])
    best_of: dict[int, Array] = {}
    for child, parent, limb in reversed(_tree(skeleton)):
        if parent >= 0:
            share = evidence.hues[limb] / (light * LIMB_BRIGHTNESS * min(1.0, 1.6 * half_width))
            limbs, length = _limbs(share, candidates[child][0], candidates[parent][0], radius)
            pair = _LIMB_WEIGHT[several] * (limbs - _LENGTH_COST[several] * length)
            total = unary[child][:, None] + pair
            best_of[child] = total.argmax(0)
            unary[parent] = unary[parent] + total.max(0)
    for child, parent, _ in _tree(skeleton):
        choice[child] = unary[child].argmax() if parent < 0 else best_of[child][choice[parent]]
    return _as_found(evidence, candidates, choice, light, skeleton, radius)


def _as_found(
    evidence: _Evidence,
    candidates: list[tuple[Array, Array]],
    choice: Array,
    light: float,
    skeleton: Skeleton,
    radius: float,
) -> Found:
    num = len(candidates)
    points, brightness = np.full((num, 2), np.nan), np.zeros(num)
    chosen = np.array([choice[k] < len(candidates[k][1]) for k in range(num)])
    for k, (cells, scores) in enumerate(candidates):
        if len(scores):
            index = int(choice[k]) if chosen[k] else 0
            brightness[k] = min(float(scores[index]), 1.0)
            points[k] = _refined(evidence.hues[k], cells[index], radius)
    for unseen in np.flatnonzero(~chosen):
        around = [b if a == unseen else a for a, b in skeleton.edges if unseen in (a, b)]
        around = [other for other in around if chosen[other]]
        if len(around) > 1:  # it may lie under its neighbours' dots, as a nose lies under the eyes'
            points[unseen] = np.median(points[around], axis=0)
    return Found(points, chosen, chosen & (brightness >= _DRAWN * light), brightness)


def _peaks(scores: Array) -> tuple[Array, Array]:
    """The largest local maxima: cells int (n, 2) as (column, row), and their values (n,), falling."""
    local = (scores >= cv2.dilate(scores, _NEIGHBOURS)) & (scores > 1e-3)
    rows, columns = np.nonzero(local)
    order = np.argsort(-scores[rows, columns], kind="stable")[:_NUM_CANDIDATES]
    return np.stack([columns[order], rows[order]], axis=1), scores[rows[order], columns[order]]


def _limbs(colour: Array, starts: Array, ends: Array, radius: float) -> tuple[Array, Array]:
    """Evidence of a limb between each two candidates, and its length as a share of the picture's; 0 without a limb.

    Both are float (num_starts + 1, num_ends + 1).
    """
    evidence, share_of_picture = np.zeros((2, len(starts) + 1, len(ends) + 1))
    if not len(starts) or not len(ends):
        return evidence, share_of_picture
    first, last = starts[:, None, None].astype(np.float64), ends[None, :, None].astype(np.float64)
    length = np.linalg.norm(first - last, axis=-1)  # (num_starts, num_ends, 1)
    margin = np.minimum((radius + 1) / np.maximum(length, 1e-6), 0.4)  # dots may have the limb's colour themselves
    along = (margin + (1 - 2 * margin) * _LIMB_SAMPLES)[..., None]
    places = (first + along * (last - first)).astype(np.float32)  # cells' centres are whole numbers
    lit = cv2.remap(colour, places[..., 0].reshape(-1, 1), places[..., 1].reshape(-1, 1), cv2.INTER_LINEAR)
    share = np.clip(lit.reshape(places.shape[:-1]), 0, 1).mean(-1)
    open_part = np.clip((length[..., 0] - 2 * radius) / _LONG, 0, 1)  # no evidence where dots cover the limb
    evidence[:-1, :-1] = open_part * (share - _MIN_LIMB)
    share_of_picture[:-1, :-1] = length[..., 0] / max(colour.shape)
    return evidence, share_of_picture


def _refined(colour: Array, cell: Array, radius: float) -> Array:
    """The centre of gravity of what is brighter than a limb around a cell."""
    reach = max(1, round(radius + 0.5))
    height, width = colour.shape
    left, top = max(cell[0] - reach, 0), max(cell[1] - reach, 0)
    window = colour[top : min(cell[1] + reach + 1, height), left : min(cell[0] + reach + 1, width)]
    weight = np.maximum(window - 0.3 * window.max(), 0)
    total = float(weight.sum())
    if total <= 0:
        return cell + 0.5
    x = float((weight.sum(0) * np.arange(left, left + window.shape[1])).sum()) / total
    y = float((weight.sum(1) * np.arange(top, top + window.shape[0])).sum()) / total
    return np.array([x, y]) + 0.5


def _take_away(evidence: _Evidence, person: Found, skeleton: Skeleton, radius: float, half_width: float) -> None:
    """Removes a person's own dots and limbs."""
    height, width = evidence.dots.shape[1:]
    cells = np.stack(np.broadcast_arrays(np.arange(width)[None] + 0.5, np.arange(height)[:, None] + 0.5), axis=-1)
    for k in np.flatnonzero(np.isfinite(person.points).all(1)):
        _erase(evidence, int(k), np.linalg.norm(cells - person.points[k], axis=-1) < 2 * radius + 1)
    for limb, (first, last) in enumerate(skeleton.edges):
        start, along = person.points[first], person.points[last] - person.points[first]
        if not np.isfinite(along).all():
            continue
        share = np.clip((cells - start) @ along / max(float(along @ along), 1e-9), 0, 1)
        near = np.linalg.norm(cells - start - share[..., None] * along, axis=-1) < half_width + 1
        _erase(evidence, limb, near)


def _erase(evidence: _Evidence, hue: int, near: Array) -> None:
    """Removes a hue, and what it lends to its neighbours, from the cells of a mask."""
    for one in (hue - 1, hue, hue + 1):
        evidence.hues[one % len(evidence.hues)][near] = 0
        if one % len(evidence.hues) < len(evidence.dots):
            evidence.dots[one % len(evidence.hues)][near] = 0


@lru_cache(maxsize=64)
def _tree(skeleton: Skeleton) -> list[tuple[int, int, int]]:
    """(keypoint, parent or -1, limb) of a spanning tree of the limbs, parents first; limbs closing a ring stay out."""
    order: list[tuple[int, int, int]] = []
    seen: set[int] = set()
    degree = [sum(k in edge for edge in skeleton.edges) for k in range(len(skeleton))]
    for root in sorted(range(len(skeleton)), key=lambda k: -degree[k]):
        if root in seen:
            continue
        seen.add(root)
        order.append((root, -1, -1))
        queue = [root]
        while queue:
            parent = queue.pop(0)
            for limb, edge in enumerate(skeleton.edges):
                child = edge[1] if edge[0] == parent else edge[0]
                if parent in edge and child not in seen:
                    seen.add(child)
                    order.append((child, parent, limb))
                    queue.append(child)
    return order
