"""gensight: read keypoints, depth, masks and more out of generative image models, and steer generation with them.

    import gensight as gs

    run = gs.train("demo")                      # a recipe -> a scored run; gs.load("runs/demo") reopens it
    run.predict("person.jpg")                   # a path, an array, a folder, a video
    gs.evaluate(run)                            # scores by protocol, with intervals
    gs.backbone("tiny").features(images)        # named feature maps, for a head of your own
    gs.readout(data, target="depth-map")        # a readout head on a frozen backbone
    gs.guide([run], prompt="...", control=...)  # generation steered by readouts
    gs.landmarks(videos); gs.gaze(data); gs.instruct(pool)
    gs.annotate("depth", "photos")              # pseudo-labels; docs/notebooks.md has whole workflows

Functions are imported when first used, so that `import gensight` stays light.
"""

import importlib
from typing import TYPE_CHECKING, Any

from gensight.version import __version__ as __version__

if TYPE_CHECKING:
    from gensight.api import annotate as annotate
    from gensight.api import backbone as backbone
    from gensight.api import build_pool as build_pool
    from gensight.api import evaluate as evaluate
    from gensight.api import fit_keypoints as fit_keypoints
    from gensight.api import gaze as gaze
    from gensight.api import guide as guide
    from gensight.api import instruct as instruct
    from gensight.api import landmarks as landmarks
    from gensight.api import load as load
    from gensight.api import predict as predict
    from gensight.api import readout as readout
    from gensight.api import train as train


_API = (
    "annotate", "backbone", "build_pool", "evaluate", "fit_keypoints", "gaze", "guide", "instruct", "landmarks", "load",
    "predict", "readout", "train",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _API:
        return getattr(importlib.import_module("gensight.api"), name)
    raise AttributeError(f"module 'gensight' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_API])
