"""The shared data types: Sample, Item, View, Batch, Prediction.

Conventions:
- Images are uint8 RGB, (height, width, 3), upright. Sizes are (height, width).
- Points are (x, y) in pixels, continuous: the centre of the top-left pixel is (0.5, 0.5). Boxes are (x_min, y_min,
  x_max, y_max) likewise, so width = x_max - x_min.
- Unknown is absent (None, NaN or `Visibility.UNLABELLED`), never zero.

Data flow: readers yield Samples, encodings build Items, transforms give each its Views, loading stacks them to a Batch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from gensight.reprs import OneLine
from gensight.skeletons import Skeleton

if TYPE_CHECKING:  # torch takes a second to import
    from torch import Tensor

Size = tuple[int, int]
Array = npt.NDArray[Any]


class Visibility(IntEnum):
    """What is known of one keypoint."""

    UNLABELLED = 0  # not annotated: no loss, no score
    ABSENT = 1  # annotated as not in the image: supervised as empty
    OCCLUDED = 2  # its place is known, but something hides it
    VISIBLE = 3


@dataclass(frozen=True)
class Provenance:
    """Where an annotation came from.

    Attributes:
        source: `human`, `synthetic`, or a teacher's `name@version`.
        confidence: In [0, 1]; 1 for human and synthetic labels.
    """

    source: str = "human"
    confidence: float = 1.0


HUMAN = Provenance("human")
SYNTHETIC = Provenance("synthetic")


@dataclass(frozen=True, eq=False, repr=False)
class Keypoints(OneLine):
    """The keypoints of one subject.

    Attributes:
        skeleton: Names and order (K keypoints).
        points: float64 (K, 2), (x, y) in image pixels; NaN where unlabelled or absent.
        visibility: int8 (K,) of `Visibility`.
        confidence: float32 (K,) in [0, 1]: a prediction's calibrated confidence; 1 for ground truth.
    """

    skeleton: Skeleton
    points: Array
    visibility: Array
    confidence: Array

    @property
    def located(self) -> Array:
        """bool (K,): the keypoints whose place is known (occluded or visible)."""
        return self.visibility >= Visibility.OCCLUDED


@dataclass(frozen=True, eq=False, repr=False)
class Gaze(OneLine):
    """Where a person looks.

    Attributes:
        points: float64 (num_annotators, 2) in image pixels; empty if no target is known.
        in_frame: Whether the target lies in the image; None if unknown.
        eye: float64 (2,) eye position, or None.
        in_frame_probability: A prediction's confidence that the target lies in the image; None for ground truth.
        spread: Root mean square distance of a prediction's samples from their mean, in pixels; None for one sample.
    """

    points: Array
    in_frame: bool | None = None
    eye: Array | None = None
    in_frame_probability: float | None = None
    spread: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Instance(OneLine):
    """One subject in an image: a person, an animal, an object. Ground truth and predictions share this type.

    Attributes:
        category: Class name, for example `person`.
        box: float64 (4,) or None.
        keypoints: Or None.
        mask: Returns bool (height, width) when called, since masks are large; None if unknown.
        head_box: float64 (4,) or None.
        gaze: Or None.
        area: Segment area in px^2 (COCO's `area`), or None.
        identity: Name of the individual, stable over frames, or None.
        is_crowd: COCO's `iscrowd`: a group, never an instance to train on.
        id: The annotation's id in its own data set, or None.
        confidence: In [0, 1]; a detection's or prediction's score; 1 for ground truth.
        provenance: Where the annotation came from.
    """

    category: str = "object"
    box: Array | None = None
    keypoints: Keypoints | None = None
    mask: Callable[[], Array] | None = None
    head_box: Array | None = None
    gaze: Gaze | None = None
    area: float | None = None
    identity: str | None = None
    is_crowd: bool = False
    id: int | None = None
    confidence: float = 1.0
    provenance: Provenance = HUMAN


@dataclass(frozen=True, eq=False, repr=False)
class Depth(OneLine):
    """A depth map.

    Attributes:
        values: float32 (height, width), NaN where unknown.
        kind: `metric` (metres) or `affine` (right up to scale and shift, or an inverse of it).
    """

    values: Array
    kind: Literal["metric", "affine"] = "metric"


@dataclass(frozen=True, eq=False, repr=False)
class Sample(OneLine):
    """One image or frame and whatever is known of it. Never changed after reading; cheap until `image()` is called.

    What is callable is picklable (a small class, no closure): loader workers send samples to the training process.

    Attributes:
        key: Unique and stable within its data set, for example the path relative to the root, or `video.mp4#000012`.
        size: (height, width) of the upright image.
        image: Returns uint8 RGB (height, width, 3), upright.
        instances: Subjects in the image; None if nobody annotated any, () if annotated and none is there.
        depth: Returns the depth map, or None.
        edges: Returns float32 (height, width) in [0, 1], how much of an edge each pixel is; or None.
        caption: A sentence, or None.
        label: Class of the whole image, or None.
        group: Video, subject or scene that the sample belongs to: for splits and for resampling. Defaults to `key`.
        path: Image file on disk, if there is one (its hash keys the feature cache).
        extras: Anything that a single reader provides and a single encoding needs, by a documented name.
    """

    key: str
    size: Size
    image: Callable[[], Array]
    instances: tuple[Instance, ...] | None = None
    depth: Callable[[], Depth] | None = None
    edges: Callable[[], Array] | None = None
    caption: str | None = None
    label: str | None = None
    group: str = ""
    path: str | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.group:
            object.__setattr__(self, "group", self.key)


@dataclass(frozen=True, eq=False, repr=False)
class Query(OneLine):
    """What to predict, in words: a class, an instruction, options; colours of yes and no, where the words name them."""

    text: str = ""
    task: str | None = None
    options: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Relation(OneLine):
    """The relation between the images of a pair or triplet.

    Attributes:
        kind: `tracks`: the same points, found in every image; `triplet`: the second image shows what the first one
            shows, the third does not; `same-different`: a pair that does, or does not.
        tracks: float64 (num_images, num_points, 2), (x, y) in each image's pixels, NaN where not visible; or None.
        same: Whether the two images show the same thing; or None.
        boxes: float64 (num_images, 4), the region of interest in each image; None for the whole images.
        provenance: Where the relation came from.
    """

    kind: Literal["tracks", "triplet", "same-different"]
    tracks: Array | None = None
    same: bool | None = None
    boxes: Array | None = None
    provenance: Provenance = HUMAN


@dataclass(frozen=True, eq=False, repr=False)
class Item(OneLine):
    """One training or test case: samples, the instance it is about, a query, a relation.

    Attributes:
        samples: One, or more for a pair or triplet.
        instance: Index into `samples[0].instances`, or None for the whole image.
        query: Or None.
        relation: Or None.
    """

    samples: tuple[Sample, ...]
    instance: int | None = None
    query: Query | None = None
    relation: Relation | None = None

    @property
    def sample(self) -> Sample:
        return self.samples[0]

    @property
    def subject(self) -> Instance | None:
        """The instance that the item is about."""
        if self.instance is None or self.sample.instances is None:
            return None
        return self.sample.instances[self.instance]

    @property
    def key(self) -> str:
        """Unique within a data set: the samples' keys, the instance and the query."""
        parts = ["+".join(sample.key for sample in self.samples)]
        if self.instance is not None:
            parts.append(str(self.instance))
        if self.query is not None:
            parts.append(f"{self.query.task or ''}:{self.query.text}")
        return "|".join(parts)


@dataclass(frozen=True, eq=False, repr=False)
class View(OneLine):
    """What the network sees of a sample: one exact, invertible map from the image frame to the model frame.

    Attributes:
        image_size: (height, width) of the upright image.
        model_size: (height, width) of the network's input.
        matrix: float64 (3, 3), homogeneous, image pixels -> model pixels (affine: the last row is 0 0 1).
        mirrored: Whether the map flips left and right, so that paired keypoints swap names.
        lanczos: Whether pixels are resampled by Lanczos' kernel, as published editors have it.
    """

    image_size: Size
    model_size: Size
    matrix: Array
    mirrored: bool = False
    lanczos: bool = False

    def __post_init__(self) -> None:
        matrix = np.asarray(self.matrix, dtype=np.float64)
        assert matrix.shape == (3, 3), f"a view's matrix is 3 x 3, got {matrix.shape}"
        object.__setattr__(self, "matrix", matrix)

    @property
    def inverse(self) -> Array:
        """float64 (3, 3), model pixels -> image pixels."""
        return np.linalg.inv(self.matrix)


@dataclass(frozen=True, eq=False, repr=False)
class Batch(OneLine):
    """Stacked items, ready for a method.

    Attributes:
        items: B items.
        views: For each item, one View per sample.
        keys: int64 (B,): random generator key of each item, derived from (seed, draw, item). All noise comes from it.
        images: One float32 (B, 3, height, width) tensor in [0, 1] per sample slot (1 for plain items, 2 for pairs);
            empty when features come from the cache.
        features: Cached backbone features per sample slot: name -> (B, channels, height, width); None without cache.
        targets: What the encoding made: name -> (B, ...), maps in [0, 1]; each `NAME` may have a `NAME_weight` that
            broadcasts against it, 0 where nothing is labelled.
    """

    items: list[Item]
    views: list[tuple[View, ...]]
    keys: "Tensor"
    images: "tuple[Tensor, ...]" = ()
    features: "tuple[dict[str, Tensor], ...] | None" = None
    targets: "dict[str, Tensor]" = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def image(self) -> "Tensor":
        """The first sample slot's images."""
        return self.images[0]

    def to(self, device: Any) -> "Batch":
        features = self.features and tuple({name: t.to(device) for name, t in slot.items()} for slot in self.features)
        return replace(
            self,
            images=tuple(image.to(device) for image in self.images),
            features=features,
            targets={name: target.to(device) for name, target in self.targets.items()},
        )


@dataclass(frozen=True, eq=False, repr=False)
class ScoreMap(OneLine):
    """A map that a prediction keeps: a picture, or what a protocol decodes by its own rule.

    Attributes:
        values: float32 (channels, grid_height, grid_width).
        view: The view whose model frame the grid covers.
        kind: `scores`: for protocols alone; `drawing`: lines on black in [0, 1], grey or RGB (edges, a skeleton);
            `picture`: RGB in [0, 1] that covers the image (normals). The last two are written as files and shown.
    """

    values: Array
    view: View
    kind: Literal["scores", "drawing", "picture"] = "scores"


@dataclass(frozen=True, eq=False, repr=False)
class Matches(OneLine):
    """Where the points of an item's first image lie in its second one.

    Attributes:
        points: float64 (num_points, 2), (x, y) in pixels of the second image; NaN where the query was NaN.
        confidence: float32 (num_points,) in [0, 1].
    """

    points: Array
    confidence: Array


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(OneLine):
    """What was read out of one item, in the image frame, every field with its confidence.

    Attributes:
        sample_key: Key of the sample; predictions of the same image are merged by it.
        size: (height, width) of that image.
        instances: Predicted subjects, with `confidence`.
        depth: Or None.
        label_scores: Class name -> probability, or None.
        matches: Of an item with tracks: where the first image's points lie in the second; or None.
        similarities: Of an item that compares images: how alike the first and each further one are, [-1, 1]; or None.
        maps: Named maps: what protocols need, and pictures.
        item_key: Key of the item; empty once merged.
        group: Of the sample.
    """

    sample_key: str
    size: Size
    instances: tuple[Instance, ...] = ()
    depth: Depth | None = None
    label_scores: Mapping[str, float] | None = None
    matches: Matches | None = None
    similarities: tuple[float, ...] | None = None
    maps: Mapping[str, ScoreMap] = field(default_factory=dict)
    item_key: str = ""
    group: str = ""

    @classmethod
    def of(cls, item: Item, **fields: Any) -> "Prediction":
        """The prediction of an item, under its keys."""
        return cls(item.sample.key, item.sample.size, item_key=item.key, group=item.sample.group, **fields)

    def maps_of(self, name: str) -> list[ScoreMap]:
        """The maps of one name, of all subjects: `NAME`, `NAME-1` ..."""
        return [score for key, score in self.maps.items() if key.split("-")[0] == name]


def merge_predictions(predictions: list[Prediction]) -> list[Prediction]:
    """Joins the predictions of the same image, in order of first appearance: instances are concatenated."""
    merged: dict[str, Prediction] = {}
    for prediction in predictions:
        known = merged.get(prediction.sample_key)
        if known is None:
            merged[prediction.sample_key] = replace(prediction, item_key="")
            continue
        new: dict[str, Any] = {
            name: getattr(prediction, name)
            for name in ("depth", "matches", "similarities")
            if getattr(known, name) is None
        } | {"label_scores": {**(known.label_scores or {}), **(prediction.label_scores or {})} or None}
        merged[prediction.sample_key] = replace(
            known, instances=known.instances + prediction.instances, maps={**known.maps, **prediction.maps}, **new
        )
    return list(merged.values())
