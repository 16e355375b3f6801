"""Points followed through videos by OpenCV's optical flow.

The protocol is that of Luo et al., "Readout Guidance", CVPR 2024: points on a grid, chosen in every 16th frame,
followed forwards and backwards, over at most 128 frames at a time, and only those on the object where masks are known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import cv2
import numpy as np
from pydantic import Field

from gensight.samples import Array, Sample
from gensight.teachers.base import Count, Labels, Teacher, Tracks

_WINDOW, _LEVELS = 21, 4  # side of the patches that are matched, px; pyramid levels above the image itself
_LARGEST_ERROR = 1.0  # a point whose way back misses its start by more px is lost
_LEAST_LIKENESS = 0.5  # a point whose patch correlates less with that of the query frame is lost


@dataclass(eq=False)
class TrackTeacher(Teacher):
    """Tracks of a grid of points through a video.

    Points are followed by pyramidal Lucas-Kanade (Bouguet, 2000, by OpenCV) from frame to frame, checked forwards and
    backwards. A point is lost for good in the first frame from which it doesn't lead back (Kalal et al.,
    "Forward-Backward Error", ICPR 2010), where it leaves the image, or where its surroundings no longer look as in the
    query frame (normalised correlation of patches, so that slow drift ends too). A learned tracker is a subclass with
    its own `follow`, `tracker` and `tracker_settings`.

    Where the frames that points are chosen in have instances with masks, only points on one of them are kept, and a
    point that leaves all masks of a later frame counts as hidden there.

    Args:
        grid: Points are chosen on a grid x grid lattice.
        query_interval: Points are chosen in every k-th frame of a stretch.
        longest: Frames of a stretch; longer videos are cut into several, with points of their own.
        masks: `auto`: use the instances' masks where there are any; `ignore`.
    """

    name = "tracks"
    labels = ("tracks",)
    uses = ("instances",)
    unit = "video"
    tracker: ClassVar[str] = "lucas-kanade@1"
    tracker_settings: ClassVar[Mapping[str, Any]] = {
        "window": _WINDOW, "levels": _LEVELS, "largest_error": _LARGEST_ERROR, "least_likeness": _LEAST_LIKENESS
    }  # fmt: skip
    grid: Count = 20
    query_interval: Count = 16
    longest: Annotated[int, Field(ge=2)] = 128
    masks: Literal["auto", "ignore"] = "auto"

    def settings(self) -> Mapping[str, Any]:
        return {**super().settings(), "tracker": self.tracker, "tracker_settings": dict(self.tracker_settings)}

    def label(self, samples: Sequence[Sample]) -> list[Labels]:
        starts = range(0, len(samples), self.longest)
        stretches = [self._stretch(samples[start : start + self.longest], start) for start in starts]
        return [Labels(tracks=tuple(stretches))]

    def _stretch(self, samples: Sequence[Sample], start: int) -> Tracks:
        frames = [sample.image() for sample in samples]
        masks = [self._mask(sample) for sample in samples]
        found = [self._from(frames, masks, query) for query in range(0, len(frames), self.query_interval)]
        points = np.concatenate([points for points, _ in found], axis=1)
        confidence = np.concatenate([confidence for _, confidence in found], axis=1)
        numbers = [len(points[0]) for points, _ in found]
        queries = np.repeat(np.arange(0, len(frames), self.query_interval, dtype=np.int32), numbers)
        return Tracks(start, points, confidence > 0, confidence, queries)

    def _from(self, frames: Sequence[Array], masks: Sequence[Array | None], query: int) -> tuple[Array, Array]:
        """The tracks of the points that are chosen in one frame."""
        height, width = frames[query].shape[:2]
        steps = (np.arange(self.grid) + 0.5) / self.grid
        points = np.stack(np.meshgrid(steps * width, steps * height), axis=-1).reshape(-1, 2).astype(np.float32)
        mask = masks[query]
        if mask is not None:
            points = points[_on(mask, points)]
        if len(points) == 0:
            return np.zeros((len(frames), 0, 2), np.float32), np.zeros((len(frames), 0), np.float32)
        tracks, confidence = self.follow(frames, query, points)
        for number, later in enumerate(masks):
            if mask is not None and later is not None:
                seen = confidence[number] > 0
                seen[seen] = _on(later, tracks[number, seen])
                confidence[number, ~seen] = 0
        return tracks, confidence

    def follow(self, frames: Sequence[Array], query: int, points: Array) -> tuple[Array, Array]:
        """Follows points from the frame in which they were chosen, to both ends of the stretch.

        Args:
            frames: uint8 RGB (height, width, 3) each, of one size.
            query: Index of the frame that the points lie in.
            points: float32 (num_points, 2), (x, y) in its pixels.

        Returns:
            float32 (num_frames, num_points, 2), and float32 (num_frames, num_points) confidence in [0, 1], 0 where the
            point is lost, hidden or outside.
        """
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
        tracks = np.full((len(frames), len(points), 2), np.nan, dtype=np.float32)
        confidence = np.zeros((len(frames), len(points)), dtype=np.float32)
        tracks[query], confidence[query] = points, 1.0
        patches = _patches(grey[query], points)
        for order in (range(query + 1, len(frames)), range(query - 1, -1, -1)):
            before = query
            for frame in order:
                alive = np.flatnonzero(confidence[before] > 0)
                if len(alive) == 0:
                    break
                moved, kept = _step(grey[before], grey[frame], tracks[before, alive], patches[alive])
                tracks[frame, alive[kept > 0]] = moved[kept > 0]
                confidence[frame, alive] = np.minimum(kept, confidence[before, alive])
                before = frame
        return tracks, confidence

    def _mask(self, sample: Sample) -> Array | None:
        """bool (height, width): where any instance is; None where it is unknown."""
        if self.masks == "ignore" or sample.instances is None:
            return None
        masks = [instance.mask() for instance in sample.instances if instance.mask is not None]
        return np.logical_or.reduce(masks) if masks else None


def _on(mask: Array, points: Array) -> Array:
    """bool (num_points,): whether points, which lie in the image, are on the mask."""
    height, width = mask.shape
    x = np.clip(np.floor(points[:, 0]).astype(int), 0, width - 1)
    y = np.clip(np.floor(points[:, 1]).astype(int), 0, height - 1)
    return np.asarray(mask[y, x], dtype=bool)


def _step(old: Array, new: Array, points: Array, patches: Array) -> tuple[Array, Array]:
    """Where points go from one frame to the next, and how sure that is: 0 where they are lost."""
    start = (points - 0.5).astype(np.float32)[:, None]  # OpenCV puts the first pixel's centre at 0
    options: dict[str, Any] = {
        "winSize": (_WINDOW, _WINDOW), "maxLevel": _LEVELS,
        "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.01),
    }  # fmt: skip
    moved, found, _ = cv2.calcOpticalFlowPyrLK(old, new, start, None, **options)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(new, old, moved, None, **options)
    error = np.linalg.norm(back - start, axis=-1)[:, 0]
    moved = moved[:, 0] + np.float32(0.5)
    height, width = new.shape
    inside = (moved >= 0).all(1) & (moved[:, 0] <= width) & (moved[:, 1] <= height)
    good = (found[:, 0] > 0) & (found_back[:, 0] > 0) & inside & (error <= _LARGEST_ERROR)
    likeness = np.zeros(len(moved), dtype=np.float32)
    likeness[good] = (patches[good] * _patches(new, moved[good])).sum(1)
    good &= likeness >= _LEAST_LIKENESS
    sure = np.exp(-((error / _LARGEST_ERROR) ** 2)) * likeness
    return moved.astype(np.float32), np.where(good, np.clip(sure, 1e-3, 1), 0).astype(np.float32)


def _patches(image: Array, points: Array) -> Array:
    """float32 (num_points, window^2): the points' surroundings without their mean, of length 1; 0 where flat."""
    half = _WINDOW // 2
    padded = cv2.copyMakeBorder(image, half + 1, half + 1, half + 1, half + 1, cv2.BORDER_REPLICATE)
    side = 2 * half + 1
    cut = [cv2.getRectSubPix(padded, (side, side), (float(x) + half + 0.5, float(y) + half + 0.5))
           for x, y in points]  # fmt: skip
    patches = np.array(cut, dtype=np.float32).reshape(len(points), side * side)
    patches -= patches.mean(1, keepdims=True)
    lengths = np.linalg.norm(patches, axis=1, keepdims=True)
    return np.where(lengths > 1e-3, patches / np.maximum(lengths, 1e-3), 0).astype(np.float32)
