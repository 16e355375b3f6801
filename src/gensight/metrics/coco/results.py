"""Predictions as the entries of a COCO results file, which pycocotools and others can score."""

from collections.abc import Mapping, Sequence
from typing import Any

from gensight.errors import DataError
from gensight.metrics.coco.oks import coco_points
from gensight.samples import Prediction
from gensight.skeletons import COCO_17, Skeleton
from gensight.transforms.keypoints import convert_keypoints


def coco_results(
    predictions: Sequence[Prediction],
    image_ids: Mapping[str, int],
    skeleton: Skeleton = COCO_17,
    category_id: int = 1,
) -> list[dict[str, Any]]:
    """One entry per predicted instance with keypoints, in COCO's coordinates, sorted by image and item.

    Args:
        predictions: Merged per image or not.
        image_ids: Sample key -> `image_id` in the data set's own file.
        skeleton: The keypoints and their order in the file; people's skeletons are turned into each other.
        category_id: 1 is COCO's person.

    Returns:
        Dicts of `image_id`, `category_id`, `keypoints` (x, y, confidence of each; 0, 0, 0 where there is no point) and
        `score`, ready for JSON.

    Raises:
        DataError: If an image has no id, or the keypoints are of another body.
    """
    entries = []
    for prediction in sorted(predictions, key=lambda prediction: (prediction.sample_key, prediction.item_key)):
        if prediction.sample_key not in image_ids:
            raise DataError("this image has no id in the data set's file", where=prediction.sample_key)
        for instance in prediction.instances:
            if instance.keypoints is None:
                continue
            keypoints = convert_keypoints(instance.keypoints, skeleton)
            points, known = coco_points(keypoints)
            triples = [
                number
                for (x, y), there, confidence in zip(points, known, keypoints.confidence, strict=True)
                for number in (float(x), float(y), float(confidence) if there else 0.0)
            ]
            entries.append(
                {
                    "image_id": image_ids[prediction.sample_key],
                    "category_id": category_id,
                    "keypoints": triples,
                    "score": float(instance.confidence),
                }
            )
    return entries
