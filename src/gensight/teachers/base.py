"""What every teacher is: an existing model or algorithm that labels images it is shown.

Adding a teacher:
1. Write `teachers/models/NAME.py` with a subclass of `Teacher`, or of `ModelTeacher` if it has weights; a transformers
   model's of `PretrainedTeacher`. Decorate it with `@dataclass(eq=False)`: its fields are its settings, checked by
   their types.
2. `label` gets samples (pixels through `sample.image()`; labels of earlier teachers in the other fields) and gives one
   `Labels` each, in the image frame of `samples.py`; a model's `label_image` gets one sample.
3. Nothing is loaded before `prepare`; a model's `load` names the files that are missing, and where to put them.
4. Add it to the table in `teachers/choose.py`.
5. Write `tests/teachers/models/test_NAME.py` with a class that inherits `tests.contracts.teacher.TeacherContract`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_type_hints

import numpy as np
import torch
from pydantic import Field, TypeAdapter, ValidationError

from gensight.errors import ConfigError
from gensight.files.hashing import value_hash
from gensight.samples import Array, Depth, Instance, Keypoints, Provenance, Sample, Visibility

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
LabelName = Literal["instances", "depth", "edges", "caption", "label", "tracks", "variants"]


@dataclass(frozen=True, eq=False)
class Tracks:
    """Points followed through a stretch of one video's frames.

    Attributes:
        start: Index, among the frames that the teacher was shown, of the stretch's first one.
        points: float32 (num_frames, num_points, 2), (x, y) in image pixels; NaN where a point has no known place.
        visible: bool (num_frames, num_points).
        confidence: float32 (num_frames, num_points) in [0, 1]; 0 where not visible.
        queries: int32 (num_points,), the frame of the stretch in which each point was chosen.
    """

    start: int
    points: Array
    visible: Array
    confidence: Array
    queries: Array


@dataclass(frozen=True, eq=False)
class Labels:
    """A teacher's labels of one image (or, a `video` teacher, of one video). None: it does not label that.

    Attributes:
        instances: Subjects; () where it looked and found none. One with the `id` of an instance that the sample
            already had completes that one (a pose for a detected box) and carries on what it leaves as it was; all
            others, whose `id` is None, are added.
        depth: float32 (height, width).
        edges: float32 (height, width) in [0, 1].
        caption: A sentence.
        label: Class of the whole image.
        tracks: Of a whole video, one for each stretch of its frames.
        variants: Other pictures with the same layout: uint8 (height, width, 3) each, of the image's size.
        confidence: In [0, 1], of what is no instance and no track: of the caption, of the depth map as a whole ...
    """

    instances: tuple[Instance, ...] | None = None
    depth: Depth | None = None
    edges: Array | None = None
    caption: str | None = None
    label: str | None = None
    tracks: tuple[Tracks, ...] | None = None
    variants: tuple[Array, ...] | None = None
    confidence: float = 1.0


class Teacher(ABC):
    """Labels images, or whole videos.

    A subclass that is a dataclass has its fields as settings; a ConfigError refuses a value that is not of a field's
    type.

    Teachers are deterministic: the same sample gets the same labels, whatever else is in the batch and whichever
    process runs it, so that a job may be cut into shards or resumed.

    Attributes:
        name: What the command line calls it, with its model if it has a choice of them: `edges`, `depth:MODEL`.
        version: What made the labels: a version of the algorithm, a model's revision or weights' hash (known without
            loading the weights; short).
        labels: The fields of `Labels` that it fills.
        needs: Labels that a sample must already have (a pose teacher needs boxes): `label` raises a DataError with
            a hint where they are missing.
        uses: Labels that it looks at where they are there. Where `needs` or `uses` change, its labels are made anew.
        identity_settings: Settings that distinguish teachers of one name: their labels are kept side by side. A
            change of any other setting makes the labels anew.
        model_location: Hub id or absolute folder of its model; None if it has no choice of them. Of two models whose
            folders have the same name, `teachers/names.py` gives the second another name.
        unit: `image`: `label` gives one Labels per sample; `video`: it is shown all frames of one video in order and
            gives a list of one.
    """

    name: str = ""
    version: str = "1"
    labels: ClassVar[tuple[LabelName, ...]] = ()
    needs: ClassVar[tuple[LabelName, ...]] = ()
    uses: ClassVar[tuple[LabelName, ...]] = ()
    identity_settings: ClassVar[tuple[str, ...]] = ()
    model_location: str | None = None
    unit: ClassVar[Literal["image", "video"]] = "image"

    def __post_init__(self) -> None:
        for key in self.setting_names():
            setattr(self, key, self.checked(key, getattr(self, key)))

    @classmethod
    def checked(cls, key: str, value: Any) -> Any:
        """A setting's value as its field has it. Raises ConfigError where it is not of the field's type."""
        try:
            return TypeAdapter(get_type_hints(cls, include_extras=True)[key]).validate_python(value, strict=True)
        except ValidationError as error:
            needed = error.errors()[0]["msg"].removeprefix("Input ")
            raise ConfigError(
                f"the setting {key} is {value!r}", where=getattr(cls, "kind", cls.name), hint=f"it {needed}"
            ) from error

    @abstractmethod
    def label(self, samples: Sequence[Sample]) -> list[Labels]:
        """The labels of a batch of images, one each; or of one video's frames, one for all.

        Raises:
            DataError: An image can't be read, or lacks a label that the teacher needs.
        """

    @classmethod
    def setting_names(cls) -> list[str]:
        """The fields of a dataclass but for those of `ModelTeacher`, which say where a model lies and runs."""
        names: list[str] = [field.name for field in fields(cls)] if is_dataclass(cls) else []
        return [name for name in names if name not in ("weights", "device")]

    def settings(self) -> Mapping[str, Any]:
        """Everything that changes the labels, as JSON-able values; device and batch size do not."""
        return {name: getattr(self, name) for name in self.setting_names()}

    def prepare(self) -> None:  # noqa: B027  (a classical teacher has nothing to load)
        """Loads weights, once, before the first `label`.

        Raises:
            RunError: They are absent: which files, and where to put them.
            ResourceError: Something is missing on this machine: a device, a package.
        """

    @property
    def source(self) -> str:
        """`name@version`, as `Provenance.source` has it."""
        return f"{self.name}@{self.version}"

    def fingerprint(self) -> str:
        """16 hexadecimal digits; teachers of the same fingerprint give the same labels."""
        return value_hash([self.name, self.version, dict(self.settings())])[:16]

    def provenance(self, confidence: float = 1.0) -> Provenance:
        """Where a label of this teacher came from."""
        return Provenance(self.source, float(confidence))


def model_names(kind: str, weights: str) -> tuple[str, str]:
    """`KIND:NAME` of a teacher, and where its model lies: a folder is called by its name, and lies at its full path."""
    folder = Path(weights)
    if not folder.is_dir():
        return f"{kind}:{weights}", weights
    return f"{kind}:{folder.resolve().name}", str(folder.resolve())


@dataclass(eq=False)
class ModelTeacher(Teacher):
    """A teacher with weights, which are loaded once, and left out where it is pickled. Images pass one at a time, so
    that an image's labels never depend on what else was in the batch.

    Attributes:
        kind: The word before the colon of its name.
        default: The weights that are taken if none are named.

    Args:
        weights: Hub id or folder; `default` if empty.
        device: `auto`, `cpu`, `cuda` ...
    """

    kind: ClassVar[str] = ""
    default: ClassVar[str] = ""
    weights: str = ""
    device: str = "auto"

    def __post_init__(self) -> None:
        self.weights = self.weights or self.default
        if not self.weights:
            raise ConfigError(f"the teacher `{self.kind}` needs a model", hint=f"write {self.kind}:FOLDER")
        self.name, self.model_location = model_names(self.kind, self.weights)
        self._model: Any = None
        super().__post_init__()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_model": None}

    @abstractmethod
    def load(self) -> Any:
        """The model on its device; raises as `prepare`."""

    def prepare(self) -> None:
        if self._model is None:
            self._model = self.load()

    @property
    def model(self) -> Any:
        """The loaded model."""
        self.prepare()
        return self._model

    def label(self, samples: Sequence[Sample]) -> list[Labels]:
        self.prepare()
        with torch.inference_mode():
            return [self.label_image(sample) for sample in samples]

    @abstractmethod
    def label_image(self, sample: Sample) -> Labels:
        """The loaded model's labels of one image."""


def sure_keypoints(keypoints: Keypoints, threshold: float) -> Keypoints:
    """With those unlabelled that are not located, or of a lower confidence."""
    sure = keypoints.located & (keypoints.confidence >= threshold)
    points = np.where(sure[:, None], keypoints.points, np.nan)
    visibility = np.where(sure, keypoints.visibility, Visibility.UNLABELLED).astype(np.int8)
    return replace(keypoints, points=points, visibility=visibility)
