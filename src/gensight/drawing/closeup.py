"""An image with its prediction and truth, cropped and scaled together, so that small errors can be seen."""

from dataclasses import replace

import numpy as np

from gensight.drawing.canvas import as_canvas
from gensight.geometry import box_image_to_model, box_size, box_to_frame, image_to_model, warp_image, warp_mask
from gensight.samples import Array, Instance, Prediction, Sample, ScoreMap, Size, View

_MARGIN = 0.35  # of a subject's square, on each side


def closeup(
    image: Array, prediction: Prediction, truth: Sample | None, box: Array, longest_side: int
) -> tuple[Array, Prediction, Sample | None]:
    """Cuts a box out of an image and scales it, together with all coordinates of its prediction and truth.

    Args:
        image: uint8 RGB or grey.
        prediction: In the image's frame.
        truth: Of the same image, or None.
        box: (x_min, y_min, x_max, y_max) in image pixels, with a positive area; may reach outside (black).
        longest_side: Of the result, in px.

    Returns:
        The new image, prediction and truth, in the new image's frame.
    """
    canvas = as_canvas(image)
    width, height = box_size(box)
    scale = longest_side / max(width, height)
    size: Size = (max(1, round(height * scale)), max(1, round(width * scale)))
    view = View((canvas.shape[0], canvas.shape[1]), size, box_to_frame(box, size))
    picture = warp_image(canvas, view)
    depth = prediction.depth
    moved = replace(
        prediction,
        size=size,
        instances=tuple(_moved(instance, view) for instance in prediction.instances),
        depth=depth and replace(depth, values=warp_image(np.asarray(depth.values, dtype=np.float32), view)),
        maps={name: _moved_map(score, view) for name, score in prediction.maps.items()},
    )
    if truth is None:
        return picture, moved, None
    instances = None if truth.instances is None else tuple(_moved(instance, view) for instance in truth.instances)
    return picture, moved, replace(truth, size=size, image=lambda: picture, instances=instances, depth=None)


def subject_box(prediction: Prediction, truth: Sample | None) -> Array | None:
    """A square around all keypoints of a prediction and its truth, grown by a third on each side and kept inside the
    image; None if there is no keypoint inside the image, or if nearly all of the image would be in it."""
    instances = prediction.instances + (truth.instances or () if truth is not None else ())
    keypoints = [instance.keypoints for instance in instances if instance.keypoints is not None]
    height, width = prediction.size
    points = np.concatenate([np.zeros((0, 2)), *(known.points[known.located] for known in keypoints)])
    points = points[np.isfinite(points).all(-1)]
    points = points[(points >= 0).all(-1) & (points <= [width, height]).all(-1)]
    if len(points) == 0:
        return None
    low, high = points.min(0), points.max(0)
    side = round(max(float((high - low).max()) * (1 + 2 * _MARGIN), max(height, width) / 5))
    if side > 0.8 * min(height, width):
        return None
    corner = np.clip(np.rint((low + high) / 2 - side / 2), 0, [width - side, height - side])
    return np.concatenate([corner, corner + side])


def _moved_map(score: ScoreMap, view: View) -> ScoreMap:
    return replace(score, view=replace(score.view, image_size=view.model_size, matrix=score.view.matrix @ view.inverse))


def _moved(instance: Instance, view: View) -> Instance:
    keypoints, gaze, mask = instance.keypoints, instance.gaze, instance.mask
    if keypoints is not None:
        keypoints = replace(keypoints, points=image_to_model(keypoints.points, view))
    if gaze is not None:
        points = image_to_model(np.asarray(gaze.points, dtype=np.float64).reshape(-1, 2), view)
        gaze = replace(gaze, points=points, eye=None if gaze.eye is None else image_to_model(gaze.eye, view))
    return replace(
        instance,
        keypoints=keypoints,
        gaze=gaze,
        box=None if instance.box is None else box_image_to_model(instance.box, view),
        head_box=None if instance.head_box is None else box_image_to_model(instance.head_box, view),
        mask=None if mask is None else lambda: warp_mask(mask(), view),
    )
