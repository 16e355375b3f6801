"""`PuppetsReader`: the built-in synthetic data set, rendered from a seed."""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Literal

import cv2
import numpy as np

from gensight.errors import ConfigError, DataError
from gensight.puppets import render
from gensight.puppets.bodies.species import SPECIES
from gensight.puppets.camera import Projection, project
from gensight.puppets.captions import caption
from gensight.puppets.clean_staging import draw_clean_scene
from gensight.puppets.correspondence import correspond, grid
from gensight.puppets.scenes import Moment, Scene
from gensight.puppets.staging import draw_scene
from gensight.readers.base import Reader
from gensight.readers.shared.checking import Finding, Summary
from gensight.samples import SYNTHETIC, Array, Depth, Gaze, Instance, Keypoints, Relation, Sample, Size, Visibility
from gensight.skeletons import ANIMAL_17, OPENPOSE_18

TRUTHS = ("keypoints", "boxes", "masks", "depth", "edges", "caption", "gaze", "identity", "camera")
SUBJECTS = ("people", "animals", "all")
STYLES = ("full", "clean")
_CACHED_FRAMES = 4
_FACE = frozenset(
    OPENPOSE_18.keypoints.index(name) for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
)
_HEADWEAR = frozenset(("hat", "brim", "hair", "hair-left", "hair-right", "hair-fall", "hair-tail"))
_MIN_PIXELS_SHARE = 2e-4  # of the image: smallest visible part of a subject that counts as in the picture


