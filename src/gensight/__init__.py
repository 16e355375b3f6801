"""gensight: read keypoints, depth, masks and more out of generative image models.

    import gensight

    run = gensight.train(config, out)       # the recipe of a run -> its folder
    results = gensight.evaluate(run)        # scores by protocol, with intervals
    gensight.predict(run, images, out)      # images, folders and videos
    gensight.ask(run, images, "segment the cat")    # of a run that follows instructions
    trained = gensight.load(run)            # trained.predict(image): paths and arrays, predictions

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
    "ask": "gensight.verbs.ask",
}


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return getattr(importlib.import_module(_VERBS[name]), name)
    raise AttributeError(f"module 'gensight' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_VERBS])
