"""Readout heads as the authors of "Readout Guidance" (Luo et al., CVPR 2024) publish them: `.pt` files, read as data.

A file holds a dict with `config` and `aggregation_network`; nothing in it is run. In `config`:

- `model_id`; `dims`, the channels of the layers read; `projection_dim`; `save_timestep`; `num_timesteps`;
- `idxs`, which of the decoder's blocks are read, where not all are;
- `aggregation_kwargs`: `use_output_head` (False), `output_head_channels` (3), `output_head_act` (True, tanh) and
  `bottleneck_sequential` (True), with their defaults in brackets; under the last no block gets a time embedding;
- `dataset_args` of heads for image-like targets: `control_range` and `sparse_loss`, or `control_type`.

In `aggregation_network`, by block I (`I.0` under `bottleneck_sequential`), against the names of `Aggregation`:

| released                         | here                              | shape                               |
|----------------------------------|-----------------------------------|-------------------------------------|
| `mixing_weights`                 | `mixing`                          | timesteps * layers                  |
| `bottleneck_layers.I.conv1`      | `bottlenecks.I.reduce`            | projection / 4, dims[I], 1, 1       |
| `bottleneck_layers.I.conv2`      | `bottlenecks.I.mix`               | projection / 4, projection / 4, 3, 3|
| `bottleneck_layers.I.conv3`      | `bottlenecks.I.expand`            | projection, projection / 4, 1, 1    |
| `bottleneck_layers.I.shortcut`   | `bottlenecks.I.shortcut`          | projection, dims[I], 1, 1           |
| `... .norm` under each           | `..._norm`                        | the convolution's output channels   |
| `bottleneck_layers.I.emb_layers` | `bottlenecks.I.time`              | projection / 4, time channels       |
| `output_head.0`, `.2`, `.4`      | `first`, `second`, `last`         | 128, 32 and `output_head_channels`  |

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

    def aggregation_state(self) -> dict[str, Tensor]:
        """The tensors under the names of `Aggregation`."""
        state = {"mixing": self.tensors["mixing_weights"].view(self.config.num_timesteps, len(self.config.dims))}
        for index in range(len(self.config.dims)):
            theirs, ours = _block(self.config, index), f"bottlenecks.{index}"
            for released, own in _CONVOLUTIONS.items():
                state[f"{ours}.{own}.weight"] = self.tensors[f"{theirs}.{released}.weight"]
                for kind in ("weight", "bias"):
                    state[f"{ours}.{own}_norm.{kind}"] = self.tensors[f"{theirs}.{released}.norm.{kind}"]
            if self.time_channels is not None:
                for kind in ("weight", "bias"):
                    state[f"{ours}.time.{kind}"] = self.tensors[f"{theirs}.emb_layers.{kind}"]
        return state

    def map_state(self) -> dict[str, Tensor]:
        """The output head's tensors under the names of `MapHead`; empty without one."""
        if self.config.output_channels is None:
            return {}
        return {
            f"{own}.{kind}": self.tensors[f"{released}.{kind}"]
            for released, own in _OUTPUT_LAYERS.items()
            for kind in ("weight", "bias")
        }

    def state(self, output: str) -> dict[str, Tensor]:
        """All tensors under the names of `methods.readout.model.ReadoutHead`, whose one output is called `output`."""
        maps = {f"maps.{output}.{name}": tensor for name, tensor in self.map_state().items()}
        return {f"aggregation.{name}": tensor for name, tensor in self.aggregation_state().items()} | maps

    def networks(self, layers: Sequence[Layer]) -> tuple[Aggregation, MapHead | None]:
        """The networks with these weights: layers to map, and map to outputs where there is an output head.

        Args:
            layers: The backbone's, as many as `config.dims` and with these channels.
        """
        config = self.config
        aggregation = Aggregation(
            layers,
            self.time_channels,
            projection=config.projection,
            bottleneck=config.projection // 4,
            num_timesteps=config.num_timesteps,
            order="reference",
        )
        aggregation.load_state_dict(self.aggregation_state())
        if config.output_channels is None:
            return aggregation, None
        head = MapHead(config.projection, config.output_channels, WIDTHS, "tanh" if config.tanh else None)
        head.load_state_dict(self.map_state())
        return aggregation, head


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


def _expected(config: ReleasedConfig, time_channels: int | None) -> dict[str, tuple[int, ...]]:
    projection, inner = config.projection, config.projection // 4
    shapes: dict[str, tuple[int, ...]] = {"mixing_weights": (config.num_timesteps * len(config.dims),)}
    for index, channels in enumerate(config.dims):
        block = _block(config, index)
        sizes = {
            "conv1": (inner, channels, 1, 1),
            "conv2": (inner, inner, 3, 3),
            "conv3": (projection, inner, 1, 1),
            "shortcut": (projection, channels, 1, 1),
        }
        for name, size in sizes.items():
            shapes[f"{block}.{name}.weight"] = size
            shapes[f"{block}.{name}.norm.weight"] = shapes[f"{block}.{name}.norm.bias"] = size[:1]
        if time_channels is not None:
            shapes[f"{block}.emb_layers.weight"] = (inner, time_channels)
            shapes[f"{block}.emb_layers.bias"] = (inner,)
    if config.output_channels is not None:
        for name, size in zip(
            _OUTPUT_LAYERS,
            ((WIDTHS[0], projection, 3, 3), (WIDTHS[1], WIDTHS[0], 3, 3), (config.output_channels, WIDTHS[1], 1, 1)),
            strict=True,
        ):
            shapes[f"{name}.weight"], shapes[f"{name}.bias"] = size, size[:1]
    return shapes


def _check_tensors(config: ReleasedConfig, tensors: dict[str, Any], time_channels: int | None, path: Path) -> None:
    expected = _expected(config, time_channels)
    # Sequential blocks were made with a time layer that their forward pass never reaches.
    idle = set() if config.time_conditioned else {
        f"{_block(config, index)}.emb_layers.{kind}"
        for index in range(len(config.dims))
        for kind in ("weight", "bias")
    }  # fmt: skip
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
        "extra": [str(name) for name in shapes if name not in expected and name not in idle],
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
