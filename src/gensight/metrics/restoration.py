"""How near restored images come to the true ones: `psnr` (dB), and `ssim` (Wang et al., IEEE TIP 2004).

Of RGB in [0, 1], over all of an image that the view shows; both are means over images, `psnr` at most 100 dB. A
restored image is brought to the size of its image first. An image without an answer scores 0.
"""

import math
from typing import Literal, get_args

import numpy as np
import torch

from gensight.errors import DataError
from gensight.geometry import map_grid_to_image
from gensight.metrics.base import ImageMetric, Result
from gensight.metrics.bootstrap import make_result, mean_of_sums
from gensight.readers.images.image_pairs import restored_image
from gensight.samples import Array, Item, Prediction

Measure = Literal["psnr", "ssim"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
HIGHEST = 100.0
_WINDOW = 11  # px of a side, of `ssim`


class Restoration(ImageMetric[dict[Measure, float]]):
    """Scores of restored images.

    Args:
        measures: Of `MEASURES`.
        seed: Seeds the bootstrap.
    """

    protocol = "restoration"
    measures = MEASURES

    def measure(self, prediction: Prediction, item: Item) -> dict[Measure, float] | str:
        """Raises DataError for an image whose restored one is not known."""
        read = restored_image(item.sample, "" if item.query is None else item.query.task or "")
        if read is None:
            raise DataError("`restoration` needs pairs of images", where=item.key)
        score = prediction.maps.get("restored")
        if score is None:
            return {"psnr": 0.0, "ssim": 0.0}
        layers = [map_grid_to_image(layer, score.view, fill=float("nan")) for layer in score.values]
        seen = np.isfinite(layers[0])
        part = np.ix_(seen.any(1), seen.any(0))  # what the view shows is a rectangle
        found, truth = np.stack(layers, -1)[part], (read() / np.float32(255))[part]
        if min(found.shape[:2], default=0) < _WINDOW:
            return f"images shown at less than {_WINDOW} px were not scored"
        return {"psnr": psnr(found, truth), "ssim": _ssim(found, truth)}

    def result(self, measure: Measure) -> Result:
        images = self.images()
        values = np.array([np.mean([one[measure] for one in of]) for _, of in images], dtype=np.float64)
        return make_result(
            measure,
            statistics=np.stack([values, np.ones_like(values)], -1),
            reduce=mean_of_sums,
            rows=[head | {"score": value} for (head, _), value in zip(images, values.tolist(), strict=True)],
            higher_is_better=True,
            unit="dB" if measure == "psnr" else "",
            notes=self.skip_notes(),
            seed=self.seed,
        )


def psnr(found: Array, truth: Array) -> float:
    """Peak signal-to-noise ratio of values in [0, 1], in dB, at most `HIGHEST`."""
    return min(HIGHEST, -10 * math.log10(max(float(np.mean((found - truth) ** 2)), 1e-12)))


def _ssim(found: Array, truth: Array) -> float:
    first, second = (torch.from_numpy(one.transpose(2, 0, 1).copy())[None] for one in (found, truth))
    from torchmetrics.functional.image import structural_similarity_index_measure  # brings transformers along

    score = structural_similarity_index_measure(first, second, data_range=1.0, kernel_size=_WINDOW)
    assert isinstance(score, torch.Tensor)
    return float(score)
