"""Finding points without learning: the same place, raw pixels, SIFT, optical flow."""

import cv2
import numpy as np
import torch

from gensight.encodings.pairs.matching import find_descriptors
from gensight.geometry import image_to_model, model_to_image, pixel_centres, scaling, warp_image
from gensight.loading.views import ViewPolicy
from gensight.samples import Array, Item, Matches, Prediction, Size, View

_LONGEST = 96  # px: the longer side of the image that raw patches are compared in
_PATCH = 9  # px: side of a patch of the compared images, odd
_PATCH_TEMPERATURE = 0.02  # correlations of patches fall off within a pixel or two
_SIFT_STEP = 5  # px between the places that SIFT describes; odd, since OpenCV moves them to centres of pixels
_SIFT_SIZE = 6.0  # px: diameter of a keypoint, whose descriptor covers six times as much
_SIFT_TEMPERATURE = 0.02  # SIFT's cosines are high everywhere
_SMALLEST = 32  # px: smaller images have no flow


class NoMotion:
    """Every point stays where it is, in shares of the image."""

    def __call__(self, item: Item) -> Prediction:
        first, second = (np.array(sample.size[::-1], dtype=np.float64) for sample in item.samples)
        points = _query_points(item)
        return _prediction(item, points * (second / first), np.ones(len(points)))


class _DescriptorMatching:
    """The place whose descriptor is most similar, over a grid of the second image.

    Args:
        policy: Which part of the images is compared.
    """

    step: int  # px between the places that are described
    temperature: float

    def __init__(self, policy: ViewPolicy) -> None:
        self.policy = policy

    def view(self, item: Item, slot: int) -> View:
        return self.policy.view(item, slot)

    def describe(self, image: Array, points: Array) -> Array:
        """float32 (num_points, channels) of unit length, at points in px of an RGB image."""
        raise NotImplementedError

    def __call__(self, item: Item) -> Prediction:
        views = [self.view(item, slot) for slot in (0, 1)]
        first, second = (warp_image(sample.image(), view) for sample, view in zip(item.samples, views, strict=True))
        points = image_to_model(_query_points(item), views[0])
        known = np.asarray(np.isfinite(points).all(axis=1))
        grid: Size = (-(-second.shape[0] // self.step), -(-second.shape[1] // self.step))
        places, confidence = np.full((len(known), 2), np.nan), np.zeros(len(known), dtype=np.float32)
        if known.any():
            queries = torch.from_numpy(self.describe(first, points[known]))
            against = self.describe(second, pixel_centres(grid).reshape(-1, 2) * self.step)
            cells = torch.from_numpy(np.ascontiguousarray(against.T)).unflatten(1, grid)
            places[known], confidence[known] = find_descriptors(queries, cells, self.temperature)
        return _prediction(item, model_to_image(places * self.step, views[1]), confidence)


class RawPixelMatching(_DescriptorMatching):
    """The place whose patch of pixels correlates best (normalised cross-correlation, all channels together).

    Images are compared in their views, made smaller where their longer side exceeds 96 px.
    """

    step, temperature = 1, _PATCH_TEMPERATURE

    def view(self, item: Item, slot: int) -> View:
        view = self.policy.view(item, slot)
        return _resized(view, min(1.0, _LONGEST / max(view.model_size)))

    def describe(self, image: Array, points: Array) -> Array:
        """Patches around the pixels of points, less their means."""
        half = _PATCH // 2
        padded = cv2.copyMakeBorder(image, half, half, half, half, cv2.BORDER_REPLICATE).astype(np.float32)
        height, width = image.shape[:2]
        column, row = np.floor(points).astype(int).T
        steps = np.arange(_PATCH)
        rows = row.clip(0, height - 1)[:, None, None] + steps[:, None]
        columns = column.clip(0, width - 1)[:, None, None] + steps
        patches = padded[rows, columns].reshape(len(points), _PATCH**2 * image.shape[2])
        patches -= patches.mean(1, keepdims=True)
        return np.asarray(patches / np.maximum(np.linalg.norm(patches, axis=1, keepdims=True), 1e-6))


class SiftMatching(_DescriptorMatching):
    """The place whose SIFT descriptor is most similar, over a dense grid (Liu et al., SIFT flow, TPAMI 2011).

    Descriptors are upright and of one size, under the square root (Arandjelovic and Zisserman, CVPR 2012).
    """

    step, temperature = _SIFT_STEP, _SIFT_TEMPERATURE

    def describe(self, image: Array, points: Array) -> Array:
        """Zero where there is no gradient."""
        # OpenCV puts the first pixel's centre at 0, we put it at 0.5.
        keypoints = [cv2.KeyPoint(x - 0.5, y - 0.5, _SIFT_SIZE, 0.0) for x, y in points.tolist()]
        kept, descriptors = cv2.SIFT_create().compute(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), keypoints)
        assert len(kept) == len(keypoints), "OpenCV describes every keypoint that it is given"
        roots = np.sqrt(descriptors / np.maximum(descriptors.sum(1, keepdims=True), 1e-6))
        return np.asarray(roots, dtype=np.float32)


class OpticalFlow:
    """Follows points by dense optical flow from the first image to the second, directly, whatever the distance in time.

    DIS flow (Kroeger et al., ECCV 2016). The confidence falls with the distance at which the flow back misses the
    start.

    Args:
        policy: Which part of the images is compared.
    """

    def __init__(self, policy: ViewPolicy) -> None:
        self.policy = policy

    def __call__(self, item: Item) -> Prediction:
        views = [self.policy.view(item, slot) for slot in (0, 1)]
        views = [_resized(view, max(1.0, _SMALLEST / min(view.model_size))) for view in views]
        first, second = (
            cv2.cvtColor(warp_image(sample.image(), view), cv2.COLOR_RGB2GRAY)
            for sample, view in zip(item.samples, views, strict=True)
        )
        flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        there = np.asarray(flow.calc(first, second, None))
        back = np.asarray(flow.calc(second, first, None))
        points = image_to_model(_query_points(item), views[0])
        found = points + _sampled(there, points)
        missed = np.linalg.norm(found + _sampled(back, found) - points, axis=1)
        confidence = np.exp(-np.nan_to_num(missed, nan=np.inf))
        return _prediction(item, model_to_image(found, views[1]), confidence)


def _query_points(item: Item) -> Array:
    """float64 (num_points, 2): the first image's points; NaN where hidden."""
    assert item.relation is not None  # the encoding builds pairs with tracks
    assert item.relation.tracks is not None
    return np.asarray(item.relation.tracks[0], dtype=np.float64)


def _prediction(item: Item, points: Array, confidence: Array) -> Prediction:
    return Prediction.of(item, matches=Matches(points, np.asarray(confidence, dtype=np.float32)))


def _resized(view: View, factor: float) -> View:
    """The same part of the image in a frame of another size."""
    if factor == 1:
        return view
    height, width = (max(1, round(side * factor)) for side in view.model_size)
    change = scaling(width / view.model_size[1], height / view.model_size[0])
    return View(view.image_size, (height, width), change @ view.matrix, view.mirrored)


def _sampled(flow: Array, points: Array) -> Array:
    """float64 (num_points, 2): flow (height, width, 2) bilinear at points in px; NaN for NaN."""
    if len(points) == 0:  # OpenCV takes no empty arrays
        return np.zeros((0, 2))
    places = (points - 0.5).astype(np.float32)[None]
    values = cv2.remap(flow, np.nan_to_num(places), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    return np.where(np.isfinite(points), values, np.nan)
