"""Sections of instruction-following recipes: painted encodings, and the method."""

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from gensight.config.fields import (
    Flag,
    Integer,
    Location,
    Name,
    NonNegative,
    NonNegativeInteger,
    PositiveInteger,
    SamplerName,
    Share,
)
from gensight.config.protocols import Baseline
from gensight.config.sections import DepthRange, EncodingFacts, ImageLabels, KeypointSection, MethodSection, NoiseLevels

_BASELINES: tuple[Baseline, ...] = ("most-frequent", "shuffled-instructions", "held-out-paraphrases")
PaintedTask = Literal[
    "segment", "detect", "depth", "classify", "keypoints", "edges", "colour", "derain", "low-light", "denoise"
]  # fmt: skip


class PaintedConfig(ImageLabels, DepthRange, KeypointSection):
    """Answers painted as pictures: masks, boxes, depth, classes, skeletons and edges, selected by an instruction."""

    kind: Literal["painted"] = "painted"
    kind_facts: ClassVar[EncodingFacts] = EncodingFacts(
        finds="what an instruction names",
        items="words",
        truths=("boxes", "masks", "depth"),
        files=("maps", "keypoints", "answers"),
        protocols=(
            "seg", "seg-oracle-classes", "coco-box", "voc07", "voc12",
            "depth-metric", "depth-median-scaled", "depth-affine", "classification", "top-1", "coco-oks", "edges-f",
            "restoration",
        ),
        usual_protocols=("seg", "coco-box", "depth-metric", "classification", "restoration"),
        baselines=_BASELINES,
        usual_baselines=_BASELINES,
    )  # fmt: skip
    tasks: tuple[PaintedTask, ...] = Field(
        default=("segment", "detect", "depth", "classify"), min_length=1, description="The tasks."
    )
    categories: tuple[Name, ...] | None = Field(
        default=None, description="Classes of pixels and objects; none: those of the data, which the run then keeps."
    )
    several: Share = Field(
        default=0.2, description="Share of images queried for several classes at once, for each task (in training)."
    )
    repeats: dict[PaintedTask, PositiveInteger] = Field(
        default_factory=dict,
        description="How often training repeats a task's queries of an image; of classify, the choice among all. "
        "Depth is one query, masks are queried class by class.",
    )
    box_style: Literal["filled", "outlines"] = Field(
        default="filled", description="filled: boxes on black, each its colour; outlines: on the photograph."
    )
    outline: tuple[Name, PositiveInteger] = Field(
        default=("white", 2), description="Colour of outlines (of CSS, or #RRGGBB), and width in pixels of the image."
    )
    max_boxes: Integer = Field(default=6, ge=1, le=124, description="Boxes of a class that have distinct colours.")
    depth_scale: Literal["log", "linear"] = Field(
        default="log", description="How depth becomes grey; log: from near to far; linear: from 0 to far."
    )

    @property
    def facts(self) -> EncodingFacts:
        """Keypoints and edges are drawn only where they are a task, since they cost time."""
        more = tuple(task for task in ("keypoints", "edges") if task in self.tasks)
        return replace(self.kind_facts, truths=(*self.kind_facts.truths, *more))

    @property
    def skeleton_name(self) -> str | None:
        return self.skeleton if "keypoints" in self.tasks else None

    def missing_vocabulary(self) -> dict[str, str]:
        fields = {"categories": ("detect", "segment"), "labels": ("classify", "colour")}
        return {
            key: f"name them, or leave out {' and '.join(tasks)}"
            for key, tasks in fields.items()
            if getattr(self, key) is None and set(tasks) & set(self.tasks)
        }

    def check(self, recipe: Any) -> None:
        if recipe.evaluation.flip_test and "keypoints" in self.tasks:
            raise ValueError("no evaluation.flip_test with encoding.tasks of keypoints: colours encode left and right")


_OF_ONE_STEP = {"train_decoder", "latent_weight", "overlap_weight", "decoded_share", "class_weight"}
_OF_MANY_STEPS = {
    "noise_channels", "noise_levels", "zero_terminal_snr", "sampler", "sample_steps", "text_guidance", "image_guidance"
}  # fmt: skip


class InstructConfig(NoiseLevels, MethodSection):
    """An image and an instruction become a painted answer, by a diffusion model that edits."""

    kind: Literal["instruct"] = "instruct"
    encodings: ClassVar[tuple[str, ...]] = ("painted",)
    way: Literal["many-step", "one-step"] = Field(
        default="many-step", description="many-step: sampled from noise; one-step: predicted at once, end to end."
    )
    phrasing: Literal["fixed", "rephrased"] = Field(
        default="rephrased", description="fixed: one instruction per task; rephrased: other words each time."
    )
    templates: Location | None = Field(
        default=None, description="More templates for `rephrased`: a file of `gensight datasets paraphrase`."
    )
    train_text: Flag = Field(default=False, description="Whether the text encoder learns too.")
    train_decoder: Flag = Field(default=False, description="Whether the autoencoder's decoder learns too.")
    latent_weight: NonNegative = Field(default=0.1, description="Weight of latents beside pixels (one-step).")
    overlap_weight: NonNegative = Field(
        default=0.1, description="Weight of the overlap of masks and boxes beside their pixels (one-step)."
    )
    decoded_share: Share = Field(
        default=1.0, gt=0, description="Share of the items that are decoded for their pixels in training (one-step)."
    )
    class_weight: NonNegative = Field(
        default=0.0, description="Weight of the cross-entropy of a class's colour; 0: squared error alone (one-step)."
    )
    shown_weight: NonNegative = Field(
        default=0.0, description="Weight of reading the classes shown, place by place, off the features in training."
    )
    label_weight: NonNegative = Field(
        default=0.0, description="Weight of reading the image's label off the features, cell by cell, in training."
    )
    words_first: NonNegativeInteger = Field(
        default=0, description="Steps that teach the text encoder words alone, before all else; needs train_text."
    )
    noise_channels: Literal["kept", "zero"] = Field(
        default="kept",
        description="Initial weights of the noise channels; zero: for a model first trained one-step (many-step).",
    )
    noise_levels: Literal["uniform", "last"] = Field(
        default="uniform",
        description="Noise in training; last: half of the items at the last level, the others at high ones "
        "(many-step).",
    )
    sampler: SamplerName = Field(default="euler", description="How answers are sampled (many-step).")
    sample_steps: PositiveInteger = Field(default=20, description="Steps of a sample (many-step).")
    text_guidance: NonNegative = Field(default=7.5, description="Weight of the text's direction; both 1: no guidance.")
    image_guidance: NonNegative = Field(default=1.5, description="Weight of the image's direction.")

    @property
    def side_targets(self) -> tuple[str, ...]:
        return ("shown",) if self.shown_weight + self.label_weight > 0 else ()

    def check(self, recipe: Any) -> None:
        backbone = recipe.backbone
        if not backbone.is_diffusion:
            raise ValueError(
                f"method.kind=instruct paints with a diffusion model, not with backbone.kind={backbone.kind}"
            )
        if backbone.trainable == "frozen":
            raise ValueError("method.kind=instruct changes the backbone: set backbone.trainable to lora or full")

    def options(self) -> dict[str, Any]:
        """The parts of its `way`."""
        others = _OF_MANY_STEPS if self.way == "one-step" else _OF_ONE_STEP
        return self.model_dump(exclude={"kind", "way", *others})
