"""Edges by a classical detector: Canny's, from gradients of many thresholds, as a soft map.

One Canny image is a yes or no. Here it is run at several thresholds about an automatic one, and an edge's value is the
share of the thresholds that it survives: 1 for an outline, little for a texture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from gensight.geometry import warp_image
from gensight.samples import Array, Sample
from gensight.teachers.base import Labels, Teacher
from gensight.transforms.views import stretched_frame

_LEVELS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8)  # of the automatic threshold


@dataclass(eq=False)
class EdgeTeacher(Teacher):
    """Edges in [0, 1] (Canny, "A Computational Approach to Edge Detection", PAMI 1986, by OpenCV).

    The image is first shrunk to a working resolution, where fine texture is gone, and smoothed. The automatic threshold
    is Otsu's (1979) of the gradient's length over all pixels; its half is the lower one of Canny's hysteresis.

    Args:
        resolution: The longer side is shrunk to this many pixels; smaller images stay as they are.
        blur: Standard deviation of the smoothing before, in px of the working resolution.
    """

    name = "edges"
    labels = ("edges",)
    resolution: Annotated[int, Field(ge=16)] = 512
    blur: Annotated[float, Field(ge=0)] = 1.0

    def label(self, samples: Sequence[Sample]) -> list[Labels]:
        return [Labels(edges=self.find(sample.image())) for sample in samples]

    def find(self, image: Array) -> Array:
        """float32 (height, width) in [0, 1] of uint8 RGB (height, width, 3)."""
        height, width = image.shape[:2]
        scale = min(1.0, self.resolution / max(height, width))
        small_size = max(1, round(height * scale)), max(1, round(width * scale))
        if small_size != (height, width):
            image = warp_image(image, stretched_frame((height, width), small_size))
        edges = self._soft_edges(image)
        if small_size != (height, width):
            edges = cv2.resize(edges, (width, height), interpolation=cv2.INTER_LINEAR)
        return edges

    def _soft_edges(self, image: Array) -> Array:
        grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        if self.blur > 0:
            grey = cv2.GaussianBlur(grey, (0, 0), self.blur)
        across, along = (cv2.Sobel(grey, cv2.CV_16S, dx, 1 - dx) for dx in (1, 0))
        length = np.hypot(across.astype(np.float32), along.astype(np.float32))
        strongest = float(length.max())
        total = np.zeros(grey.shape, dtype=np.float32)
        if strongest == 0:  # one colour: there is nothing to find
            return total
        levels = np.minimum(np.rint(length * (255 / strongest)), 255).astype(np.uint8)
        otsu = max(float(cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)[0]), 1.0) * strongest / 255
        for level in _LEVELS:
            high = level * otsu
            total += cv2.Canny(across, along, high / 2, high, L2gradient=True) > 0
        return total / np.float32(len(_LEVELS))
