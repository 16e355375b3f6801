"""What the network sees of a sample: views (exact affine maps), and their augmentation.

- `views`: `whole_frame`, `fitted_frame`, `stretched_frame`, `around_box`, `stretched_box`, `mirror_view`.
- `augmentation`: `Augmentation`, `augment_view` (moves pixels and labels together), `augment_pixels` (colours only).
- `keypoints`: `convert_keypoints`, from one skeleton to another by name.
"""

from gensight.transforms.augmentation import Augmentation, augment_pixels, augment_view
from gensight.transforms.keypoints import can_convert, convert_keypoints
from gensight.transforms.views import around_box, fitted_frame, mirror_view, stretched_box, stretched_frame, whole_frame

__all__ = [
    "Augmentation",
    "around_box",
    "augment_pixels",
    "augment_view",
    "can_convert",
    "convert_keypoints",
    "fitted_frame",
    "mirror_view",
    "stretched_box",
    "stretched_frame",
    "whole_frame",
]
