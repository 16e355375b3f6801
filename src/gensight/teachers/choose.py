"""Which teachers there are, and how the command line names them: KIND, or KIND:MODEL for those with a choice.

- `edges`: Canny's edges as a soft map.
- `tracks`: points through videos by optical flow.
- `variants[:BACKBONE]`: other pictures with the same layout, by SDEdit; BACKBONE is `tiny`, a folder or a hub id.
- `run:FOLDER`: a trained gensight run.
- `catalogue` has those that are models of the transformers library.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from gensight.errors import ConfigError, did_you_mean
from gensight.teachers.base import Teacher

BUILT_IN = ("edges", "tracks", "variants", "run")


def choose_teacher(name: str, settings: Mapping[str, Any] | None = None, device: str = "auto") -> Teacher:
    """The teacher of this name; its weights are loaded by `prepare`.

    Args:
        name: `KIND` or `KIND:MODEL`.
        settings: Arguments of the teacher's class, such as `grid`.
        device: Where it runs, if it is a network: `auto`, `cpu`, `cuda` ...

    Raises:
        ConfigError: There is no such teacher, it takes no such setting, or it takes no model (or needs one).
        RunError: The model's files are absent.
    """
    kind, _, model = name.partition(":")
    if kind not in BUILT_IN:
        return _from_catalogue(name, dict(settings or {}), device)
    make = _class(kind)
    parameters = inspect.signature(make).parameters
    choices = [parameter for parameter in parameters if parameter not in ("source", "device", "tracker")]
    given = dict(settings or {})
    unknown = sorted(set(given) - set(choices))
    if unknown:
        raise ConfigError(f"the teacher `{kind}` has no setting `{unknown[0]}`", where=name, choices=choices,
                          hint=did_you_mean(unknown[0], choices))  # fmt: skip
    if model and "source" not in parameters:
        raise ConfigError(f"the teacher `{kind}` has no choice of models", where=name, hint=f"write `{kind}`")
    if "source" in parameters:
        if not model and parameters["source"].default is inspect.Parameter.empty:
            raise ConfigError(f"the teacher `{kind}` needs a model", where=name,
                              hint=f"write {kind}:FOLDER")  # fmt: skip
        given |= {"source": model} if model else {}
    if "device" in parameters:
        given["device"] = device
    try:
        return make(**given)
    except TypeError as error:
        raise ConfigError(f"a setting of the teacher `{kind}` has the wrong type: {error}", where=name) from error


def _class(kind: str) -> Callable[..., Teacher]:
    # Imported here since some of them load torch, diffusers or more.
    match kind:
        case "edges":
            from gensight.teachers.models.edges import EdgeTeacher

            return EdgeTeacher
        case "tracks":
            from gensight.teachers.models.tracks import TrackTeacher

            return TrackTeacher
        case "variants":
            from gensight.teachers.models.variants import VariantTeacher

            return VariantTeacher
        case _:
            from gensight.teachers.run import RunTeacher

            return RunTeacher


def _from_catalogue(name: str, settings: dict[str, Any], device: str) -> Teacher:
    from gensight.teachers.catalogue import TEACHERS, load_teacher

    kind = name.partition(":")[0]
    if kind not in TEACHERS:
        choices = [*BUILT_IN, *sorted(TEACHERS)]
        raise ConfigError(f"there is no teacher called `{kind}`", choices=choices,
                          hint=did_you_mean(kind, choices) or "write KIND or KIND:MODEL")  # fmt: skip
    return load_teacher(name, {"device": device} | settings)
