"""A trained run, reopened: what `gensight.load` gives."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gensight.assembly.backbones import build_backbone
from gensight.assembly.devices import choose_device
from gensight.assembly.encodings import build_encoding
from gensight.assembly.methods import build_method
from gensight.assembly.views import build_policy
from gensight.config.loading.loader import load_recipe
from gensight.config.schema import RunConfig
from gensight.diffusion.sampling import Sampling
from gensight.encodings.base import Encoding
from gensight.encodings.calibration import Calibration
from gensight.engine.run_folder import RunFolder
from gensight.engine.weights import load_method
from gensight.errors import RunError
from gensight.loading.views import ViewPolicy
from gensight.methods.base import Method
from gensight.prediction.detection.box_files import given_boxes
from gensight.prediction.pixels import as_arrays
from gensight.prediction.predictor import Predictor
from gensight.prediction.request import Request
from gensight.prediction.sources import GivenBoxes, Image, open_images
from gensight.samples import Array, Item, Prediction, Provenance
from gensight.skeletons import Skeleton


@dataclass(frozen=True, eq=False, repr=False)
class TrainedRun:
    """A run folder's recipe, method and encoding, ready to predict.

    Attributes:
        folder: The run folder.
        config: Its recipe.
        skeleton: The keypoints that it predicts; None where it predicts none.
        method: With the trained weights.
        encoding: With the calibrated confidence.
        policy: What part of an image is shown to the method.
        calibration: What the encoding was built with.
        predictor: Answers requests about images.
    """

    folder: RunFolder
    config: RunConfig
    skeleton: Skeleton | None
    method: Method
    encoding: Encoding
    policy: ViewPolicy
    calibration: Calibration
    predictor: Predictor

    @classmethod
    def load(
        cls, folder: str | Path, device: str = "auto", checkpoint: str = "best", perception_only: bool = False
    ) -> "TrainedRun":
        """Reopens a run folder; needs nothing else but the backbone that its card names.

        Args:
            folder: The run folder.
            device: `auto`, `cpu`, `cuda` ...
            checkpoint: `best` (the weights that validation chose) or `last`.
            perception_only: Opens faster, in a process that does nothing else with diffusion models.

        Raises:
            RunError: If the folder is no finished run, or its weights don't fit.
        """
        run = RunFolder(Path(folder))
        card = run.read_card()
        config = load_recipe(run.config)
        skeleton, calibration = card.skeleton, Calibration(card.calibration, card.threshold)
        encoding = build_encoding(config, skeleton, calibration)
        backbone = build_backbone(config, perception_only)
        if backbone.fingerprint() != card.backbone.fingerprint and not backbone.trainable:
            raise RunError(
                "the backbone is not the one that this run was trained on",
                where=run.card,
                hint=f"it needs {card.backbone.id} with fingerprint {card.backbone.fingerprint[:12]}",
            )
        method = build_method(config, backbone, encoding)
        load_method(method, run, checkpoint)
        policy, evaluation = build_policy(config), config.evaluation
        chosen = choose_device(device)
        predictor = Predictor(method, encoding, policy, chosen, evaluation.flip_test, evaluation.batch_size)
        return cls(run, config, skeleton, method, encoding, policy, calibration, predictor)

    def __repr__(self) -> str:
        config, count = self.config, "" if self.skeleton is None else f", {len(self.skeleton)} keypoints"
        kinds = f"{config.encoding.kind} by {config.method.kind} on {config.backbone.kind}"
        return f"TrainedRun({str(self.folder.root)!r}: {config.name}, {kinds}{count})"

    def _signed(self, prediction: Prediction) -> Prediction:
        """With this run as the source of its instances."""
        signed = (replace(one, provenance=Provenance(f"run:{self.config.name}", one.confidence))
                  for one in prediction.instances)  # fmt: skip
        return replace(prediction, instances=tuple(signed))

    def predict_items(self, items: Sequence[Item]) -> list[Prediction]:
        """Predictions of items, in order."""
        return list(self.predictor.answer_items(items))

    def predict(
        self,
        images: Image | Sequence[Image],
        *,
        boxes: GivenBoxes | None = None,
        heads: GivenBoxes | None = None,
        instruction: str | None = None,
        task: str | None = None,
        classes: Sequence[str] = (),
        reference: Image | None = None,
        points: Array | Sequence[Sequence[float]] | None = None,
        sampling: Sampling | None = None,
    ) -> Prediction | list[Prediction]:
        """What the run finds in an image, or in each of several.

        By default an image as a whole is the one subject. Images are read and answered batch by batch; for videos of
        many frames, whose predictions should not all be in memory, use `gensight.predict`, which writes files.

        Args:
            images: A path (image, folder or video), pixels (uint8, or floats in [0, 1]; grey, RGB or RGBA, channels
                last; a PIL image; a tensor, channels first), or a list of these. All points and boxes, here and in
                what is returned, are (x, y) in pixels of the upright image: the centre of the top-left one is
                (0.5, 0.5).
            boxes: Of subjects, for runs that look at one subject at a time: (num, 4) of x_min, y_min, x_max, y_max in
                pixels; of several images a list of these, or a mapping from their names. Each must lie in its image, at
                least a pixel wide and high; fractions, and x, y, width, height, are refused.
            heads: Likewise, of heads, for gaze runs.
            instruction: What an instruction-following run does, such as "segment the cat".
            task, classes: Of the instruction, where its words do not name them.
            reference: The image that each image is compared with, for correspondence and appearance runs.
            points: (num, 2), x and y in pixels of the reference, to be found in each image; None: an even grid.
            sampling: Changes to how the run samples.

        Returns:
            One prediction for an image, a list for anything else.

        Raises:
            ConfigError: The run takes something else, or cannot be sampled so.
            DataError: Images or boxes that are none.
        """
        images = as_arrays(images)
        opened, keys = open_images(images)
        samples = opened if keys is None else list(opened)
        known = [] if keys is None else list(samples)
        request = Request(
            boxes=given_boxes(boxes, images, known, keys, "boxes"),
            heads=given_boxes(heads, images, known, keys, "heads"),
            instruction=instruction,
            task=task,
            classes=tuple(classes),
            reference=None if reference is None else next(iter(open_images(reference)[0])),
            points=None if points is None else np.asarray(points, dtype=np.float64),
            sampling=sampling,
        ).resolve(self)
        found = [self._signed(one) for one in self.predictor.answer(samples, request)]
        single = isinstance(images, str | Path | np.ndarray) and keys is not None
        return found[0] if single else found
