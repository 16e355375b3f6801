"""A pose teacher as a baseline, on the same items and metrics as a run."""

import numpy as np

from gensight.errors import ConfigError
from gensight.loading.views import subject_box
from gensight.samples import Instance, Item, Prediction
from gensight.skeletons import Skeleton
from gensight.teachers.models.pose import PoseTeacher
from gensight.transforms.keypoints import can_convert, convert_keypoints


class PoseTeacherBaseline:
    """Answers keypoint items with a pose model's keypoints, in the skeleton of a run.

    The crop is the model's own (the item's box padded by 1.25); the run's view is not used.

    Args:
        teacher: Any of `pose:MODEL`; its category filter is not used.
        skeleton: The target keypoints; the neck is the midpoint of the shoulders.

    Raises:
        ConfigError: The model does not know these keypoints.
        RunError: The model's files are missing or damaged.
    """

    def __init__(self, teacher: PoseTeacher, skeleton: Skeleton) -> None:
        teacher.prepare()
        if not can_convert(teacher.skeleton, skeleton):
            raise ConfigError(
                f"`{teacher.name}` knows the keypoints of {teacher.skeleton.name}, not those of {skeleton.name}",
                hint="choose a pose model of the same body, or leave this baseline out",
            )
        self.teacher, self.skeleton = teacher, skeleton

    def __call__(self, item: Item) -> Prediction:
        """One instance with all keypoints; its confidence is their mean. Raises DataError for an item without a box."""
        sample, subject = item.sample, item.subject
        box = np.asarray(subject_box(item), dtype=np.float64)
        (found,) = self.teacher.estimate(sample.image(), box[None])
        keypoints = convert_keypoints(found, self.skeleton)
        instance = Instance(
            category="object" if subject is None else subject.category,
            box=box if subject is None or subject.box is None else subject.box,
            keypoints=keypoints,
            confidence=float(keypoints.confidence.mean()),
            provenance=self.teacher.provenance(float(keypoints.confidence.mean())),
        )
        return Prediction(
            sample_key=sample.key, size=sample.size, instances=(instance,), item_key=item.key, group=sample.group
        )
