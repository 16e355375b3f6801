"""Pairs of images of one subject, from which landmarks are learned without labels."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gensight.encodings.base import Encoding, ItemSequence, OutputSpec
from gensight.encodings.pairs.frame_pairs import frame_range, members_by_group, partners, short_groups
from gensight.encodings.points import prediction_of_points
from gensight.errors import ConfigError, DataError
from gensight.readers.base import Reader
from gensight.samples import Item, Prediction, Sample, Size, View
from gensight.skeletons import landmark_skeleton

Pairs = Literal["temporal", "warped", "both"]
NUM_PARTNERS = 4  # random partners of each frame


class LandmarkPairs(Encoding):
    """A frame and another one of its group (video), or the frame alone, which the method then warps.

    Nothing is labelled: the target is empty, with weight 0. Output `landmarks`: (3K,), x and y of each landmark as
    shares of the view (the model frame runs from 0 to 1), then their confidence in [0, 1].

    Args:
        num_landmarks: K.
        pairs: `temporal`: another frame of the group; `warped`: the frame alone; `both`: another frame, where the
            group has one, else the frame twice.
        distance: Fewest and most frames between the two, counted within a group.
        seed: Seeds the choice of partners.
        background: Whether what lies behind the first frame's subject, as its reader knows it, is the last image.
        boxed: Whether frames are cropped to their subject: those with neither its box nor a keypoint are left out.

    Errors:
        ConfigError: a value out of its range.
    """

    name = "landmark-pairs"

    def __init__(
        self,
        num_landmarks: int = 30,
        pairs: Pairs = "temporal",
        distance: tuple[int, int] = (3, 40),
        seed: int = 0,
        background: bool = False,
        boxed: bool = False,
    ) -> None:
        if num_landmarks < 1:
            raise ConfigError("num_landmarks is at least 1")
        self.skeleton = landmark_skeleton(num_landmarks)
        self.pairs, self.distance = pairs, frame_range(distance)
        self.seed, self.background, self.boxed = seed, background, boxed
        self.num_samples = 1  # of an item to predict; training items have two unless pairs are warps

    @property
    def outputs(self) -> dict[str, OutputSpec]:
        return {"landmarks": OutputSpec(3 * len(self.skeleton), "vector")}

    def items(self, sample: Sample) -> list[Item]:
        """None: one frame has no partner."""
        return []

    def build_items(self, reader: Reader) -> Sequence[Item]:
        """The pairs of a data set; a frame of which several subjects are known makes pairs of its first one.

        Raises:
            DataError: If pairs are `temporal` and no two frames of a group are a distance apart; if no frame has the
                box that it is to be cropped to.
        """
        frames = self._frames(reader)
        if self.pairs == "warped":
            return PairItems(reader, [(index,) for index in frames], self.background)
        members = members_by_group(reader.groups, frames)
        pairs: list[tuple[int, ...]] = []
        for group in members.values():
            for place, index in enumerate(group):
                found = partners(place, len(group), self.distance)
                rng = np.random.default_rng([self.seed, index])
                chosen = rng.choice(found, min(len(found), NUM_PARTNERS), replace=False) if found else ()
                pairs += [(index, group[int(partner)]) for partner in chosen]
                if not found and self.pairs == "both":
                    pairs.append((index, index))
        if not pairs:
            raise short_groups(members, self.distance)
        return PairItems(reader, pairs, self.background)

    def _frames(self, reader: Reader) -> Sequence[int]:
        if not self.boxed:
            return range(len(reader))
        found = [index for index in range(len(reader)) if _is_located(reader[index])]
        if not found:
            raise DataError(
                "no frame has a box of its subject",
                where=f"{reader.name}: {len(reader)} frames",
                hint="set view.crop=frame, or view.track=true where the camera stands still",
            )
        return found

    def grid_size(self, model_size: Size) -> Size:
        return model_size  # there are no maps: coordinates are continuous

    def encode(self, item: Item, views: tuple[View, ...]) -> dict[str, Tensor]:
        length = 3 * len(self.skeleton)
        return {"landmarks": torch.zeros(length), "landmarks_weight": torch.zeros(length)}

    def decode(self, outputs: Mapping[str, Tensor], item: Item, views: tuple[View, ...]) -> Prediction:
        """One instance whose keypoints are the landmarks, in the image frame."""
        values = outputs["landmarks"].detach().double().cpu().numpy()
        count = len(self.skeleton)
        return prediction_of_points(values[: 2 * count].reshape(-1, 2), values[2 * count :], self.skeleton, item, views)


def _is_located(sample: Sample) -> bool:
    """Whether it is known where a sample's first subject is, by its box or by a keypoint of it."""
    subject = sample.instances[0] if sample.instances else None
    if subject is None:
        return False
    return subject.box is not None or (subject.keypoints is not None and bool(subject.keypoints.located.any()))


class PairItems(ItemSequence):
    """Items of one or two samples of a reader, each about its first subject where subjects are known."""

    def __init__(self, reader: Reader, pairs: Sequence[tuple[int, ...]], background: bool = False) -> None:
        self.reader, self._pairs, self._background = reader, pairs, background

    def __len__(self) -> int:
        return len(self._pairs)

    def item(self, index: int) -> Item:
        samples = tuple(self.reader[member] for member in self._pairs[index])
        first = samples[0]
        if self._background:
            samples = (*samples, _behind(first))
        return Item(samples, 0 if first.instances else None)


def _behind(sample: Sample) -> Sample:
    """What lies behind a sample's subject, where its reader knows."""
    background = sample.extras.get("background")
    if background is None:
        raise DataError(
            "nobody recorded the background of this frame", where=sample.key, hint="set view.track=true for that"
        )
    return Sample(f"{sample.key}/background", sample.size, background, instances=sample.instances, group=sample.group)
