"""Sections of recipes that classify whole images: the encoding, the encoders of transformers, and the method."""

from typing import Literal

from pydantic import Field

from gensight.config.fields import Flag, FolderOrId, Name, Section


class ClassConfig(Section):
    """The class of the whole image, as one probability per class."""

    kind: Literal["class"] = "class"
    labels: tuple[Name, ...] | None = Field(
        default=None, description="Classes; none: those of the data, which the run then keeps."
    )


class TransformersConfig(Section):
    """A ResNet or ViT of the transformers library."""

    kind: Literal["transformers"] = "transformers"
    id: FolderOrId = Field(
        description="Hub id, or folder of a saved model; with random weights also resnet-50 or vit-b-16."
    )
    trainable: Literal["frozen", "full"] = Field(
        default="full", description="full: everything learns; frozen: only what is put on top."
    )
    random_weights: Flag = Field(
        default=False, description="Same architecture with random weights: the baseline that pretraining must beat."
    )


class ClassifierConfig(Section):
    """One linear layer on the backbone's pooled features."""

    kind: Literal["classifier"] = "classifier"
