"""Sections of recipes that classify whole images: the encoding and the method."""

from typing import ClassVar, Literal

from gensight.config.sections import EncodingFacts, EncodingSection, ImageLabels, MethodSection


class ClassConfig(ImageLabels, EncodingSection):
    """The class of the whole image, as one probability per class."""

    kind: Literal["class"] = "class"
    kind_facts: ClassVar[EncodingFacts] = EncodingFacts(
        finds="what an image shows",
        truths=("boxes",),
        files=("labels",),
        protocols=("classification", "top-1"),
        usual_protocols=("classification",),
        baselines=("most-frequent", "random-weights"),
        usual_baselines=("most-frequent",),
        label_of_objects=True,
    )

    def missing_vocabulary(self) -> dict[str, str]:
        return {"labels": "name them"} if self.labels is None else {}


class ClassifierConfig(MethodSection):
    """One linear layer on the backbone's pooled features."""

    kind: Literal["classifier"] = "classifier"
    encodings: ClassVar[tuple[str, ...]] = ("class",)
