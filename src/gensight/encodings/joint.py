"""Several targets of the same image, predicted together from one backbone pass."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from gensight.encodings.base import Encoding, OutputSpec
from gensight.encodings.panels import Panel
from gensight.errors import ConfigError
from gensight.readers.base import Reader
from gensight.samples import Item, Prediction, Sample, Size, View, merge_predictions

SEPARATOR = "/"


class Joint(Encoding):
    """Named parts, each an encoding of its own; the outputs of part P are named `P/NAME`.

    An item belongs to at least one part; parts without a label for it have weight 0. So all parts must have the same
    kind of item: all whole images, or all single subjects. Parts that relate images can't be joined with parts that
    don't.

    Args:
        parts: At least one.

    Errors:
        ConfigError: parts of unequal numbers of images, or with maps that no view size fits.
    """

    name = "joint"

    def __init__(self, parts: Mapping[str, Encoding]) -> None:
        if not parts:
            raise ConfigError("a joint encoding needs at least one part", where="encoding.parts")
        numbers = {name: part.num_samples for name, part in parts.items()}
        if len(set(numbers.values())) > 1:
            listed = ", ".join(f"{name}: {number}" for name, number in numbers.items())
            raise ConfigError(
                f"the parts of a joint encoding look at different numbers of images ({listed})",
                where="encoding.parts",
                hint="train them as runs of their own; `gensight predict RUN RUN ...` reads them on one pass",
            )
        self.parts = dict(parts)
        self.num_samples = next(iter(numbers.values()))

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        return {
            f"{name}{SEPARATOR}{output}": spec
            for name, part in self.parts.items()
            for output, spec in part.outputs.items()
        }

    def items(self, sample: Sample) -> list[Item]:
        return _distinct([item for part in self.parts.values() for item in part.items(sample)])

    def build_items(self, reader: Reader) -> Sequence[Item]:
        if self.num_samples == 1:
            return super().build_items(reader)
        return next(iter(self.parts.values())).build_items(reader)

    def grid_size(self, model_size: Size) -> Size:
        """The first part's; each part has its own."""
        return next(part.grid_size(model_size) for part in self.parts.values())

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        return {
            f"{name}{SEPARATOR}{output}": tensor
            for name, part in self.parts.items()
            for output, tensor in part.encode(item, views).items()
        }

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """The parts' predictions in one: a subject that several parts predict is one instance."""
        predictions = [part.decode(_of_part(outputs, name), item, views) for name, part in self.parts.items()]
        merged = merge_predictions(predictions)[0]
        instances = [prediction.instances for prediction in predictions if prediction.instances]
        return replace(merged, instances=instances[0] if instances else (), item_key=item.key)

    def panel(self, prediction: Prediction, item: Item) -> Panel | None:
        """The panel of the first part that has one."""
        panels = (part.panel(prediction, item) for part in self.parts.values())
        return next((panel for panel in panels if panel is not None), None)

    @property
    def members(self) -> tuple[Encoding, ...]:
        return tuple(self.parts.values())

    def mirror(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {
            f"{name}{SEPARATOR}{output}": tensor
            for name, part in self.parts.items()
            for output, tensor in part.mirror(_of_part(outputs, name)).items()
        }


def _of_part(outputs: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    prefix = f"{name}{SEPARATOR}"
    return {key.removeprefix(prefix): tensor for key, tensor in outputs.items() if key.startswith(prefix)}


def _distinct(items: list[Item]) -> list[Item]:
    return list({item.key: item for item in items}.values())
