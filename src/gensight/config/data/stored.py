"""Fields that several data sets on disk have, each declared once; a section takes those of the bases that it names."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from gensight.config.data.splits import OwnParts, Sampled, SeedSplit, Split
from gensight.config.fields import Location, Name, PositiveInteger, Share
from gensight.config.sections import DataSection


class StoredData(DataSection):
    """A data set in a folder. A field that a section declares again, with another default, keeps its description.

    Attributes:
        root_is: What the folder is, or holds.
    """

    root_is: ClassVar[str] = ""
    root: Location = Field(description="Folder of the data set.")

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name, info in cls.model_fields.items():
            if info.description is None:
                bases = (base.model_fields[name] for base in cls.__mro__[1:] if issubclass(base, DataSection))
                info.description = next(base.description for base in bases)
        if cls.root_is:
            cls.model_fields["root"].description = f"{cls.root_is}."


class MayLackFiles(StoredData):
    """Whose lists may name files that are not there."""

    missing: Literal["error", "drop"] = Field(
        default="error", description="Files that are named and not there: refuse, or leave out and count."
    )


class KeypointLabels(MayLackFiles):
    """Whose labels are keypoints of the user's own."""

    keypoints: tuple[Name, ...] | None = Field(
        default=None,
        min_length=1,
        description="Names of the keypoints to use, in this order; where the labels have no names, those of all, in "
        "the labels' order; none: all, as the labels name them.",
    )


class Stepped(DataSection):
    """Of which every k-th frame is taken."""

    step: PositiveInteger = Field(default=1, description="Take every k-th frame of each video, clip or folder.")


class Divided(StoredData):
    """Without parts of its own."""

    split: Split = Field(default=SeedSplit(), description="How images are divided; videos holds out whole videos.")


class OfficialLists(Sampled, StoredData):
    """With parts of its own but for the validation part."""

    validation_share: Share = Field(default=0.05, description="Share of the training images kept for validation.")


class NamedLists(OwnParts, OfficialLists):
    """Whose parts have names: of lists, of folders, or of files from `root`."""

    validation: Name | None = Field(
        default=None,
        description="That of the part that chooses the best checkpoint; none: `validation_share` of train.",
    )


class ListsWithTest(NamedLists):
    """Whose scored part is called test."""

    test: Name | None = "test"
