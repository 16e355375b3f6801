"""Segment Anything models as teachers: the masks of boxes, or of everything that a grid of points hits."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from gensight.geometry import image_to_model, map_grid_to_image, pixel_centres
from gensight.readers.shared.label_maps import PackedMask, box_overlap, mask_box
from gensight.samples import Array, Instance, Sample, Size, View
from gensight.teachers.base import Count, Labels, Share
from gensight.teachers.models.pretrained import PretrainedTeacher, boxed_instances

_NUM_PROMPTS = 64  # at a time
_MAX_OVERLAP = 0.7  # of two masks' boxes, beyond which the worse mask is left out (Kirillov et al. 2023, appendix B)


@dataclass(frozen=True, eq=False)
class _Candidate:
    logits: Array  # float32 (grid_height, grid_width)
    overlap: float  # the model's estimate of intersection over union
    view: View

    def mask(self) -> Array:
        return map_grid_to_image(self.logits, self.view) > 0


@dataclass(eq=False)
class SegmentAnything(PretrainedTeacher):
    """What the teachers that prompt Segment Anything (1, 2, HQ) share."""

    kind = "masks"
    default = "facebook/sam-vit-base"
    families = {  # noqa: RUF012
        "sam": "SamModel",
        "sam_hq": "SamHQModel",
        "sam2": "Sam2Model",
        "sam2_video": "Sam2Model",  # published folders hold both; the video part is left out
    }
    preprocessing_defaults = {  # noqa: RUF012
        "": {
            "size": {"longest_edge": 1024},
            "do_pad": True,
            "pad_size": {"height": 1024, "width": 1024},
        },
        "sam2": {"size": {"height": 1024, "width": 1024}, "do_pad": False},
        "sam2_video": {"size": {"height": 1024, "width": 1024}, "do_pad": False},
    }
    labels = ("instances",)
    identity_settings = ("prompts",)
    prompts: Literal["boxes", "grid"] = "boxes"

    def label_image(self, sample: Sample) -> Labels:
        return Labels(instances=tuple(self.segments(sample)))

    @abstractmethod
    def segments(self, sample: Sample) -> Iterator[Instance]:
        """The instances with a mask."""

    def _segment(self, subject: Instance, mask: Array, confidence: float) -> Instance:
        provenance, area = self.provenance(confidence), float(mask.sum())
        return replace(subject, mask=PackedMask.of(mask), area=area, confidence=confidence, provenance=provenance)

    def _candidates(
        self, sample: Sample, kind: Literal["input_boxes", "input_points"], points: Array, multiple: bool
    ) -> Iterator[list[_Candidate]]:
        """For each prompt, points (n, ..., 2) in the image, the model's masks."""
        values, view = self.model_input(sample)
        embeddings = self.model.get_image_embeddings(values)
        embedded = {"image_embeddings": embeddings}
        if self.model_type == "sam_hq":  # its two kinds of features are one answer
            embedded = {"image_embeddings": embeddings[0], "intermediate_embeddings": embeddings[1]}
        # The models' prompt encoders put the centre of the first pixel at 0, we put it at 0.5.
        prompts = torch.tensor(image_to_model(points, view) - 0.5, dtype=torch.float32)
        if kind == "input_boxes":
            prompts = prompts.flatten(1)
        for part in prompts.split(_NUM_PROMPTS):
            outputs = self.model(**embedded, **{kind: self.on_device(part[None])}, multimask_output=multiple)
            masks = outputs.pred_masks[0].float().cpu().numpy()
            overlaps = outputs.iou_scores[0].float().clamp(0, 1).cpu().numpy()
            for logits, scores in zip(masks, overlaps, strict=True):
                yield [_Candidate(one, float(score), view) for one, score in zip(logits, scores, strict=True)]


@dataclass(eq=False)
class BoxMaskTeacher(SegmentAnything):
    """The masks of the instances that have a box: one each; the model's own estimate of its overlap is the confidence.

    Args:
        category: Instances of this category are labelled; None: all that have a box.
    """

    needs = ("instances",)
    category: str | None = None

    def segments(self, sample: Sample) -> Iterator[Instance]:
        subjects = boxed_instances(sample, self.category, self.name)
        if not subjects:
            return
        corners = np.array([subject.box for subject in subjects], dtype=np.float64).reshape(-1, 2, 2)
        answers = self._candidates(sample, "input_boxes", corners, multiple=False)
        for subject, (candidate,) in zip(subjects, answers, strict=True):
            yield self._segment(subject, candidate.mask(), subject.confidence * candidate.overlap)


@dataclass(eq=False)
class GridMaskTeacher(SegmentAnything):
    """The masks of everything that a grid of points hits ("everything mode": Kirillov et al., ICCV 2023, appendix B).

    Each point prompts three masks. Those are kept whose estimated overlap and whose stability are high, and of masks
    whose boxes nearly agree the best. They are objects without a name.

    Args:
        num_points: Along the image's longer side; as dense along the shorter one.
        threshold: Least estimated overlap.
        stability: Least overlap of the mask at logits above 1 with that at logits above -1.
    """

    prompts: Literal["boxes", "grid"] = "grid"
    num_points: Count = 16
    threshold: Share = 0.88
    stability: Share = 0.95

    def segments(self, sample: Sample) -> Iterator[Instance]:
        points = point_grid(sample.size, self.num_points)[:, None]
        found: list[tuple[float, Array, Array]] = []  # overlap, box, mask
        for candidates in self._candidates(sample, "input_points", points, multiple=True):
            for candidate in candidates:
                if candidate.overlap < self.threshold or stability(candidate.logits) < self.stability:
                    continue
                mask = candidate.mask()
                if (box := mask_box(mask)) is not None:
                    found.append((candidate.overlap, box, mask))
        kept: list[Array] = []
        for overlap, box, mask in sorted(found, key=lambda one: -one[0]):  # equal ones in the order of their points
            if all(box_overlap(box, other) <= _MAX_OVERLAP for other in kept):
                kept.append(box)
                yield self._segment(Instance(box=box), mask, overlap)


def point_grid(size: Size, num_points: int) -> Array:
    """float64 (n, 2): the centres of equal tiles of an image, `num_points` of them along its longer side."""
    counts = [max(1, round(num_points * side / max(size))) for side in size]
    centres = pixel_centres((counts[0], counts[1])).reshape(-1, 2)
    return centres * [size[1] / counts[1], size[0] / counts[0]]


def stability(logits: Array, offset: float = 1.0) -> float:
    """How much of a mask stays when its threshold is moved: overlap of the masks at +offset and -offset."""
    outer = int((logits > -offset).sum())
    return int((logits > offset).sum()) / outer if outer else 0.0
