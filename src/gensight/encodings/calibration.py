"""Calibration of a method's outputs, fitted on the validation part of the training data."""

from dataclasses import dataclass

from gensight.encodings.heatmap import DEFAULT_CALIBRATION
from gensight.encodings.painted.base import EVEN


@dataclass(frozen=True)
class Calibration:
    """Calibrated parameters of decoding, which override those of the recipe.

    Attributes:
        confidence: (slope, offset) of the confidence of keypoints; see `fit_calibration`.
        threshold: Share of the way from black to a colour from which a pixel of a painted mask or box has that colour.
            With a squared-error loss the brightness of a pixel estimates its probability, and the threshold that
            maximises the expected overlap is half of that overlap (Lipton et al., ECML 2014): below 0.5, and lower
            where predictions are less certain.
    """

    confidence: tuple[float, float] = DEFAULT_CALIBRATION
    threshold: float = EVEN


UNCALIBRATED = Calibration()
