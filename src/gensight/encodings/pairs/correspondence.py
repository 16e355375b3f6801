"""Correspondence: descriptors by which a point of one image is found in another."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from gensight.drawing import draw_matches
from gensight.encodings.base import ItemSequence, OutputSpec, RelationEncoding, predict
from gensight.encodings.pairs.frame_pairs import frame_range, members_by_group, partners, short_groups
from gensight.encodings.pairs.matching import find_points
from gensight.encodings.panels import PICTURE_SIDE, Panel, shrunk
from gensight.errors import ConfigError, DataError
from gensight.geometry import grid_to_image, image_to_grid, image_to_model, inside
from gensight.readers.base import Reader
from gensight.samples import Array, Item, Matches, Prediction, Relation, Size, View

_NUM_PROBED = 8  # pairs probed before a data set counts as one without tracks
_NUM_KEPT = 2000  # pairs whose tracks are kept: about 32 kB each
_SLACK = 1  # px that a track may lie outside of its image, by rounding
_CURVE_BITS = 8


class Correspondence(RelationEncoding):
    """Points of a first image, found in a second one by the cosine of descriptors.

    Output `descriptors`: one map of unit descriptors per image, (2, channels, grid_height, grid_width). Its target is
    where the descriptors are compared: `descriptors`, float32 (2, num_points, 2), the same points in pixels of both
    model frames; `descriptors_weight`, (num_points,), 1 for points that are seen in both images and lie in both model
    frames, 0 for the rest (whose place is 0). Of more points than `num_points` an evenly spread subset is
    taken, the same each time.

    Bound, on descriptors whose cosine falls off within one to four cells: unbiased, and a root mean square error of
    0.15 of a cell.

    Args:
        distance: Fewest and most frames between the images of a pair, counted within a group; of data sets that define
            no pairs themselves.
        num_points: Most points compared in one pair.
        stride: Model pixels per cell.
        seed: Seeds the choice of pairs.

    Errors:
        ConfigError: a value out of its range.
    """

    name = "correspondence"
    num_samples = 2

    def __init__(
        self, distance: tuple[int, int] = (2, 23), num_points: int = 128, stride: int = 4, seed: int = 0
    ) -> None:
        super().__init__(stride)
        if num_points < 1:
            raise ConfigError(f"num_points must be positive, got {num_points}")
        self.distance, self.num_points, self.seed = frame_range(distance), num_points, seed

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        return {"descriptors": OutputSpec(0, "matching")}

    def panel(self, prediction: Prediction, item: Item) -> Panel | None:
        """Both images with the points joined; the error is the median distance in pixels."""
        if prediction.matches is None:
            return None
        assert item.relation is not None and item.relation.tracks is not None  # as all its items have
        first, second = item.samples[:2]
        points, truth = item.relation.tracks[:2]
        errors = np.linalg.norm(prediction.matches.points - truth, axis=1)
        known = errors[np.isfinite(errors)]
        picture = draw_matches(first.image(), second.image(), points, prediction.matches.points, truth)
        return Panel(shrunk(picture, 2 * PICTURE_SIDE), float(np.median(known)) if len(known) else float("nan"), "px")

    def build_items(self, reader: Reader) -> Sequence[Item]:
        """The data set's own pairs, or one for each sample, chosen from the seed; tracks are read on demand.

        Samples whose group is too short for the distance begin no pair. A pair without a common point stays among the
        items, with weights of 0.

        Raises:
            DataError: If there is no pair, or no pair has known correspondences.
        """
        own = reader.pairs()
        pairs = list(dict.fromkeys(own)) if own is not None else self._draw(reader)
        if pairs and all(reader.relation(*pairs[number]) is None for number in _spread(len(pairs), _NUM_PROBED)):
            raise DataError(
                "this data set has no correspondences between its images",
                where=f"{reader.name}: {len(reader)} samples",
                hint="annotate tracks with `gensight annotate`, or take RGB-D images with poses, SPair or puppets",
            )
        return Pairs(reader, pairs)

    def _draw(self, reader: Reader) -> list[tuple[int, int]]:
        members = members_by_group(reader.groups, range(len(reader)))
        rng = np.random.default_rng(self.seed)
        pairs: list[tuple[int, int]] = []
        for indices in members.values():
            for place, index in enumerate(indices):
                there = partners(place, len(indices), self.distance)
                pairs += [(index, indices[other]) for other in rng.permutation(there)[:1].tolist()]
        if not pairs:
            raise short_groups(members, self.distance)
        return sorted(pairs)

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        """Targets (2, num_points, 2) and weights (num_points,). DataError for tracks that are none of these images."""
        points, weight = np.zeros((2, self.num_points, 2)), np.zeros(self.num_points)
        tracks = tracks_of(item)
        if tracks is not None:
            placed = np.stack([image_to_model(track, view) for track, view in zip(tracks, views, strict=True)])
            shown = [inside(track, view.model_size) for track, view in zip(placed, views, strict=True)]
            kept = np.flatnonzero(np.logical_and(*shown))  # False where a point is NaN
            if len(kept) > self.num_points:
                kept = kept[_even_choice(placed[0, kept], self.num_points)]
            points[:, : len(kept)], weight[: len(kept)] = placed[:, kept], 1
        return {
            "descriptors": torch.from_numpy(points.astype(np.float32)),
            "descriptors_weight": torch.from_numpy(weight.astype(np.float32)),
        }

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """Where the points of the item's first track lie in its second image; those that are NaN stay so.

        A match's confidence is the cosine of the two descriptors, at least 0. The prediction is in the frame of the
        first image.
        """
        first, second = outputs["descriptors"].detach().cpu().float()
        matches = None
        if item.relation is not None and item.relation.tracks is not None:
            queries = image_to_grid(item.relation.tracks[0], views[0], _size(first))
            found, confidence = find_points(first, second, queries)
            matches = Matches(grid_to_image(found, views[1], _size(second)), confidence)
        return predict(item, matches=matches)


class Pairs(ItemSequence):
    """Pairs of a reader's samples as items: their indices, and a cache of the first tracks that were read. Picklable.

    A pair without known correspondences has tracks without a point.
    """

    def __init__(self, reader: Reader, pairs: Sequence[tuple[int, int]]) -> None:
        self.reader, self.pairs = reader, pairs
        self._relations: dict[int, Relation] = {}  # a reprojection or a rendered scene costs more than a training step

    def __len__(self) -> int:
        return len(self.pairs)

    def item(self, index: int) -> Item:
        first, second = self.pairs[index]
        return Item((self.reader[first], self.reader[second]), relation=self._relation(index))

    def _relation(self, index: int) -> Relation:
        number = range(len(self.pairs))[index]
        known = self._relations.get(number)
        if known is None:
            known = self.reader.relation(*self.pairs[number])
            if known is None:  # as where a camera's pose was lost
                known = Relation("tracks", np.zeros((2, 0, 2)))
            if len(self._relations) < _NUM_KEPT:
                self._relations[number] = known
        return known


def tracks_of(item: Item) -> Array | None:
    """float64 (2, num_points, 2): a pair's tracks in image pixels, NaN where hidden; None if there are none.

    Raises:
        DataError: If they are no tracks of two images, or a point lies outside of its image.
    """
    if item.relation is None or item.relation.tracks is None:
        return None
    tracks = np.asarray(item.relation.tracks, dtype=np.float64)
    if tracks.ndim != 3 or tracks.shape[::2] != (2, 2):
        raise DataError(f"tracks of a pair are (2, num_points, 2), got {tracks.shape}", where=item.key)
    for sample, track in zip(item.samples, tracks, strict=True):
        height, width = sample.size
        outside = np.isfinite(track).all(1) & ~inside(track + _SLACK, (height + 2 * _SLACK, width + 2 * _SLACK))
        if outside.any():
            x, y = track[outside][0].tolist()
            raise DataError(
                f"a tracked point lies outside of its image of {width} x {height}: ({x:.1f}, {y:.1f})",
                where=f"{item.key}: {sample.key}",
                hint="points that leave the image are NaN; are the tracks in pixels of this image?",
            )
    return tracks


def _even_choice(points: Array, count: int) -> Array:
    """`count` indices of points (n, 2), spread evenly: every so many along a Z-order curve through them."""
    low = points.min(0)
    cells = ((points - low) / max(float(np.ptp(points, 0).max()), 1e-9) * ((1 << _CURVE_BITS) - 1)).astype(np.int64)
    code = np.zeros(len(points), dtype=np.int64)
    for bit in range(_CURVE_BITS):
        for axis in (0, 1):
            code |= ((cells[:, axis] >> bit) & 1) << (2 * bit + axis)
    order = np.argsort(code, kind="stable")
    return np.sort(order[_spread(len(points), count)])


def _spread(num: int, count: int) -> list[int]:
    """At most `count` different places of `num`, evenly spread."""
    if num <= count:
        return list(range(num))
    return ((np.arange(count) + 0.5) * num / count).astype(int).tolist()


def _size(maps: Tensor) -> Size:
    return int(maps.shape[-2]), int(maps.shape[-1])
