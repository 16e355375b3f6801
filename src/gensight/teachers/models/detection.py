"""Object detectors of the DETR family as teachers: boxes with their category and score."""

from difflib import get_close_matches

import numpy as np
import torch
from torch import Tensor

from gensight.backbones.transformers_models import IMAGENET_MEAN, IMAGENET_STD
from gensight.errors import ConfigError
from gensight.geometry import box_model_to_image, clip_box
from gensight.samples import Array, Instance, Sample, View
from gensight.teachers.base import Labels
from gensight.teachers.models.pretrained import PretrainedTeacher, check_share

_SOFTMAX = ("detr", "table-transformer", "yolos")  # one class per query, the last one means nothing; others: sigmoids


class DetectionTeacher(PretrainedTeacher):
    """Boxes of objects, with the category names of the model's config, best first.

    Args:
        source: Hub id or folder.
        device: `auto`, `cpu`, `cuda` ...
        local_files_only: Whether to look for a hub id in the local cache only.
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
        "": {
            "size": {"shortest_edge": 800, "longest_edge": 1333},
            "image_mean": IMAGENET_MEAN,
            "image_std": IMAGENET_STD,
        },
        "d_fine": {"size": {"height": 640, "width": 640}, "do_normalize": False},
        "rt_detr": {"size": {"height": 640, "width": 640}, "do_normalize": False},
        "rt_detr_v2": {"size": {"height": 640, "width": 640}, "do_normalize": False},
    }
    labels = ("instances",)

    def __init__(
        self,
        source: str = "",
        device: str = "auto",
        local_files_only: bool = False,
        category: str | None = None,
        threshold: float = 0.5,
    ) -> None:
        super().__init__(source, device, local_files_only)
        check_share("threshold", threshold, self.name)
        self.category, self.threshold = category, threshold

    def settings(self) -> dict[str, object]:
        return {"category": self.category, "threshold": self.threshold}

    @property
    def categories(self) -> dict[int, str]:
        """Index -> name of what the model knows."""
        return {int(index): str(name) for index, name in self.model.config.id2label.items()}

    def prepare(self) -> None:
        """As of every pretrained teacher; ConfigError if the model does not know the chosen category."""
        super().prepare()
        known = list(dict.fromkeys(self._model.config.id2label.values()))
        if self.category is not None and self.category not in known:
            near = get_close_matches(self.category, known, n=1)
            raise ConfigError(
                f"the detector knows no category {self.category!r}",
                where=self.name,
                choices=known if len(known) <= 30 else None,
                hint=f"did you mean {near[0]!r}?" if near else f"it knows {len(known)}, such as {known[0]!r}",
            )

    @torch.inference_mode()
    def label_image(self, sample: Sample) -> Labels:
        values, view = self.preprocessing(sample.image())
        outputs = self.model(pixel_values=values.to(self.device))
        scores, queries, classes = self._scored(outputs.logits[0].float().cpu())
        boxes = outputs.pred_boxes[0].double().cpu().numpy()
        found = []
        for score, query, index in zip(scores.tolist(), queries.tolist(), classes.tolist(), strict=True):
            category = self.categories.get(index, "N/A")
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
