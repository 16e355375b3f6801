"""A tiny ResNet that tells red, green and blue images apart."""

from dataclasses import dataclass

import numpy as np
import torch
import transformers as t

from gensight.backbones.transformers_encoder import TransformersEncoder
from gensight.encodings.class_label import ClassLabel
from gensight.loading.cases import Cases, collate
from gensight.loading.draw_order import Draw
from gensight.loading.views import ViewPolicy
from gensight.methods.classifier.method import Classifier
from gensight.readers.base import Reader, Summary
from gensight.samples import Array, Batch, Sample
from gensight.transforms.augmentation import Augmentation

SIZE = (16, 16)
COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class Tinted:
    """Noise with one channel raised."""

    index: int
    channel: int

    def __call__(self) -> Array:
        noise = np.random.default_rng(self.index).integers(0, 120, (*SIZE, 3))
        noise[..., self.channel] += 80
        return noise.astype(np.uint8)


class Colours(Reader):
    """Images of the three colours in turn."""

    name = "colours"
    labels = COLOURS

    def __init__(self, count: int = 12) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def check(self) -> Summary:
        return Summary(self.count, 0, ("label",))

    def sample(self, index: int) -> Sample:
        return Sample(f"{index:03d}", SIZE, Tinted(index, index % 3), label=COLOURS[index % 3])


def cases(count: int = 12) -> Cases:
    augmentation = Augmentation(brightness=0.1, flip=0.5)
    return Cases(Colours(count), ClassLabel(COLOURS), ViewPolicy(SIZE, "stretched-frame"), augmentation)


def batch(size: int = 4, step: int = 0) -> Batch:
    of = cases()
    return collate([of[Draw((step * size + index) % len(of), 0, 100 + index)] for index in range(size)])


def method(trainable: bool = True) -> Classifier:
    torch.manual_seed(0)
    config = t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    backbone = TransformersEncoder(t.ResNetModel(config), (0.5,) * 3, (0.25,) * 3, trainable)
    return Classifier(backbone, len(COLOURS))
