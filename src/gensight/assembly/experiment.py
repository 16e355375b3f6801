"""A recipe opened: its data, encoding and cases, ready for any method to be trained or scored on them."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gensight.assembly.encodings import (
    build_encoding,
    build_skeleton,
    doubtful_sides,
    resolve_vocabulary,
    without_doubtful_flips,
)
from gensight.assembly.metrics import build_metrics
from gensight.assembly.readers import Splits, build_readers
from gensight.assembly.views import build_augmentation, build_policy
from gensight.config.data import VideoData
from gensight.config.data.stored import StoredData
from gensight.config.encodings import mirror_pairs_of, parts_of
from gensight.config.schema import RunConfig
from gensight.encodings.base import Encoding
from gensight.encodings.calibration import UNCALIBRATED, Calibration
from gensight.errors import ConfigError
from gensight.files.hashing import value_hash
from gensight.loading.cases import Cases, FeatureSource
from gensight.loading.draw_order import DrawOrder
from gensight.loading.views import ViewPolicy
from gensight.readers.footage.tracked import TrackedReader, Tracker
from gensight.readers.shared.label_counts import label_warnings
from gensight.readers.shared.single_annotation import with_labels
from gensight.skeletons import Skeleton

_COMPARED = 32  # samples of each part, by which moved data is recognised


@dataclass(frozen=True, eq=False)
class Experiment:
    """The objects that a recipe describes, without networks. Opening one reads the data sets' indices, once.

    Attributes:
        config: The recipe, with the names of classes that the data has, where it leaves them to the data.
        splits: Training, validation and test parts.
        skeleton: The keypoints that it needs; None without.
        encoding: Of the targets.
        policy: Which part of an image the method gets.
    """

    config: RunConfig
    splits: Splits
    skeleton: Skeleton | None
    encoding: Encoding
    policy: ViewPolicy

    @classmethod
    def open(cls, config: RunConfig, calibration: Calibration = UNCALIBRATED) -> "Experiment":
        """Opens the data sets. Raises DataError or ConfigError for what is wrong with them."""
        splits = build_readers(config.data, config.truths)
        config = resolve_vocabulary(config, splits.train)
        if config.view.track:
            # All parts share a background: a recording may be divided between them. No label is looked at.
            tracker = Tracker.of_readers(splits.parts)
            splits = splits.map(lambda part: TrackedReader(part, tracker))
        if config.encoding.facts.label_of_objects:
            # Where a data set marks objects only, an image whose objects are of one class is of that class.
            splits = splits.map(with_labels)
        skeleton = build_skeleton(config, splits.train)
        config = without_doubtful_flips(config, skeleton)
        encoding = build_encoding(config, skeleton, calibration)
        build_metrics(config, skeleton)  # what can't be scored is refused before the training
        return cls(config, splits, skeleton, encoding, build_policy(config))

    def data_fingerprints(self) -> dict[str, str]:
        """Part -> the number of its samples and a hash of their groups and of some names and sizes; {} without files.

        Images keep theirs where a data set is moved.
        """
        if not isinstance(self.config.data, StoredData | VideoData):
            return {}
        parts = {"train": self.splits.train, "validation": self.splits.validation, "test": self.splits.test}
        found = {}
        for name, reader in parts.items():
            if reader is not None:
                tracked = isinstance(reader, TrackedReader)  # its samples take the whole video
                places = () if tracked else sorted({int(place) for place in np.linspace(0, len(reader) - 1, _COMPARED)})
                some = [(sample.key, sample.size) for sample in (reader.sample(place) for place in places)]
                found[name] = f"{len(reader)} {value_hash([reader.groups, some])[:16]}"
        return found

    def with_config(self, config: RunConfig) -> "Experiment":
        """The experiment of another recipe; of one with the same data, without opening that again."""
        if _reads(config) != _reads(self.config):
            return Experiment.open(config)
        config = without_doubtful_flips(config, self.skeleton)
        return replace(self, config=config, encoding=build_encoding(config, self.skeleton), policy=build_policy(config))

    @property
    def sides_note(self) -> str:
        """Which keypoints look like one side of a pair without a partner; empty where none does."""
        return doubtful_sides(self.config, self.skeleton)

    def label_warnings(self) -> list[str]:
        """A line for each thing that is wrong with labels in files, of all parts."""
        known = isinstance(self.config.data, StoredData) and not isinstance(self.splits.train, TrackedReader)
        return label_warnings(*self.splits.parts) if known else []

    def with_steps(self) -> "Experiment":
        """With `training.epochs` turned into steps, rounded up; itself where the recipe counts in steps."""
        training = self.config.training
        if training.epochs is None:
            return self
        num_items = len(self.training_cases())
        steps = math.ceil(training.epochs * num_items / (training.batch_size * training.accumulate))
        changed = training.model_copy(update={"steps": steps, "epochs": None})
        return replace(self, config=self.config.model_copy(update={"training": changed}))

    def calibrated(self, calibration: Calibration) -> "Experiment":
        """With the encoding read as a training found best."""
        return replace(self, encoding=build_encoding(self.config, self.skeleton, calibration))

    def training_cases(self, num_views: int = 0, features: FeatureSource | None = None) -> Cases:
        """The training cases, augmented by the recipe; with `num_views` fixed views where features are cached."""
        augmentation = build_augmentation(self.config.view.augment)
        return Cases(self.splits.train, self.encoding, self.policy, augmentation, self.config.seed, num_views, features)

    def plain_training_cases(self) -> Cases:
        """The training cases without augmentation."""
        return Cases(self.splits.train, self.encoding, self.policy)

    def validation_cases(self, features: FeatureSource | None = None) -> Cases | None:
        """None where the recipe keeps no validation part."""
        reader = self.splits.validation
        return None if reader is None else Cases(reader, self.encoding, self.policy, features=features)

    def test_cases(self) -> Cases:
        """Raises ConfigError where the recipe keeps no test part."""
        if self.splits.test is None:
            raise ConfigError("this recipe keeps no test part", where="data", hint="give it one to be scored on")
        return Cases(self.splits.test, self.encoding.for_scoring(), self.policy)

    def draw_order(self, cases: Cases) -> DrawOrder:
        return DrawOrder(len(cases), self.config.training.batch_size, self.config.seed, max(1, cases.num_views))


def _reads(config: RunConfig) -> dict[str, Any]:
    """All that the readers and the skeleton of an experiment depend on."""
    parts = parts_of(config.encoding).values()
    return {
        "data": config.data,
        "truths": config.truths,
        "track": config.view.track,
        "skeletons": [part.skeleton_name for part in parts],
        "pairs": mirror_pairs_of(config.encoding),
        "kinds": [part.kind for part in parts],
    }
