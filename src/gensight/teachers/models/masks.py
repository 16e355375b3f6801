"""Segment Anything models as teachers: the masks of boxes, or of everything that a grid of points hits."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch

from gensight.backbones.transformers_models import IMAGENET_MEAN, IMAGENET_STD
from gensight.geometry import image_to_model, map_grid_to_image, pixel_centres
from gensight.samples import Array, Instance, Sample, Size, View
from gensight.teachers.base import Labels
from gensight.teachers.models.pretrained import PretrainedTeacher, boxed_instances, check_count, check_share

_NUM_PROMPTS = 64  # at a time
_MAX_OVERLAP = 0.7  # of two masks' boxes, beyond which the worse mask is left out (Kirillov et al. 2023, appendix B)


@dataclass(frozen=True)
class PackedMask:
    """A mask kept as bits; its call is `Instance.mask`.

    Attributes:
        bits: The rows, eight pixels per byte.
        size: (height, width).
    """

    bits: bytes
    size: Size

    @classmethod
    def of(cls, mask: Array) -> "PackedMask":
        """Of a bool (height, width)."""
        return cls(np.packbits(mask).tobytes(), (mask.shape[0], mask.shape[1]))

    def __call__(self) -> Array:
        """bool (height, width)."""
        bits = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=self.size[0] * self.size[1])
        return bits.reshape(self.size).astype(bool)


@dataclass(frozen=True, eq=False)
class _Candidate:
    logits: Array  # float32 (grid_height, grid_width)
    overlap: float  # the model's estimate of intersection over union


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
            "image_mean": IMAGENET_MEAN,
            "image_std": IMAGENET_STD,
        },
        "sam2": {"size": {"height": 1024, "width": 1024}, "do_pad": False},
        "sam2_video": {"size": {"height": 1024, "width": 1024}, "do_pad": False},
    }
    labels = ("instances",)
    identity_settings = ("prompts",)

    @torch.inference_mode()
    def label_image(self, sample: Sample) -> Labels:
        return Labels(instances=tuple(self.segments(sample)))

    @abstractmethod
    def segments(self, sample: Sample) -> Iterator[Instance]:
        """The instances with a mask."""

    def _embed(self, sample: Sample) -> tuple[Any, View]:
        values, view = self.preprocessing(sample.image())
        return self.model.get_image_embeddings(values.to(self.device)), view

    def _candidates(self, embeddings: Any, multiple: bool, **prompts: Array) -> Iterator[list[_Candidate]]:
        """For each prompt, the model's masks. Prompts are in model pixels, (n, ...) each."""
        embedded = {"image_embeddings": embeddings}
        if self.model_type == "sam_hq":  # its two kinds of features are one answer
            embedded = {"image_embeddings": embeddings[0], "intermediate_embeddings": embeddings[1]}
        (count,) = {len(values) for values in prompts.values()}
        for start in range(0, count, _NUM_PROMPTS):
            # The models' prompt encoders put the centre of the first pixel at 0, we put it at 0.5.
            part = {name: values[start : start + _NUM_PROMPTS] - 0.5 for name, values in prompts.items()}
            tensors = {name: torch.tensor(v, dtype=torch.float32, device=self.device)[None] for name, v in part.items()}
            outputs = self.model(**embedded, **tensors, multimask_output=multiple)
            masks = outputs.pred_masks[0].float().cpu().numpy()
            overlaps = outputs.iou_scores[0].float().clamp(0, 1).cpu().numpy()
            for logits, scores in zip(masks, overlaps, strict=True):
                yield [_Candidate(one, float(score)) for one, score in zip(logits, scores, strict=True)]


