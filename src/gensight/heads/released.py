"""Readout heads as the authors of "Readout Guidance" (Luo et al., CVPR 2024) publish them: `.pt` files, read as data.

A file holds a dict with `config` and `aggregation_network`; nothing in it is run. In `config`:

- `model_id`; `dims`, the channels of the layers read; `projection_dim`; `save_timestep`;
- `save_mode` (hidden), `prompt` (empty), `num_timesteps` (1000) and `diffusion_mode` (generation): how the features
  were read; other values are kept as `other_reading`, and `import-weights` refuses them;
- `idxs`, which of the decoder's blocks are read, where not all are;
- `aggregation_kwargs`: `use_output_head` (False), `output_head_channels` (3), `output_head_act` (True, tanh) and
  `bottleneck_sequential` (True), with their defaults in brackets; under the last no block gets a time embedding;
- `dataset_args` of heads for image-like targets: `control_range` and `sparse_loss`, or `control_type`.

`aggregation_network` holds tensors; `_names` has their names against those of `Aggregation` and `MapHead`.

The time embedding that these heads were trained with is that of timestep 1000 - t where the U-Net ran at t, and in
SDXL it lacks what the U-Net adds for text and sizes: `DiffusionBackbone(time_embedding="reversed")` gives it.
"""

import pickle
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gensight.backbones.base import Layer
from gensight.errors import RunError
from gensight.heads.aggregation import Aggregation
from gensight.heads.maps import MapHead

WIDTHS = (128, 32)  # of the map head's hidden layers
NUM_GROUPS = 32
_CONVOLUTIONS = {"conv1": "reduce", "conv2": "mix", "conv3": "expand", "shortcut": "shortcut"}
_OUTPUT_LAYERS = {"output_head.0": "first", "output_head.2": "second", "output_head.4": "last"}
# How features of a backbone are read here: the second convolution's output, for an empty prompt, at each of 1000 steps.
_READING = {"save_mode": "hidden", "prompt": "", "num_timesteps": 1000, "diffusion_mode": "generation"}
_SHOWN = 8  # tensors named in an error
_UNREADABLE = (  # what torch.load raises for damaged and foreign files
    pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, IndexError,
    AttributeError,
)  # fmt: skip


@dataclass(frozen=True)
class ReleasedConfig:
    """The config of a released head.

    Attributes:
        model_id: Hub id of the backbone, as written; it may have moved since.
        dims: Channels of the layers read, in the decoder's order.
        layer_indices: Which of the decoder's ResNet blocks they are; None for all.
        projection: Channels of the aggregated map.
        num_timesteps: How many noise levels are aggregated.
        output_channels: Maps of the output head; None where the aggregated map is the result.
        tanh: Whether the output head ends with a tanh.
        time_conditioned: Whether blocks get the time embedding.
        eval_mode: Whether it was trained on clean images; None where the file doesn't state it.
        dataset: `dataset_args`, plain values only.
        other_reading: Settings under which its features were read otherwise than they are here, by key.
    """

    model_id: str
    dims: tuple[int, ...]
    layer_indices: tuple[int, ...] | None
    projection: int
    num_timesteps: int
    output_channels: int | None
    tanh: bool
    time_conditioned: bool
    eval_mode: bool | None
    dataset: Mapping[str, Any]
    other_reading: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class ReleasedHead:
    """A released head.

    Attributes:
        config: As the file states it.
        tensors: float32, by their released names.
        time_channels: Width of the time embedding; None where blocks get none.
        steps: For how many steps it was trained; None where the file doesn't state it.
    """

    config: ReleasedConfig
    tensors: Mapping[str, Tensor]
    time_channels: int | None
    steps: int | None = None

    def state(self, output: str) -> dict[str, Tensor]:
        """All tensors under the names of `methods.readout.model.ReadoutHead`, whose one output is called `output`."""
        return {f"aggregation.{name}": tensor for name, tensor in self._part("aggregation").items()} | {
            f"maps.{output}.{name}": tensor for name, tensor in self._part("maps").items()
        }

    def networks(self, layers: Sequence[Layer]) -> tuple[Aggregation, MapHead | None]:
        """The networks with these weights: layers to map, and map to outputs where there is an output head.

        Args:
            layers: The backbone's, as many as `config.dims` and with these channels.
        """
        aggregation, head = _networks(self.config, self.time_channels, layers)
        aggregation.load_state_dict(self._part("aggregation"))
        if head is not None:
            head.load_state_dict(self._part("maps"))
        return aggregation, head

    def _part(self, part: str) -> dict[str, Tensor]:
        """A network's tensors under its own names."""
        names = _names(self.config).items()
        state = {own[1]: self.tensors[released] for released, own in names if own[0] == part}
        if part == "aggregation":
            state["mixing"] = state["mixing"].view(self.config.num_timesteps, len(self.config.dims))
        return state


