"""ViTPose models as teachers: keypoints of the subjects whose boxes are known."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gensight.encodings.peaks import dark, largest_cells
from gensight.geometry import model_to_image, scaling, translation, warp_image
from gensight.samples import Array, Instance, Keypoints, Sample, Size, View, Visibility
from gensight.skeletons import COCO_17, NAMED, Skeleton
from gensight.teachers.base import Labels, Share, sure_keypoints
from gensight.teachers.models.preprocessing import aligned_corners
from gensight.teachers.models.pretrained import PretrainedTeacher, boxed_instances

PADDING = 1.25  # of the box, in training and in inference (Xu et al., "ViTPose", NeurIPS 2022; mmpose)
_SIGMA = 2 / 64  # of the training heatmaps, as a share of their height: 2 cells of 64
_NUM_CROPS = 32  # at a time
_SIDES = {"l": "left", "r": "right"}


@dataclass(eq=False)
class PoseTeacher(PretrainedTeacher):
    """Keypoints of the instances that have a box, by a heatmap model of the ViTPose family.

    A crop is the box, grown to the model's aspect and padded by 1.25, as in the model's training (unbiased data
    processing: Huang et al., CVPR 2020): the centres of the corner cells of the heatmaps lie on those of the corner
    pixels of the crop. Peaks are found by this project's sub-pixel decoder (`encodings.peaks.dark`). A keypoint's
    confidence is its heatmap's peak.

    Args:
        category: Instances of this category are labelled; None: all that have a box.
        threshold: Keypoints of a lower confidence stay unlabelled.
        flip_test: Averages the heatmaps with those of the mirrored crop.
        expert: For models with several experts (ViTPose+): the index of the data set whose expert answers; 0 is COCO.
    """

    kind = "pose"
    default = "usyd-community/vitpose-base-simple"
    families = {"vitpose": "VitPoseForPoseEstimation"}  # noqa: RUF012
    preprocessing_defaults = {"": {"size": {"height": 256, "width": 192}}}  # noqa: RUF012
    labels = ("instances",)
    needs = ("instances",)
    category: str | None = "person"
    threshold: Share = 0.3
    flip_test: bool = False
    expert: int = 0

    @cached_property
    def skeleton(self) -> Skeleton:
        """The keypoints that the model knows: a named skeleton where its labels' names fit one, COCO's if it has 17
        without names, else one of its own."""
        names = list(self.classes.values())
        plain = tuple(_plain_name(name) for name in names)
        named = next((skeleton for skeleton in NAMED.values() if skeleton.keypoints == plain), None)
        if named is not None:
            return named
        if all(name.startswith("LABEL_") for name in names) and len(names) == len(COCO_17):
            return COCO_17
        return Skeleton(self.name, plain)

    def label_image(self, sample: Sample) -> Labels:
        subjects = boxed_instances(sample, self.category, self.name)
        boxes = np.array([subject.box for subject in subjects], dtype=np.float64).reshape(-1, 4)
        poses = self.estimate(sample.image(), boxes) if subjects else []
        return Labels(instances=tuple(self._labelled(one, pose) for one, pose in zip(subjects, poses, strict=True)))

    def _labelled(self, subject: Instance, pose: Keypoints) -> Instance:
        keypoints = sure_keypoints(pose, self.threshold)
        sure = keypoints.confidence[keypoints.located]
        confidence = subject.confidence * float(sure.mean()) if len(sure) else 0.0
        return replace(subject, keypoints=keypoints, confidence=confidence, provenance=self.provenance(confidence))

    def estimate(self, image: Array, boxes: Array) -> list[Keypoints]:
        """All keypoints of the subjects in `boxes` (n, 4), whatever their confidence; `image` is uint8 RGB.

        Keypoints of confidence below `threshold` are called absent but keep their point: the best guess.
        """
        size: Size = (image.shape[0], image.shape[1])
        views = [pose_view(size, box, self.preprocessing.fixed_size) for box in boxes]
        found: list[Keypoints] = []
        for start in range(0, len(views), _NUM_CROPS):
            part = views[start : start + _NUM_CROPS]
            crops = torch.cat([self.preprocessing.normalize(warp_image(image, view)) for view in part])
            maps = self.heatmaps(crops).numpy()
            found += [self._decoded(one, view) for one, view in zip(maps, part, strict=True)]
        return found

    @torch.inference_mode()
    def heatmaps(self, crops: Tensor) -> Tensor:
        """float32 (n, K, grid_height, grid_width), on the CPU, of crops (n, 3, height, width)."""
        maps = self._forward(crops)
        if self.flip_test:
            turned = self._forward(crops.flip(-1)).flip(-1)[:, list(self.skeleton.mirror)]
            maps = (maps + turned) / 2
        return maps.float().cpu()

    def _forward(self, crops: Tensor) -> Tensor:
        options = {}
        if getattr(self.model.config.backbone_config, "num_experts", 1) > 1:
            options["dataset_index"] = self.on_device(torch.full((len(crops),), self.expert))
        maps: Tensor = self.model(pixel_values=self.on_device(crops), **options).heatmaps
        return maps

    def _decoded(self, maps: Array, view: View) -> Keypoints:
        confidence = np.clip(largest_cells(maps)[1], 0, 1).astype(np.float32)
        return Keypoints(
            skeleton=self.skeleton,
            points=heatmap_points(maps, view),
            visibility=np.where(confidence >= self.threshold, Visibility.VISIBLE, Visibility.ABSENT).astype(np.int8),
            confidence=confidence,
        )


def pose_view(image_size: Size, box: Array, model_size: Size) -> View:
    """The crop that these models were trained on: the box's centre in the middle, grown to the model's aspect, padded.

    The padded box spans the frame from the centre of its first pixel to that of its last one (Huang et al., CVPR 2020,
    "The Devil is in the Details", section 4.1).
    """
    width, height = np.maximum(box[2:] - box[:2], 1.0)
    aspect = model_size[1] / model_size[0]
    width, height = max(width, height * aspect) * PADDING, max(height, width / aspect) * PADDING
    scale = scaling((model_size[1] - 1) / width, (model_size[0] - 1) / height)
    centre = (box[:2] + box[2:]) / 2
    middle = translation(model_size[1] / 2, model_size[0] / 2)
    return View(image_size, model_size, middle @ scale @ translation(-centre[0], -centre[1]))


def heatmap_points(maps: Array, view: View) -> Array:
    """float64 (K, 2) in image pixels: the sub-pixel peaks of heatmaps (K, grid_height, grid_width) of a crop."""
    grid_size: Size = (maps.shape[1], maps.shape[2])
    cells = dark(maps, _SIGMA * grid_size[0])
    to_model = aligned_corners(grid_size, view.model_size)
    return model_to_image(cells @ to_model[:2, :2].T + to_model[:2, 2], view)


def _plain_name(name: str) -> str:
    """`L_Eye` -> `left_eye`, as this project's skeletons call it."""
    words = name.strip().lower().replace("-", "_").replace(" ", "_").split("_")
    return "_".join(_SIDES.get(word, word) for word in words)