class BoxMaskTeacher(SegmentAnything):
    """The masks of the instances that have a box: one each; the model's own estimate of its overlap is the confidence.

    Args:
        source: Hub id or folder.
        device: `auto`, `cpu`, `cuda` ...
        local_files_only: Whether to look for a hub id in the local cache only.
        category: Instances of this category are labelled; None: all that have a box.
    """

    needs = ("instances",)

    def __init__(
        self, source: str = "", device: str = "auto", local_files_only: bool = False, category: str | None = None
    ) -> None:
        super().__init__(source, device, local_files_only)
        self.category = category

    def settings(self) -> dict[str, object]:
        return {"prompts": "boxes", "category": self.category}

    def segments(self, sample: Sample) -> Iterator[Instance]:
        subjects = boxed_instances(sample, self.category, self.name)
        if not subjects:
            return
        embeddings, view = self._embed(sample)
        corners = np.array([subject.box for subject in subjects], dtype=np.float64).reshape(-1, 2, 2)
        boxes = image_to_model(corners, view).reshape(-1, 4)
        answers = self._candidates(embeddings, multiple=False, input_boxes=boxes)
        for subject, (candidate,) in zip(subjects, answers, strict=True):
            mask = map_grid_to_image(candidate.logits, view) > 0
            confidence = subject.confidence * candidate.overlap
            yield replace(
                subject,
                mask=PackedMask.of(mask),
                area=float(mask.sum()),
                confidence=confidence,
                provenance=self.provenance(confidence),
            )


class GridMaskTeacher(SegmentAnything):
    """The masks of everything that a grid of points hits ("everything mode": Kirillov et al., ICCV 2023, appendix B).

    Each point prompts three masks. Those are kept whose estimated overlap and whose stability are high, and of masks
    whose boxes nearly agree the best. They are objects without a name.

    Args:
        source: Hub id or folder.
        device: `auto`, `cpu`, `cuda` ...
        local_files_only: Whether to look for a hub id in the local cache only.
        num_points: Along the image's longer side; as dense along the shorter one.
        threshold: Least estimated overlap.
        stability: Least overlap of the mask at logits above 1 with that at logits above -1.
    """

    def __init__(
        self,
        source: str = "",
        device: str = "auto",
        local_files_only: bool = False,
        num_points: int = 16,
        threshold: float = 0.88,
        stability: float = 0.95,
    ) -> None:
        super().__init__(source, device, local_files_only)
        check_count("num_points", num_points, self.name)
        check_share("threshold", threshold, self.name)
        check_share("stability", stability, self.name)
        self.num_points, self.threshold, self.stability = num_points, threshold, stability

    def settings(self) -> dict[str, object]:
        return {
            "prompts": "grid",
            "num_points": self.num_points,
            "threshold": self.threshold,
            "stability": self.stability,
        }

    def segments(self, sample: Sample) -> Iterator[Instance]:
        embeddings, view = self._embed(sample)
        points = image_to_model(point_grid(sample.size, self.num_points), view)
        found: list[tuple[float, Array, Array]] = []  # overlap, box, mask
        for candidates in self._candidates(embeddings, multiple=True, input_points=points[:, None]):
            for candidate in candidates:
                if candidate.overlap < self.threshold or stability(candidate.logits) < self.stability:
                    continue
                mask = map_grid_to_image(candidate.logits, view) > 0
                if mask.any():
                    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
                    found.append((candidate.overlap, np.array([x, y, x + width, y + height], dtype=np.float64), mask))
        found.sort(key=lambda one: -one[0])  # stable: equal ones in the order of their points
        for overlap, box, mask in _distinct(found):
            yield Instance(
                box=box,
                mask=PackedMask.of(mask),
                area=float(mask.sum()),
                confidence=overlap,
                provenance=self.provenance(overlap),
            )


def point_grid(size: Size, num_points: int) -> Array:
    """float64 (n, 2): the centres of equal tiles of an image, `num_points` of them along its longer side."""
    counts = [max(1, round(num_points * side / max(size))) for side in size]
    centres = pixel_centres((counts[0], counts[1])).reshape(-1, 2)
    return centres * [size[1] / counts[1], size[0] / counts[0]]


def stability(logits: Array, offset: float = 1.0) -> float:
    """How much of a mask stays when its threshold is moved: overlap of the masks at +offset and -offset."""
    outer = int((logits > -offset).sum())
    return int((logits > offset).sum()) / outer if outer else 0.0


def _distinct(found: list[tuple[float, Array, Array]]) -> list[tuple[float, Array, Array]]:
    """Non-maximum suppression over the boxes; the best come first."""
    kept: list[tuple[float, Array, Array]] = []
    for one in found:
        if all(_box_overlap(one[1], other[1]) <= _MAX_OVERLAP for other in kept):
            kept.append(one)
    return kept


def _box_overlap(first: Array, second: Array) -> float:
    """Intersection over union."""
    sides = np.maximum(np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]), 0)
    shared = float(sides.prod())
    return shared / (float((first[2:] - first[:2]).prod()) + float((second[2:] - second[:2]).prod()) - shared)
