"""How a data set is divided into train, validation and test."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from gensight.config.fields import Integer, Name, NonNegativeInteger, Section, Share, Text


class _Shares(Section):
    train: Share = Field(
        default=0.7, description="Share of the samples to train on; what the shares leave over is unused."
    )
    validation: Share = Field(default=0.1, description="Share of the samples that chooses the best checkpoint.")
    test: Share = Field(default=0.2, description="Share of the samples that is scored.")

    @model_validator(mode="after")
    def _at_most_one(self) -> "_Shares":
        total = self.train + self.validation + self.test
        if total > 1 + 1e-6:
            raise ValueError(f"train, validation and test are shares of one data set, but add up to {total:g}")
        return self


class Sampled(Section):
    """Of which images are sampled at random."""

    seed: Integer = Field(default=0, description="Seed that samples images; the same seed gives the same parts.")


class SeedSplit(Sampled, _Shares):
    """Parts sampled at random."""

    kind: Literal["seed"] = "seed"


class OrderSplit(_Shares):
    """The first samples train, the next validate, the last test."""

    kind: Literal["order"] = "order"


class _HeldOut(Section):
    validation: Share = Field(
        default=0.1, description="Share of the samples that aren't scored that chooses the best checkpoint."
    )


class BlocksSplit(_HeldOut):
    """Contiguous blocks of the label file's order; one block is the test part (cross-validation over `test_block`)."""

    kind: Literal["blocks"] = "blocks"
    num_blocks: Integer = Field(default=5, ge=2, description="How many contiguous blocks the samples are cut into.")
    test_block: NonNegativeInteger = Field(default=4, description="Which block is scored, counted from 0.")

    @model_validator(mode="after")
    def _block_exists(self) -> "BlocksSplit":
        if self.test_block >= self.num_blocks:
            raise ValueError(f"test_block={self.test_block}, but num_blocks={self.num_blocks} has blocks 0 to "
                             f"{self.num_blocks - 1}")  # fmt: skip
        return self


class VideosSplit(_HeldOut):
    """Whole videos are held out."""

    kind: Literal["videos"] = "videos"
    test: tuple[Name, ...] = Field(min_length=1, description="Names of the videos to score (folders in labeled-data).")


Split = Annotated[SeedSplit | OrderSplit | BlocksSplit | VideosSplit, Field(discriminator="kind")]


class OwnParts(Section):
    """Names of the parts that a data set has of its own."""

    train: Text = Field(default="train", description="List, folder or file of the part to train on.")
    test: Name | None = Field(default="val", description="That of the part that is scored; none: nothing is.")


class ListsSplit(OwnParts, _HeldOut):
    """The data set's own lists divide it."""

    kind: Literal["lists"] = "lists"
