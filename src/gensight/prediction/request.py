"""Requests: predictions about whole images, boxes, heads, an instruction, or a comparison with another image."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from gensight.config.schema import RunConfig
from gensight.diffusion.sampling import Sampling
from gensight.encodings.base import Encoding
from gensight.encodings.painted.instructed import Instructed
from gensight.engine.run_folder import RunFolder
from gensight.errors import ConfigError
from gensight.files.hashing import mix
from gensight.methods.base import Method
from gensight.prediction.instructions import instruction_items, understand
from gensight.prediction.pairs import even_grid, pair_item, points_inside
from gensight.prediction.sampling_choice import check_sampling
from gensight.prediction.sources import Boxes
from gensight.samples import Array, Instance, Item, Sample
from gensight.skeletons import Skeleton

Kind = Literal["image", "boxes", "heads", "words", "pair"]


@runtime_checkable
class RunAttributes(Protocol):
    """The attributes of a run that a request needs; `TrainedRun` has them."""

    @property
    def folder(self) -> RunFolder: ...
    @property
    def config(self) -> RunConfig: ...
    @property
    def skeleton(self) -> Skeleton | None: ...
    @property
    def method(self) -> Method: ...
    @property
    def encoding(self) -> Encoding: ...


def request_kind(run: RunAttributes) -> Kind:
    """What a run is given beside an image: nothing, boxes of subjects (or nothing), heads, words, another image."""
    match run.config.encoding.facts.items:
        case "words":
            return "words"
        case "head":
            return "heads"
        case "pair" | "triplet":
            return "pair"
        case "image":
            return "image" if run.config.view.crop in ("frame", "stretched-frame", "fitted-frame") else "boxes"


@dataclass(frozen=True, eq=False)
class Request:
    """A request about images; by default about each as a whole.

    Attributes:
        boxes: Sample key -> (box, score) of each subject, for runs that look at one subject at a time.
        heads: Likewise, of heads, for gaze.
        instruction: The words that an instruction-following run reads.
        task: How its answer is decoded; None: by the words.
        classes: Of the instruction; none: those of the run's vocabulary that the words name.
        reference: The image that each image is compared with.
        points: float (num_points, 2), (x, y) in pixels of the reference; None: an even grid.
        sampling: Changes to how the run samples; None: as it was made.
        note: What `resolve` chose, and why.
    """

    boxes: Boxes | None = None
    heads: Boxes | None = None
    instruction: str | None = None
    task: str | None = None
    classes: tuple[str, ...] = ()
    reference: Sample | None = None
    points: Array | None = None
    sampling: Sampling | None = None
    note: str = ""

    def resolve(self, run: RunAttributes) -> "Request":
        """The request with its task, classes and points.

        Raises:
            ConfigError: The run takes something else, was not trained for the task, knows no such class, or cannot be
                sampled so.
            DataError: A point outside the reference.
        """
        check_sampling(run.method, self.sampling)
        if self.instruction is not None:
            return self._with_instruction(run)
        if self.reference is not None:
            return self._with_pairs(run)
        self._refuse(run)
        return self

    def items(self, sample: Sample, encoding: Encoding) -> list[Item]:
        """The items of one image; none where no box is given for it. The request must be resolved."""
        if self.instruction is not None:
            assert isinstance(encoding, Instructed) and self.task is not None  # `resolve` has checked it
            bare = replace(sample, instances=())
            return instruction_items(encoding, bare, self.task, self.classes, self.instruction)
        if self.reference is not None:
            return [pair_item(self.reference, sample, self.points)]
        if self.heads is not None:
            return head_items(sample, self.heads)
        return subject_items(sample, self.boxes)

    def noise_key(self, sample: Sample) -> int:
        """The key of an image's noise: the same for all instructions about an image."""
        return 0 if self.instruction is None else mix(0, *sample.key.encode())

    def _with_instruction(self, run: RunAttributes) -> "Request":
        if not isinstance(run.encoding, Instructed):
            raise ConfigError(
                f"a run of method.kind={run.config.method.kind} takes no instruction", where=run.folder.root,
                hint="use `gensight predict RUN IMAGES` for it",
            )  # fmt: skip
        assert self.instruction is not None  # the caller has checked it
        found = understand(run.encoding, self.instruction, self.task, self.classes, str(run.folder.root))
        return replace(self, task=found.task, classes=found.classes, note=found.note)

    def _with_pairs(self, run: RunAttributes) -> "Request":
        assert self.reference is not None  # the caller has checked it
        match str(run.config.encoding.kind):
            case "correspondence":
                given = self.points
                points = even_grid(self.reference) if given is None else points_inside(self.reference, given)
                return replace(self, points=points)
            case "appearance":
                return replace(self, points=None)
            case kind:
                hint = "use `gensight predict` for it"
                raise ConfigError(f"this run reads single images ({kind}), and compares none",
                                  where=run.folder.root, hint=hint)  # fmt: skip

    def _refuse(self, run: RunAttributes) -> None:
        kind = request_kind(run)
        if kind == "words":
            raise ConfigError(
                "this run follows instructions, and none is given",
                where=run.folder.root,
                hint='use: gensight ask RUN IMAGES "segment the ..."',
            )
        if kind == "heads" and self.heads is None:
            raise ConfigError(
                "this run needs the boxes of heads, and none are known",
                where="--boxes, --detector",
                hint="give a file of head boxes with --boxes, or a detector of people, whose heads are then guessed",
            )
        if kind != "heads" and self.heads is not None:
            raise ConfigError("only gaze runs take the boxes of heads", where="heads", hint="give them as boxes")
        if kind == "image" and self.boxes is not None:
            raise ConfigError("this run looks at whole images, so it takes no boxes", where="--boxes, --detector")
        if kind == "pair":
            raise ConfigError(
                f"this run compares images ({run.config.encoding.kind}), and cannot read a single one",
                where=run.folder.root,
                hint="use `gensight match RUN IMAGE OTHER` for it",
            )


def head_items(sample: Sample, heads: Boxes) -> list[Item]:
    """One gaze item per head of the image."""
    people = tuple(Instance("person", head_box=box, confidence=score) for box, score in _of_image(sample, heads))
    bare = replace(sample, instances=people)
    return [Item((bare, bare), instance=number) for number in range(len(people))]


def subject_items(sample: Sample, boxes: Boxes | None) -> list[Item]:
    """One item per box of the image, or one about the whole image (as its only subject) where no boxes are given."""
    height, width = sample.size
    whole = [(np.array([0.0, 0.0, width, height]), 1.0)]
    found = whole if boxes is None else _of_image(sample, boxes)
    instances = tuple(Instance(box=box, confidence=score) for box, score in found)
    bare = replace(sample, instances=instances)
    return [Item((bare,), instance=number) for number in range(len(instances))]


def _of_image(sample: Sample, boxes: Boxes) -> list[tuple[Array, float]]:
    return boxes.get(sample.key, boxes.get(Path(sample.key).name, []))
