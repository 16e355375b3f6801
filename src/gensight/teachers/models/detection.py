"""Object detectors of the DETR family as teachers: boxes with their category and score."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gensight.errors import ConfigError, did_you_mean
from gensight.geometry import box_model_to_image, clip_box
from gensight.samples import Array, Instance, Sample, View
from gensight.teachers.base import Labels, Share
from gensight.teachers.models.pretrained import PretrainedTeacher

_SOFTMAX = ("detr", "table-transformer", "yolos")  # one class per query, the last one means nothing; others: sigmoids


@dataclass(eq=False)
class DetectionTeacher(PretrainedTeacher):
    """Boxes of objects, with the category names of the model's config, best first.

    Args:
        category: Only objects of this category; None: all that the model knows.
        threshold: Least score of a box.
    """

    kind = "detect"
    default = "PekingU/rtdetr_v2_r50vd"
    families = {  # noqa: RUF012
        "conditional_detr": "ConditionalDetrForObjectDetection",
        "d_fine": "DFineForObjectDetection",
        "deformable_detr": "DeformableDetrForObjectDetection",
        "detr": "DetrForObjectDetection",
        "rf_detr": "RfDetrForObjectDetection",
        "rt_detr": "RTDetrForObjectDetection",
        "rt_detr_v2": "RTDetrV2ForObjectDetection",
        "table-transformer": "TableTransformerForObjectDetection",
        "yolos": "YolosForObjectDetection",
    }
    preprocessing_defaults = {  # noqa: RUF012
        "": {"size": {"shortest_edge": 800, "longest_edge": 1333}},
        "d_fine": {"size": {"height": 640, "width": 640}, "do_normalize": False},
        "rt_detr": {"size": {"height": 640, "width": 640}, "do_normalize": False},
        "rt_detr_v2": {"size": {"height": 640, "width": 640}, "do_normalize": False},
    }
    labels = ("instances",)
    category: str | None = None
    threshold: Share = 0.5

    def load(self) -> Any:
        """As of every pretrained teacher; ConfigError if the model does not know the chosen category."""
        model = super().load()
        known = list(dict.fromkeys(model.config.id2label.values()))
        if self.category is not None and self.category not in known:
            raise ConfigError(
                f"the detector knows no category {self.category!r}",
                where=self.name,
                choices=known if len(known) <= 30 else None,
                hint=did_you_mean(self.category, known) or f"it knows {len(known)}, such as {known[0]!r}",
            )
        return model

    def label_image(self, sample: Sample) -> Labels:
        values, view = self.model_input(sample)
        outputs = self.model(pixel_values=values)
        scores, queries, classes = self._scored(outputs.logits[0].float().cpu())
        boxes = outputs.pred_boxes[0].double().cpu().numpy()
        names = self.classes
        found = []
        for score, query, index in zip(scores.tolist(), queries.tolist(), classes.tolist(), strict=True):
            category = names.get(index, "N/A")
            if category == "N/A" or self.category not in (None, category):
                continue
            box = clip_box(normalized_to_image(boxes[query], view), sample.size)
            if (box[2:] > box[:2]).all():
                provenance = self.provenance(score)
                found.append(Instance(category=category, box=box, confidence=score, provenance=provenance))
        return Labels(instances=tuple(found))

    def _scored(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores not below the threshold, falling, and the query and class of each; logits are (queries, classes)."""
        if self.model_type in _SOFTMAX:
            scores, classes = logits.softmax(-1)[:, :-1].max(-1)
            order = torch.argsort(scores, descending=True, stable=True)
            queries = order
            scores, classes = scores[order], classes[order]
        else:
            flat = logits.sigmoid().flatten()
            order = torch.argsort(flat, descending=True, stable=True)[: len(logits)]  # as many as there are queries
            scores, queries, classes = flat[order], order // logits.shape[1], order % logits.shape[1]
        keep = scores >= self.threshold
        return scores[keep], queries[keep], classes[keep]


def normalized_to_image(box: Array, view: View) -> Array:
    """float64 (4,) edges in image pixels from (centre x, centre y, width, height) as shares of the model frame."""
    height, width = view.model_size
    centre, half = box[:2] * [width, height], box[2:] * [width, height] / 2
    return box_model_to_image(np.concatenate([centre - half, centre + half]), view)
