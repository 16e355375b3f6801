"""A trained run, reopened: what `gensight.load` gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gensight.assembly.backbones import build_backbone
from gensight.assembly.encodings import build_encoding
from gensight.assembly.methods import build_method
from gensight.assembly.training_settings import choose_device
from gensight.assembly.views import build_policy
from gensight.config.loading.loader import load_recipe
from gensight.config.schema import RunConfig
from gensight.encodings.base import Encoding
from gensight.encodings.calibration import Calibration
from gensight.engine.fit import load_method
from gensight.engine.run_folder import RunFolder
from gensight.errors import RunError
from gensight.files.images import read_image
from gensight.geometry import warp_image
from gensight.loading.cases import Case, collate
from gensight.loading.views import ViewPolicy
from gensight.methods.base import Method
from gensight.prediction.predictor import Predictor
from gensight.samples import Array, Instance, Item, Prediction, Sample
from gensight.skeletons import Skeleton


@dataclass(frozen=True, eq=False)
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
        predictor: Method and encoding as one function of a batch.
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
    def load(cls, folder: str | Path, device: str = "auto", checkpoint: str = "best") -> "TrainedRun":
        """Reopens a run folder; needs nothing else but the backbone that its card names.

        Args:
            folder: The run folder.
            device: `auto`, `cpu`, `cuda` ...
            checkpoint: `best` (the weights that validation chose) or `last`.

        Raises:
            RunError: If the folder is no finished run, or its weights don't fit.
        """
        run = RunFolder(Path(folder))
        card = run.read_card()
        config = load_recipe(run.config)
        skeleton, calibration = card.skeleton, Calibration(card.calibration, card.threshold)
        encoding = build_encoding(config, skeleton, calibration)
        backbone = build_backbone(config)
        if backbone.fingerprint() != card.backbone.fingerprint and not backbone.trainable:
            raise RunError(
                "the backbone is not the one that this run was trained on",
                where=run.card,
                hint=f"it needs {card.backbone.id} with fingerprint {card.backbone.fingerprint[:12]}",
            )
        method = build_method(config, backbone, encoding)
        load_method(method, run, checkpoint)
        predictor = Predictor(method, encoding, choose_device(device), config.evaluation.flip_test)
        return cls(run, config, skeleton, method, encoding, build_policy(config), calibration, predictor)

    def predict_items(self, items: Sequence[Item]) -> list[Prediction]:
        """Predictions of items, in order."""
        return self.predictor(collate([self._case(item) for item in items]))

    def _case(self, item: Item) -> Case:
        views = tuple(self.policy.view(item, slot) for slot in range(len(item.samples)))
        images = tuple(warp_image(one.image(), view) for one, view in zip(item.samples, views, strict=True))
        return Case(item, views, 0, images, {})

    def predict(self, image: str | Path | Array) -> Prediction:
        """The prediction for one image: a path, or uint8 RGB (height, width, 3). The whole image is one subject."""
        pixels = read_image(image) if isinstance(image, str | Path) else np.asarray(image)
        return self.predict_items([whole_image_item(pixels)])[0]


def whole_image_item(pixels: Array, key: str = "image") -> Item:
    """An item about the whole of an image in memory."""
    height, width = pixels.shape[:2]
    whole = Instance(box=np.array([0.0, 0.0, width, height]))
    return Item((Sample(key, (height, width), lambda: pixels, instances=(whole,)),), instance=0)
