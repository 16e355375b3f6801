"""gensight: read keypoints, depth, masks and more out of generative image models.

    import gensight

    run = gensight.train(config, out)       # the recipe of a run -> its folder
    results = gensight.evaluate(run)        # scores by protocol, with intervals
    gensight.predict(run, images, out)      # images, folders and videos
    model = gensight.load(run)              # a trained model, to call on arrays

The verbs are imported when first used, so that `import gensight` stays light.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_VERBS = {
    "load": "gensight.verbs.predict",
    "train": "gensight.verbs.train",
    "evaluate": "gensight.verbs.evaluate",
    "predict": "gensight.verbs.predict",
}


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return getattr(importlib.import_module(_VERBS[name]), name)
    raise AttributeError(f"module 'gensight' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_VERBS])
