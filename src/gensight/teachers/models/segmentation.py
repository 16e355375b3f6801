"""Semantic segmentation models of the transformers library: a probability for each class at each pixel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gensight.geometry import map_grid_to_image
from gensight.readers.shared.class_maps import BACKGROUND
from gensight.readers.shared.label_maps import PackedMask
from gensight.samples import Array, Instance, Sample
from gensight.teachers.base import Labels
from gensight.teachers.models.pretrained import PretrainedTeacher

_BY_QUERIES = ("mask2former", "maskformer")  # a class and a mask per query, instead of a class per pixel


@dataclass(eq=False)
class SegmentTeacher(PretrainedTeacher):
    """The class of every pixel, as the model's config names it.

    SegFormer's classes per pixel are turned into probabilities at its own resolution; MaskFormer's and Mask2Former's
    are the sum over queries of class probability times mask probability (Cheng et al., "Per-pixel classification is not
    all you need", NeurIPS 2021, eq. 3, without the empty class). Both are resampled to the image before the maximum.
    """

    kind = "segment"
    default = "nvidia/segformer-b0-finetuned-ade-512-512"
    families = {  # noqa: RUF012
        "mask2former": "Mask2FormerForUniversalSegmentation",
        "maskformer": "MaskFormerForInstanceSegmentation",
        "segformer": "SegformerForSemanticSegmentation",
    }
    preprocessing_defaults = {  # noqa: RUF012
        "": {"size": {"height": 512, "width": 512}},
        "mask2former": {"size": {"height": 384, "width": 384}},
    }
    labels = ("instances",)

    @torch.inference_mode()
    def probabilities(self, sample: Sample) -> Array:
        """float32 (classes, height, width) in [0, 1], in the image frame."""
        values, view = self.model_input(sample)
        scores = self._scores(self.model(pixel_values=values))
        return np.stack([map_grid_to_image(one, view) for one in scores.float().cpu().numpy()])

    def _scores(self, outputs: object) -> Tensor:
        """(classes, grid_height, grid_width) of a model's outputs for one image."""
        if self.model_type not in _BY_QUERIES:
            logits: Tensor = outputs.logits[0]  # type: ignore[attr-defined]  # transformers' own output
            return logits.softmax(0)
        shares = outputs.class_queries_logits[0].softmax(-1)[:, :-1]  # type: ignore[attr-defined]
        masks = outputs.masks_queries_logits[0].sigmoid()  # type: ignore[attr-defined]
        return torch.einsum("qc,qhw->chw", shares, masks)

    def label_image(self, sample: Sample) -> Labels:
        """A mask for each class that is the likeliest somewhere, but for the background."""
        numbers = {name: [number] for number, name in self.classes.items() if name != BACKGROUND}
        found = class_masks(self.probabilities(sample), numbers)
        return Labels(instances=tuple(replace(one, provenance=self.provenance(one.confidence)) for one in found))


def class_masks(scores: Array, numbers: Mapping[str, Sequence[int]]) -> tuple[Instance, ...]:
    """A mask for each name that is the likeliest somewhere, with its mean probability there.

    Args:
        scores: float32 (classes, height, width) in [0, 1].
        numbers: The classes that a name stands for.
    """
    best, found = scores.argmax(0), []
    winners = set(np.unique(best).tolist())
    for name, own in numbers.items():
        if winners & set(own):
            mask = np.isin(best, own)
            confidence = float(np.clip(scores[own].sum(0)[mask].mean(), 0, 1))
            found.append(Instance(name, mask=PackedMask.of(mask), confidence=confidence))
    return tuple(found)
