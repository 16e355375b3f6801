"""Skeletons and edges as painted answers, chosen by an instruction: the images that readouts and guidance use."""

import torch

from gensight.encodings.base import Encoding
from gensight.encodings.edge_image import EdgeImage
from gensight.encodings.painted.base import Painted
from gensight.encodings.panels import Panel
from gensight.encodings.pose_image import PoseImage
from gensight.errors import ConfigError
from gensight.instructions.grammar import Task, fixed
from gensight.samples import Array, Item, Prediction, Query, Sample, View
from gensight.skeletons import Skeleton

_CELLS = 128  # of the shorter side, from which skeletons are read on coarser cells


class _Drawing(Painted):
    """An answer that another encoding draws and reads, in RGB."""

    task: Task

    def __init__(self, drawn: Encoding, output: str) -> None:
        self._drawn, self._output = drawn, output

    def items(self, sample: Sample) -> list[Item]:
        """One per sample that has the labels."""
        query = Query(fixed(self.task).text, self.task, ())
        return [Item((sample,), query=query) for _ in self._drawn.items(sample)]

    def paint(self, item: Item, view: View) -> tuple[Array, Array] | None:
        targets = self._drawn.encode(item, (view,))
        known = targets[f"{self._output}_weight"][0].numpy() > 0
        return (targets[self._output].permute(1, 2, 0).numpy(), known) if known.any() else None

    def read(self, picture: Array, item: Item, view: View) -> Prediction:
        """As the other encoding does."""
        return self._drawn.decode({self._output: torch.from_numpy(picture).permute(2, 0, 1)}, item, (view,))

    def panel(self, prediction: Prediction, item: Item) -> Panel | None:
        return self._drawn.panel(prediction, item)


class PaintedKeypoints(_Drawing):
    """Everybody's skeleton in OpenPose's colours on black.

    Bound on its own encodings, measured on 71 synthetic people, one to three in an image: 78 % of the visible keypoints
    come back within 0.05 of the box's longer side at 64 px, 83 % at 128 px. Larger answers are read at about 128
    cells, which is nearly as accurate (85 % on 256) and many times as fast.

    Args:
        skeleton: The keypoints to draw.

    Raises:
        ConfigError: No skeleton.
    """

    name, task = "painted-keypoints", "keypoints"

    def __init__(self, skeleton: Skeleton | None) -> None:
        if skeleton is None:
            raise ConfigError("`keypoints` needs a skeleton", where="encoding.skeleton")
        super().__init__(PoseImage(skeleton, 1, "all"), "pose")
        self.skeleton = skeleton

    def read(self, picture: Array, item: Item, view: View) -> Prediction:
        """Everybody who is seen, in the image frame."""
        height, width = picture.shape[:2]
        factor = next(
            one for one in range(max(1, min(height, width) // _CELLS), 0, -1) if not (height % one or width % one)
        )
        coarse = picture.reshape(height // factor, factor, width // factor, factor, 3).mean((1, 3))
        reader = PoseImage(self.skeleton, factor, "all")
        return reader.decode({"pose": torch.from_numpy(coarse).permute(2, 0, 1)}, item, (view,))


class PaintedEdges(_Drawing):
    """Edges white on black; bounds on its own encodings as of `EdgeImage`."""

    name, task = "painted-edges", "edges"

    def __init__(self) -> None:
        super().__init__(EdgeImage(3, 1), "edges")
