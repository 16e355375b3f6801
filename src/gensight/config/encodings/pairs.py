"""Targets that relate images: the same points, the same thing, landmarks of one subject."""

from typing import ClassVar, Literal

from pydantic import Field

from gensight.config.fields import PositiveInteger
from gensight.config.protocols import TRAINED
from gensight.config.sections import EncodingFacts, EncodingSection, GridSection, LandmarkCount

Distance = tuple[PositiveInteger, PositiveInteger]


class CorrespondenceConfig(GridSection):
    """Descriptors by which the same point is found in another image."""

    kind: Literal["correspondence"] = "correspondence"
    kind_facts: ClassVar[EncodingFacts] = EncodingFacts(
        finds="the same points in another image",
        items="pair",
        truths=(),
        files=(),
        protocols=("pck-img", "pck-box"),
        usual_protocols=("pck-img",),
        baselines=("no-motion", "raw-pixels", "sift", "optical-flow", *TRAINED),
        usual_baselines=("no-motion", "raw-pixels", "sift", "random-weights"),
    )
    distance: Distance = Field(
        default=(2, 23), description="Fewest and most frames between the two images, where the data defines no pairs."
    )
    num_points: PositiveInteger = Field(default=128, description="Most points compared in one pair.")


class AppearanceConfig(EncodingSection):
    """Descriptors that separate images of one object or scene from images of others."""

    kind: Literal["appearance"] = "appearance"
    kind_facts: ClassVar[EncodingFacts] = EncodingFacts(
        finds="how alike images are",
        items="triplet",
        truths=("boxes", "masks", "identity"),
        files=(),
        protocols=("two-alternative", "same-different-auc"),
        usual_protocols=("two-alternative",),
        baselines=("colour-histogram", *TRAINED),
        usual_baselines=("colour-histogram", "random-weights"),
    )
    distance: Distance = Field(default=(1, 1000), description="Fewest and most frames between anchor and positive.")
    region: Literal["image", "box", "mask"] = Field(default="image", description="What is compared.")
    negative: Literal["other-group", "variant"] = Field(
        default="other-group",
        description="other-group: an image of another video or scene; variant: an altered copy of the anchor.",
    )
    colours: Literal["own", "varied"] = Field(
        default="own",
        description="varied: each image's hues and light are changed at random, so that colours say little.",
    )
    stride: PositiveInteger = Field(default=8, description="Input pixels per cell of the descriptors.")


class LandmarkPairsConfig(LandmarkCount, EncodingSection):
    """Two images of one subject, from which a method learns landmarks of its own."""

    kind: Literal["landmark-pairs"] = "landmark-pairs"
    kind_facts: ClassVar[EncodingFacts] = EncodingFacts(
        finds="landmarks",
        truths=(),
        views="pair",
        files=("keypoints",),
        protocols=(),
        usual_protocols=(),
        baselines=(),
        usual_baselines=(),
    )
    pairs: Literal["temporal", "warped", "both"] = Field(
        default="temporal", description="The other image: another frame of the video, a warp of the frame, or either."
    )
    distance: Distance = Field(
        default=(3, 40), description="Fewest and most frames between the two images of a temporal pair."
    )

    @property
    def skeleton_name(self) -> str:
        """Its landmarks, which have numbers for names."""
        return f"landmarks-{self.num_landmarks}"