def _names(config: ReleasedConfig) -> dict[str, tuple[str, str]]:
    """Released name of each tensor -> (network, name in it)."""
    kinds = ("weight", "bias")
    names = {"mixing_weights": ("aggregation", "mixing")}
    for index in range(len(config.dims)):
        theirs, ours = _block(config, index), f"bottlenecks.{index}"
        for released, own in _CONVOLUTIONS.items():
            names[f"{theirs}.{released}.weight"] = ("aggregation", f"{ours}.{own}.weight")
            for kind in kinds:
                names[f"{theirs}.{released}.norm.{kind}"] = ("aggregation", f"{ours}.{own}_norm.{kind}")
        if config.time_conditioned:
            for kind in kinds:
                names[f"{theirs}.emb_layers.{kind}"] = ("aggregation", f"{ours}.time.{kind}")
    if config.output_channels is not None:
        for released, own in _OUTPUT_LAYERS.items():
            for kind in kinds:
                names[f"{released}.{kind}"] = ("maps", f"{own}.{kind}")
    return names


def _networks(
    config: ReleasedConfig, time_channels: int | None, layers: Sequence[Layer]
) -> tuple[Aggregation, MapHead | None]:
    aggregation = Aggregation(
        layers,
        time_channels,
        projection=config.projection,
        bottleneck=config.projection // 4,
        num_timesteps=config.num_timesteps,
        order="reference",
    )
    if config.output_channels is None:
        return aggregation, None
    return aggregation, MapHead(config.projection, config.output_channels, WIDTHS, config.tanh)


def read_released_head(path: str | Path) -> ReleasedHead:
    """Reads a released head; the file is taken as data, and none of it is run.

    Raises:
        RunError: If it is no such file, asks to run code, or has missing, extra or wrongly shaped tensors.
    """
    path = Path(path)
    content = _unpickled(path)
    for key in ("config", "aggregation_network"):
        if not isinstance(content, dict) or not isinstance(content.get(key), dict):
            raise RunError(
                f"this is no head of Readout Guidance: it has no `{key}`",
                where=path,
                hint="a released file is a dict with `config` and `aggregation_network`",
            )
    config = _config(content["config"], path)
    tensors = content["aggregation_network"]
    time_channels = _time_channels(config, tensors)
    _check_tensors(config, tensors, time_channels, path)
    steps = content.get("step") if isinstance(content.get("step"), int) else None
    return ReleasedHead(config, {name: tensor.float() for name, tensor in tensors.items()}, time_channels, steps)