class PuppetsReader(Reader):
    """People and animals in procedural scenes, with exact truths; needs nothing on disk.

    Sample i depends on the seed and i alone, and its scene is described in metres: another size shows the same picture
    larger, and a longer image shows more of it on both sides. Other seeds are other data sets, so each split takes its
    own. Samples cost a few milliseconds, since visibility comes from rendering; `image()` renders the colours.

    Args:
        num_samples: Number of images.
        seed: Non-negative.
        size: (height, width) in pixels.
        truths: Which of `TRUTHS` to compute; categories are always known. `camera` fills `Sample.extras` as
            `RgbdReader` does: `pose` and `intrinsics`.
        subjects: `people`, `animals` or `all`.
        num_subjects: Fewest and most subjects in a scene, before occlusion.
        num_frames: Consecutive images that show one scene in motion; they share a group.
        style: `full` scenes also hold small, cropped and hidden subjects, clutter, uneven light, blur and grain;
            `clean` ones show mostly one subject, whole, large, sharp and evenly lit. A seed's `clean` scenes are not
            its `full` ones.
    """

    name = "puppets"

    def __init__(
        self,
        num_samples: int,
        seed: int = 0,
        size: Size = (128, 128),
        truths: Sequence[str] = ("keypoints", "boxes"),
        subjects: Literal["people", "animals", "all"] = "people",
        num_subjects: tuple[int, int] = (1, 3),
        num_frames: int = 1,
        style: Literal["full", "clean"] = "full",
    ) -> None:
        for what, given, choices in (
            *(("truth", truth, TRUTHS) for truth in truths), ("subjects", subjects, SUBJECTS), ("style", style, STYLES)
        ):  # fmt: skip
            if given not in choices:
                raise ConfigError(f"puppets know no {what} {given!r}", choices=choices)
        if num_samples < 1 or num_frames < 1:
            raise DataError(
                "puppets need at least one sample and one frame", hint="set num_samples and num_frames to 1 or more"
            )
        if min(size) < 8:
            raise ConfigError(
                f"puppets cannot be rendered at {size[0]} x {size[1]} pixels", hint="choose sides of 8 or more"
            )
        if not 0 <= num_subjects[0] <= num_subjects[1]:
            raise ConfigError(f"num_subjects={num_subjects} is not a range", hint="give the fewest, then the most")
        self.num_samples, self.seed, self.size, self.truths = num_samples, seed, (size[0], size[1]), tuple(truths)
        self.subjects, self.num_subjects = subjects, (num_subjects[0], num_subjects[1])
        self.num_frames, self.style = num_frames, style
        self.skeleton = {"people": OPENPOSE_18, "animals": ANIMAL_17, "all": None}[subjects]
        animals = tuple(SPECIES)
        self.categories = {"people": ("person",), "animals": animals, "all": ("person", *animals)}[subjects]

    def __len__(self) -> int:
        return self.num_samples

    def _frame(self, index: int) -> tuple[Scene, Moment, Projection]:
        number, frame = divmod(index, self.num_frames)
        return _project(frame, self.size, self.style, self.seed, number, self.subjects, self.num_subjects)

    def group(self, index: int) -> str:
        """The scene that a sample shows."""
        return f"puppets-{self.seed}/{index // self.num_frames:06d}"

    def sample(self, index: int) -> Sample:
        group = self.group(index)
        key = group if self.num_frames == 1 else f"{group}#{index % self.num_frames:03d}"
        scene, moment, projection = self._frame(index)
        boxes = visible_boxes(projection)
        instances = tuple(
            self._instance(index, number, boxes[scene.first_subject + number])
            for number in range(len(scene.subjects))
            if scene.first_subject + number in boxes
        )
        camera = {}
        if "camera" in self.truths:
            camera = {"pose": moment.camera.pose, "intrinsics": moment.camera.intrinsics(self.size)}
        return Sample(
            key=key,
            size=self.size,
            image=partial(self._image, index),
            instances=instances,
            depth=partial(self._depth, index) if "depth" in self.truths else None,
            edges=partial(self._edges, index) if "edges" in self.truths else None,
            caption=caption(scene, moment, boxes, self.size) if "caption" in self.truths else None,
            group=group,
            extras=camera,
        )

    def _instance(self, index: int, number: int, seen: tuple[Array, int]) -> Instance:
        scene, moment, projection = self._frame(index)
        subject, truths = scene.subjects[number], self.truths
        box, area = seen
        head_box, gaze = _gaze(moment, number, projection) if "gaze" in truths else (None, None)
        identity = None
        if "identity" in truths:
            name = subject.category if subject.person is None else subject.person.name
            identity = f"{name}-{self.seed}-{index // self.num_frames:06d}-{number}"
        return Instance(
            category=subject.category,
            box=box if "boxes" in truths else None,
            keypoints=moment_keypoints(moment, number, projection) if "keypoints" in truths else None,
            mask=partial(self._mask, index, scene.first_subject + number) if "masks" in truths else None,
            head_box=head_box,
            gaze=gaze,
            area=float(area) if "boxes" in truths else None,
            identity=identity,
            id=index * 100 + number,
            provenance=SYNTHETIC,
        )

    def _image(self, index: int) -> Array:
        scene, _, projection = self._frame(index)
        return render.paint(scene, projection)

    def _mask(self, index: int, entity: int) -> Array:
        return self._frame(index)[2].owners == entity

    def _depth(self, index: int) -> Depth:
        return Depth(render.depth_map(self._frame(index)[2]), "metric")

    def _edges(self, index: int) -> Array:
        return render.edge_map(self._frame(index)[2])

    def relation(self, first: int, second: int) -> Relation | None:
        """1,024 points spread evenly over the first of two frames, and where the second shows them; else None.

        A point is NaN in the second frame where it is hidden there, lies outside, or cannot be followed (the sky, hair
        and hats).
        """
        if self.group(first) != self.group(second):
            return None
        points = grid(self.size, (32, 32))
        found, visible = correspond(self._frame(first)[2], self._frame(second)[2], points)
        return Relation("tracks", np.stack([points, np.where(visible[:, None], found, np.nan)]), provenance=SYNTHETIC)

    def check(self) -> Summary:
        """Renders up to 100 samples spread over the set and counts what they show."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(len(self), 100)).astype(int)).tolist()
        counts = [len(self.sample(index).instances or ()) for index in chosen]
        findings = []
        if empty := counts.count(0):
            findings.append(Finding("note", "samples whose subjects are all hidden or out of the picture", count=empty))
        if len(chosen) < len(self):
            what = f"{len(chosen)} samples were rendered; the number of instances is estimated from them"
            findings.append(Finding("note", what))
        return Summary(len(self), round(sum(counts) / len(chosen) * len(self)), self.truths, tuple(findings))


@lru_cache(maxsize=_CACHED_FRAMES)
def _draw_scene(style: str, seed: int, number: int, subjects: str, num_subjects: tuple[int, int]) -> Scene:
    draw = draw_clean_scene if style == "clean" else draw_scene
    return draw(seed, number, subjects, num_subjects)


@lru_cache(maxsize=_CACHED_FRAMES)  # the image, the masks, the depth and the edges of a sample share one projection
def _project(
    frame: int, size: Size, style: str, seed: int, number: int, subjects: str, num_subjects: tuple[int, int]
) -> tuple[Scene, Moment, Projection]:
    scene = _draw_scene(style, seed, number, subjects, num_subjects)
    moment = scene.at(frame)
    return scene, moment, project(moment.entities, moment.camera, size)


def visible_boxes(projection: Projection) -> dict[int, tuple[Array, int]]:
    """For each visible entity: the box around its visible pixels, and their number."""
    owners = projection.owners
    counts = np.bincount(owners.ravel() + 1, minlength=len(projection.entities) + 1)[1:]
    found = {}
    for entity, count in enumerate(counts.tolist()):
        if entity == 0 or count < max(_MIN_PIXELS_SHARE * owners.size, 1):
            continue
        x, y, wide, high = cv2.boundingRect((owners == entity).view(np.uint8))
        found[entity] = (np.array([x, y, x + wide, y + high], dtype=np.float64), count)
    return found


def moment_keypoints(moment: Moment, number: int, projection: Projection) -> Keypoints:
    """Image places of a subject's keypoints; hidden ones lie behind a nearer surface or on a side that faces away."""
    places, normals, covered = moment.keypoints[number]
    skeleton = ANIMAL_17 if moment.heads[number] is None else OPENPOSE_18
    points, depths = moment.camera.world_to_image(places, projection.size)
    towards = moment.camera.position - places
    facing = (normals * towards).sum(1) / np.linalg.norm(towards, axis=1)
    # A keypoint is inside the body: its own surface may lie this much nearer.
    tolerance = 0.05 * float(np.linalg.norm(places.max(0) - places.min(0)))
    visibility = np.full(len(places), Visibility.ABSENT, np.int8)
    shown = ((points >= 0) & (points < projection.size[::-1])).all(1)  # False also behind the camera: NaN
    points[~shown] = np.nan
    for k in np.flatnonzero(shown).tolist():
        hidden = covered[k] or facing[k] < -0.12 or projection.depth_at(points[k]) < depths[k] - tolerance
        if not hidden and skeleton is OPENPOSE_18 and k in _FACE:
            piece = projection.piece_at(points[k])
            hidden = piece is not None and piece.shape.name in _HEADWEAR
        visibility[k] = Visibility.OCCLUDED if hidden else Visibility.VISIBLE
    return Keypoints(skeleton, points, visibility, np.ones(len(places), np.float32))


def _gaze(moment: Moment, number: int, projection: Projection) -> tuple[Array | None, Gaze | None]:
    head = moment.heads[number]
    if head is None:
        return None, None
    centre, eyes, radius = head
    height, width = projection.size
    around = centre + 1.08 * radius * np.array([projection.camera.rotation[0] * 0.85, projection.camera.rotation[1]])
    middle, depth = moment.camera.world_to_image(np.stack([centre, *around, eyes]), projection.size)
    box = None
    if depth[0] > 0.15:
        half = np.array([abs(middle[1, 0] - middle[0, 0]), abs(middle[2, 1] - middle[0, 1])])
        box = np.clip(np.concatenate([middle[0] - half, middle[0] + half]), 0, [width, height, width, height])
        if box[2] - box[0] < 1 or box[3] - box[1] < 1:
            box = None
    target = moment.targets[number]
    eye = middle[3] if np.isfinite(middle[3]).all() else None
    if target is None:
        return box, Gaze(np.zeros((0, 2)), None, eye)
    (point,), _ = moment.camera.world_to_image(target[None], projection.size)
    in_frame = bool(0 <= point[0] < width and 0 <= point[1] < height)
    return box, Gaze(point[None] if in_frame else np.zeros((0, 2)), in_frame, eye)
