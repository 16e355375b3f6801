"""What training finds on its validation part about how to read a method's outputs."""

from dataclasses import dataclass

from gensight.encodings.heatmap import DEFAULT_CALIBRATION
from gensight.encodings.painted.base import EVEN


@dataclass(frozen=True)
class Calibration:
    """How outputs are read, beside what the recipe says.

    Attributes:
        confidence: (slope, offset) of the confidence of keypoints; see `fit_calibration`.
        threshold: Share of the way from black to a colour from which a pixel of a painted mask or box has that colour.
            Pixels taught by squared error are as bright as they are likely, and the threshold at which the overlap with
            the truth is largest is half of that overlap (Lipton et al., ECML 2014): below a half, the more so the less
            is known.
    """

    confidence: tuple[float, float] = DEFAULT_CALIBRATION
    threshold: float = EVEN


UNCALIBRATED = Calibration()
