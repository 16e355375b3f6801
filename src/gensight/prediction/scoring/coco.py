"""Predictions on a COCO data set, in its own file's terms: what COCO's evaluation code takes as results."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gensight.files.atomic import write_json
from gensight.metrics.coco.results import coco_results
from gensight.readers.base import Reader
from gensight.readers.coco.reader import CocoReader
from gensight.readers.shared.named_keypoints import NamedKeypointsReader
from gensight.readers.splits import Subset
from gensight.samples import Prediction
from gensight.skeletons import Skeleton

FILE_NAME = "coco_results.json"


@dataclass(eq=False)
class CocoScoring:
    """Collects predictions under the image and category ids of the data set's own file.

    Attributes:
        skeleton: The keypoints of the file, in its order.
        image_ids: Sample key -> image id.
        category_ids: Category name -> category id.
    """

    skeleton: Skeleton
    image_ids: dict[str, int]
    category_ids: dict[str, int]
    _entries: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, reader: Reader | None) -> "CocoScoring | None":
        """None for a reader of other data, of a COCO file without keypoints, or of some of its keypoints alone."""
        skeleton = None
        while isinstance(reader, Subset | NamedKeypointsReader):
            if isinstance(reader, NamedKeypointsReader):
                if len(reader.whole) > len(reader.skeleton or ()):
                    return None
                skeleton = reader.whole
            reader = reader.reader
        if not isinstance(reader, CocoReader) or reader.skeleton is None:
            return None
        return cls(skeleton or reader.skeleton, reader.image_ids, reader.category_ids)

    def add(self, prediction: Prediction) -> None:
        """Takes one item's prediction; instances without keypoints are passed over."""
        if not prediction.instances:
            return
        category = self.category_ids[prediction.instances[0].category]
        self._entries += coco_results([prediction], self.image_ids, self.skeleton, category)

    def write(self, folder: Path) -> None:
        """Writes `coco_results.json`, atomically."""
        write_json(folder / FILE_NAME, self._entries)
