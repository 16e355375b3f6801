"""What every teacher is: an existing model or algorithm that labels images it is shown.

Adding a teacher:
1. Write `teachers/NAME.py` with a subclass of `Teacher` whose constructor takes plain keyword arguments that JSON can
   hold (and `device`), loads nothing, and sets `version`; weights are loaded by `prepare`, which names the files that
   are missing, and where to put them.
2. `label` gets samples (pixels through `sample.image()`; labels of earlier teachers in the other fields) and gives one
   `Labels` each, in the image frame of `samples.py`.
3. `settings` names everything that changes the labels; it makes the fingerprint under which work is kept.
4. Add it to `teachers/choose.py`, or to the table in `teachers/catalogue.py` if it is a transformers model.
5. Write `tests/teachers/test_NAME.py` with a class that inherits `tests.contracts.teacher.TeacherContract`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from gensight.files.hashing import value_hash
from gensight.samples import Array, Depth, Instance, Provenance, Sample

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

    @abstractmethod
    def label(self, samples: Sequence[Sample]) -> list[Labels]:
        """The labels of a batch of images, one each; or of one video's frames, one for all.

        Raises:
            DataError: An image can't be read, or lacks a label that the teacher needs.
        """

    def settings(self) -> Mapping[str, Any]:
        """Everything that changes the labels, as JSON-able values; device and batch size do not."""
        return {}

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
