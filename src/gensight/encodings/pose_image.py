"""Poses as one image: skeletons in the colours of OpenPose, as pose-controlled image models take them."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gensight.drawing.openpose import draw_skeletons
from gensight.encodings.base import GridEncoding, OutputSpec, predict
from gensight.encodings.grids import map_array
from gensight.encodings.points import found_subject, is_located, located_subjects
from gensight.encodings.skeleton_decoding import Found, find_people
from gensight.geometry import box_image_to_model, grid_to_image, image_to_model, inside, model_to_grid
from gensight.samples import Array, Instance, Item, Keypoints, Prediction, Sample, ScoreMap, Size, View, Visibility
from gensight.skeletons import Skeleton
from gensight.transforms.keypoints import convert_keypoints

Drawn = Literal["all", "subject"]
# Of a dot, as a share of the grid's geometric-mean side. Pictures that control image models have 1/128 at 512 x 512,
# which the cells of a coarse grid could not show.
RADIUS: dict[Drawn, float] = {"all": 1 / 64, "subject": 1 / 32}
LIMB_SHARE = 0.36  # of a dot's radius: thin limbs leave the dots' colours clean


class PoseImage(GridEncoding):
    """Skeletons as an RGB picture on black.

    Output `pose`: (3, grid_height, grid_width) in [0, 1], each cell the mean over its area. Located keypoints inside
    the model frame are drawn, occluded ones like visible ones, and limbs between two of them. In a mirrored view paired
    keypoints swap names first, so a colour always stands for the keypoint that appears in the view. `pose_weight` is
    (1, grid_height, grid_width): 0 where crowds and people without keypoints are (`all` only), and everywhere if nobody
    was annotated.

    Bounds on its own encodings, measured on the synthetic people of `puppets` as the share of visible keypoints that
    come back within 0.05 of the box's longer side: `subject`, in views cropped to the box, 96 % on 32 x 32 cells and
    98 % on 64 x 64 (dots of a small head hide each other; the median error is 0.15 cells); `all`, in views of whole
    images with one to three people, 76 % on 64 x 64 cells and 84 % on 128 x 128: people whose keypoints share cells are
    taken for one, and limbs that lie on each other may change owners.

    Args:
        skeleton: The keypoints to draw. Instances with another skeleton are converted by name where they can be.
        stride: Model pixels per cell.
        instances: `all` draws everybody in the image, an item being a sample; `subject` the item's instance alone, as
            suits views that are cropped to it.

    Errors:
        ConfigError: a value out of its range.
    """

    name = "pose-image"
    cells = "pose image"

    def __init__(self, skeleton: Skeleton, stride: int = 4, instances: Drawn = "subject") -> None:
        super().__init__(stride)
        self.skeleton, self.instances = skeleton, instances
        self._mirror = np.array(skeleton.mirror)

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        return {"pose": OutputSpec(3, "sparse-image")}

    def items(self, sample: Sample) -> list[Item]:
        """One per sample, or per instance, that is no crowd and has a located keypoint of this skeleton."""
        usable = located_subjects(sample, self.skeleton)
        if self.instances == "all":
            return [Item((sample,))] if usable else []
        return [Item((sample,), index) for index in usable]

    def _widths(self, grid_size: Size) -> tuple[float, float]:
        """Radius and half width in cells."""
        radius = RADIUS[self.instances] * float(np.sqrt(grid_size[0] * grid_size[1]))
        return radius, LIMB_SHARE * radius

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        """Target (3, grid_height, grid_width) and weight (1, grid_height, grid_width)."""
        view = views[0]
        grid_size = self.grid_size(view.model_size)
        people = [one for one in self._asked(item) if is_located(one, self.skeleton)]
        points = np.zeros((len(people), len(self.skeleton), 2))
        shown = np.zeros(points.shape[:2], dtype=bool)
        for number, person in enumerate(people):
            assert person.keypoints is not None
            keypoints = convert_keypoints(person.keypoints, self.skeleton)
            order = self._mirror if view.mirrored else slice(None)
            places = image_to_model(keypoints.points, view)[order]
            shown[number] = keypoints.located[order] & np.isfinite(places).all(1) & inside(places, view.model_size)
            points[number] = model_to_grid(np.where(shown[number, :, None], places, 0), view.model_size, grid_size)
        picture = draw_skeletons(points, shown, self.skeleton, grid_size, *self._widths(grid_size))
        return {
            "pose": torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))),
            "pose_weight": torch.from_numpy(self._weight(item, view, grid_size, bool(people))[None]),
        }

    def _asked(self, item: Item) -> tuple[Instance, ...]:
        if self.instances == "all":
            return item.sample.instances or ()
        return () if item.subject is None else (item.subject,)

    def _weight(self, item: Item, view: View, grid_size: Size, labelled: bool) -> Array:
        if self.instances == "subject" or item.sample.instances is None:
            return np.full(grid_size, float(labelled), dtype=np.float32)
        weight = np.ones(grid_size, dtype=np.float32)
        for one in item.sample.instances:
            unknown = one.is_crowd or one.keypoints is None or not one.keypoints.visibility.any()
            if unknown and one.box is not None:
                box = box_image_to_model(one.box, view).reshape(2, 2)
                (left, top), (right, bottom) = np.clip(
                    model_to_grid(box, view.model_size, grid_size), 0, grid_size[::-1]
                )
                weight[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = 0
        return weight

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """The people found, in the image frame, and `maps["pose"]`.

        Under `subject` there is always one, with a guess for keypoints that are not drawn (NaN where their colour is
        nowhere); under `all` as many as are seen, whose other keypoints are NaN. A keypoint's confidence is 0.5 to 1 by
        the brightness of its dot where it is drawn (`visible`), else 0 to 0.5 (`absent`).
        """
        view = views[0]
        picture = map_array(outputs["pose"], 3, self.grid_size(view.model_size), "pose")
        subject = item.subject if self.instances == "subject" else None
        people = [self._instance(found, view, picture.shape[1:], subject) for found in self._find(picture)]
        maps = {"pose": ScoreMap(np.clip(picture, 0, 1), view, "drawing")}
        return predict(item, instances=tuple(people), maps=maps)

    def _find(self, picture: Array) -> list[Found]:
        """The people in a picture (3, grid_height, grid_width), in cells."""
        widths = self._widths((picture.shape[1], picture.shape[2]))
        num_people = 1 if self.instances == "subject" else 1000
        return find_people(picture.transpose(1, 2, 0), self.skeleton, *widths, num_people)

    def _instance(self, found: Found, view: View, grid_size: Size, subject: Instance | None) -> Instance:
        points = found.points if self.instances == "subject" else np.where(found.drawn[:, None], found.points, np.nan)
        drawn, brightness = found.drawn, found.brightness
        if view.mirrored:
            points, drawn, brightness = points[self._mirror], drawn[self._mirror], brightness[self._mirror]
        confidence = np.where(drawn, 0.5 + 0.5 * brightness, 0.5 * np.minimum(brightness, 0.99)).astype(np.float32)
        visibility = np.where(drawn, Visibility.VISIBLE, Visibility.ABSENT).astype(np.int8)
        keypoints = Keypoints(self.skeleton, grid_to_image(points, view, grid_size), visibility, confidence)
        return found_subject(keypoints, subject, "person")

    def mirror(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Pictures (..., 3, grid_height, grid_width) of mirrored images, turned back.

        Colours name keypoints, so a flipped picture has to be read and drawn again, with each one's names exchanged;
        it comes out as dim as the dots were.
        """
        maps = outputs["pose"]
        pictures = maps.detach().float().cpu().numpy().reshape(-1, *maps.shape[-3:])
        turned = np.stack([self._redrawn(picture[..., ::-1]) for picture in pictures])
        return {"pose": torch.from_numpy(turned).to(maps).reshape(maps.shape)}

    def _redrawn(self, picture: Array) -> Array:
        grid_size: Size = (picture.shape[1], picture.shape[2])
        result = np.zeros(picture.shape, dtype=np.float32)
        for found in self._find(picture):
            drawn = found.drawn[self._mirror][None]
            points = np.where(drawn[..., None], found.points[self._mirror], 0)
            one = draw_skeletons(points, drawn, self.skeleton, grid_size, *self._widths(grid_size)).transpose(2, 0, 1)
            light = float(found.brightness[found.drawn].mean()) if drawn.any() else 0.0
            result = np.maximum(result, light * one)
        return result
