"""Data sets that gensight itself writes."""

from typing import ClassVar, Literal

from pydantic import Field

from gensight.config.data.stored import Divided, StoredData
from gensight.config.fields import Flag, Location, Share


class AnnotatedData(Divided):
    """A data set that `gensight annotate` wrote: images with the labels of teachers."""

    kind: Literal["annotated"] = "annotated"
    root_is: ClassVar[str] = "Folder that holds dataset.json"
    images: Location | None = Field(
        default=None,
        description="Where the source's images are, if they were moved; none: as in dataset.json.",
    )
    min_confidence: Share = Field(default=0.0, description="Labels less confident than this are left out.")
    variants: Flag = Field(default=False, description="Read the variants of images too, as negatives for appearance.")


class InstructPoolData(StoredData):
    """A pooled data set that `gensight datasets build-instruct` wrote, in folders or tar shards."""

    kind: Literal["instruct-pool"] = "instruct-pool"
    root_is: ClassVar[str] = "The folder that was built"