def _unpickled(path: Path) -> Any:
    if not path.is_file():
        raise RunError("there is no such file", where=path)
    if not zipfile.is_zipfile(path):
        raise RunError(
            "this is no file of `torch.save`, or it was cut short",
            where=path,
            hint="copy or download it again",
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        found = re.search(r"GLOBAL ([\w.]+\w)|unrecognized function (.+)", str(error))
        if isinstance(error, pickle.UnpicklingError) and found:
            raise RunError(
                f"this file asks to run code when it is opened ({found[1] or found[2]}), and was not opened",
                where=path,
                hint="a head is numbers and plain settings; get the file from who published it",
            ) from error
        raise RunError(
            f"the file cannot be read ({type(error).__name__})", where=path, hint="copy or download it again"
        ) from error


def _config(values: dict[str, Any], path: Path) -> ReleasedConfig:
    missing = [key for key in ("model_id", "dims", "projection_dim", "save_timestep") if key not in values]
    if missing:
        raise RunError(f"the head's config lacks {', '.join(missing)}", where=path)
    options = values.get("aggregation_kwargs") or {}
    projection = _whole(values["projection_dim"], "projection_dim", path)
    if projection % (4 * NUM_GROUPS):
        raise RunError(
            f"the head's projection_dim is {projection}, which is no multiple of {4 * NUM_GROUPS}: its norms have "
            f"{NUM_GROUPS} groups of a quarter of it",
            where=path,
        )
    channels = _whole(options.get("output_head_channels", 3), "output_head_channels", path)
    return ReleasedConfig(
        model_id=str(values["model_id"]),
        dims=tuple(_whole(one, "dims", path) for one in _listed(values["dims"], "dims", path)),
        layer_indices=_layer_indices(values.get("idxs"), path),
        projection=projection,
        num_timesteps=len(_listed(values["save_timestep"], "save_timestep", path)),
        output_channels=channels if options.get("use_output_head", False) else None,
        tanh=bool(options.get("output_head_act", True)),
        time_conditioned=not options.get("bottleneck_sequential", True),
        eval_mode=bool(values["eval_mode"]) if "eval_mode" in values else None,
        dataset=dict(values.get("dataset_args") or {}),
        other_reading={key: values[key] for key, ours in _READING.items() if values.get(key, ours) not in (ours, None)},
    )


def _whole(value: Any, key: str, path: Path) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RunError(f"the head's {key} must be a whole number from 1, got {value!r}", where=path)
    return value


def _listed(value: Any, key: str, path: Path) -> list[Any]:
    if not isinstance(value, list | tuple) or not value:
        raise RunError(f"the head's {key} must be a list, got {value!r}", where=path)
    return list(value)


def _layer_indices(value: Any, path: Path) -> tuple[int, ...] | None:
    """`idxs`: absent, numbers, or their list as text."""
    if value is None:
        return None
    numbers = re.findall(r"\d+", value) if isinstance(value, str) else _listed(value, "idxs", path)
    if not numbers or not all(str(number).isdecimal() for number in numbers):
        raise RunError(f"the head's idxs must be a list of numbers, got {value!r}", where=path)
    return tuple(int(number) for number in numbers)


def _block(config: ReleasedConfig, index: int) -> str:
    return f"bottleneck_layers.{index}" if config.time_conditioned else f"bottleneck_layers.{index}.0"


def _time_channels(config: ReleasedConfig, tensors: dict[str, Any]) -> int | None:
    """The width that the first block's layer has; None where blocks get no embedding."""
    if not config.time_conditioned:
        return None
    weight = tensors.get(f"{_block(config, 0)}.emb_layers.weight")
    return int(weight.shape[1]) if isinstance(weight, Tensor) and weight.ndim == 2 else 1280


def _shapes(config: ReleasedConfig, time_channels: int | None) -> dict[str, tuple[int, ...]]:
    """What the networks of a config have, by released name."""
    with torch.device("meta"):
        networks = _networks(config, time_channels, [Layer("", channels, 1) for channels in config.dims])
    own = {
        (part, name): tuple(tensor.shape)
        for part, network in zip(("aggregation", "maps"), networks, strict=True)
        if network is not None
        for name, tensor in network.state_dict().items()
    }
    shapes = {released: own[name] for released, name in _names(config).items()}
    return shapes | {"mixing_weights": (config.num_timesteps * len(config.dims),)}


def _check_tensors(config: ReleasedConfig, tensors: dict[str, Any], time_channels: int | None, path: Path) -> None:
    expected = _shapes(config, time_channels)
    # Sequential blocks were made with a time layer that their forward pass never reaches.
    idle = re.compile(r"bottleneck_layers\.\d+\.0\.emb_layers\.(weight|bias)")
    shapes = {name: tuple(one.shape) if isinstance(one, Tensor) else None for name, one in tensors.items()}
    wrong = [
        f"{name} {'no tensor' if shapes[name] is None else shapes[name]} instead of {expected[name]}"
        for name in expected
        if name in shapes and shapes[name] != expected[name]
    ]
    broken = [
        name
        for name, one in tensors.items()
        if isinstance(one, Tensor) and not (one.is_floating_point() and bool(one.isfinite().all()))
    ]
    problems = {
        "missing": [name for name in expected if name not in shapes],
        "extra": [str(name) for name in shapes if name not in expected and not idle.fullmatch(str(name))],
        "wrongly shaped": wrong,
        "not finite numbers": broken,
    }
    descriptions = [f"{kind}: {_some(names)}" for kind, names in problems.items() if names]
    if descriptions:
        raise RunError(
            f"the head's tensors are not those of its config; {'; '.join(descriptions)}",
            where=path,
            hint="the file may be damaged or of another format; get it again from who published it",
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
