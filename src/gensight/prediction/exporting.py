"""A trained run as networks of plain tensors, and as ONNX files that answer the same.

Head boxes are shares of the scene's sides. What stays outside: cutting the view out of an image, and reading points off
maps. `export.json` beside the networks describes their inputs, outputs and frames.

| run | networks | inputs | outputs |
|---|---|---|---|
| readout, landmark-keypoints | `model` | image (B, 3, h, w) in [0, 1] | the encoding's maps or vectors |
| classifier | `model` | image (B, 3, h, w) in [0, 1] | class (B, labels), probabilities |
| gaze-frozen, gaze-convolutional | `model` | scene, head, head_box (B, 4) | gaze (B, 1, grid), in_frame (B, 1) |
| gaze-diffusion | `encoder` | scene, head, head_box | tokens (B, n, channels), in_frame (B, 1) |
| | `denoiser` | x_t (B, 1, grid), timestep int64 (B,), tokens | x0 (B, 1, grid) in [-scale, scale], not clamped |
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gensight.encodings.base import DESCRIPTORS
from gensight.encodings.gaze import IN_FRAME, MAP
from gensight.errors import ConfigError, ResourceError, RunError
from gensight.files.atomic import atomic_path
from gensight.loading.views import ViewPolicy
from gensight.methods.base import Method
from gensight.methods.classifier.method import Classifier
from gensight.methods.gaze.convolutional import ConvolutionalGaze
from gensight.methods.gaze.diffusion import Condition, DiffusionGaze
from gensight.methods.gaze.frozen import FrozenGaze
from gensight.methods.landmarks.keypoints import LandmarkKeypoints
from gensight.methods.readout.method import Readout
from gensight.prediction.request import subject_items
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Array, Batch, Sample, Size

TOLERANCE = 1e-3  # of the largest absolute value that an output takes
_EXAMPLES, _CHECKED = 2, 3  # items that a network is traced with, and another number that it is checked with


@dataclass(frozen=True, eq=False)
class Network:
    """One network to export.

    Attributes:
        name: Of the file.
        module: Takes the inputs in order; gives a tuple of the outputs.
        inputs: Name -> shape without the batch axis.
        outputs: Their names.
    """

    name: str
    module: nn.Module
    inputs: Mapping[str, tuple[int, ...]]
    outputs: tuple[str, ...]

    def examples(self, count: int, seed: int = 0) -> dict[str, Tensor]:
        """Random inputs of a plausible range: boxes inside the scene, images in [0, 1]."""
        generator = torch.Generator().manual_seed(seed)
        made: dict[str, Tensor] = {}
        for name, shape in self.inputs.items():
            values = torch.rand((count, *shape), generator=generator)
            if name == "head_box":
                values = torch.cat([0.4 * values[:, :2], 0.5 + 0.4 * values[:, 2:]], dim=1)
            made[name] = (values * 19).long() if name == "timestep" else values  # every schedule has 20 levels
        return made


def networks(trained: TrainedRun) -> list[Network]:
    """The networks of a run, on the CPU in evaluation mode.

    Raises:
        ConfigError: If the run's method samples noise in prediction or compares images: one network cannot do that.
    """
    method, size = trained.method.to("cpu").eval(), trained.config.view.size
    match method:
        case FrozenGaze() | ConvolutionalGaze():
            return [Network("model", _OneShotGaze(method), _gaze_inputs(trained), (MAP, IN_FRAME))]
        case DiffusionGaze():
            encoder, inputs = _GazeEncoder(method), _gaze_inputs(trained)
            condition = dict(zip(("tokens", "maps"), _shapes(encoder, inputs)[1:], strict=False))
            denoiser = {"x_t": (1, *method.grid), "timestep": (), **condition}
            return [
                Network("encoder", encoder, inputs, (IN_FRAME, *condition)),
                Network("denoiser", _Denoiser(method), denoiser, ("x0",)),
            ]
        case Readout() | LandmarkKeypoints() | Classifier():
            _refuse(trained, method)
            names = tuple(trained.encoding.outputs)
            return [Network("model", _ImageNetwork(method, names, size), {"image": (3, *size)}, names)]
        case _:
            raise ConfigError(f"runs of {trained.config.method.kind} cannot be exported", where=trained.folder.root,
                              hint="readouts, landmark-keypoints, classifiers and the gaze methods can")  # fmt: skip


def export_onnx(network: Network, folder: Path) -> float:
    """Writes `folder/NAME.onnx`, then runs it beside the network on inputs of another batch size.

    Returns:
        The largest difference, as a share of the largest absolute value of that output.

    Raises:
        ResourceError: If the ONNX packages are not installed.
        RunError: If the file answers differently, by more than `TOLERANCE`; it is not kept.
    """
    onnxruntime = _import_onnx()
    examples = network.examples(_EXAMPLES)
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            network.module.eval(),
            tuple(examples.values()),
            input_names=list(examples),
            output_names=list(network.outputs),
            dynamic_shapes=[{0: batch} for _ in examples],
            dynamo=True,
            verbose=False,
        )
    assert program is not None, "the exporter gives a program where it writes no file"
    with atomic_path(folder / f"{network.name}.onnx") as path:
        program.save(str(path), external_data=False)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        difference = largest_difference(network, session)
        if not difference <= TOLERANCE:
            raise RunError(f"the ONNX network differs from the run's by {difference:.1e} of an output's range",
                           where=network.name, hint="try another release of torch or onnxruntime")  # fmt: skip
    return difference


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns about torchvision, deprecations inside torch, and axes that share a name."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def largest_difference(network: Network, session: Any) -> float:
    """How far an ONNX session's answers are from the network's, on fresh inputs; a share of each output's range."""
    inputs = network.examples(_CHECKED, seed=1)
    with torch.no_grad():
        expected: list[Array] = [value.numpy() for value in network.module(*inputs.values())]
    found = session.run(list(network.outputs), {name: value.numpy() for name, value in inputs.items()})
    return max(
        float(np.abs(ours - theirs).max() / max(float(np.abs(ours).max()), 1e-6))
        for ours, theirs in zip(expected, found, strict=True)
    )


def _import_onnx() -> Any:
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ResourceError(
            f"the package {error.name} is not installed", hint="pip install 'gensight[export]'"
        ) from error
    return onnxruntime


def _gaze_inputs(trained: TrainedRun) -> dict[str, tuple[int, ...]]:
    size = trained.config.view.size
    head: Size = getattr(trained.policy, "head_size", None) or size
    return {"scene": (3, *size), "head": (3, *head), "head_box": (4,)}


def _shapes(network: nn.Module, inputs: dict[str, tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Of what it gives for one item."""
    with torch.no_grad():
        return [tuple(value.shape[1:]) for value in network(*(torch.zeros(1, *shape) for shape in inputs.values()))]


def _refuse(trained: TrainedRun, method: Method) -> None:
    if isinstance(method, Readout) and any(not isinstance(part.timesteps, str) for part in method.parts.values()):
        raise ConfigError("this run reads images at several noise levels, whose noise no network holds",
                          where="method.timesteps", hint="export a run with timesteps=clean")  # fmt: skip
    if any(spec.kind in DESCRIPTORS for spec in trained.encoding.outputs.values()):
        raise ConfigError(f"runs of {trained.config.encoding.kind} compare images, and cannot be exported",
                          where="encoding.kind", hint="keypoints, maps and gaze can")  # fmt: skip


class _ImageNetwork(nn.Module):
    def __init__(self, method: Method, names: tuple[str, ...], size: Size) -> None:
        super().__init__()
        self.method, self.names = method, names
        (item,) = subject_items(Sample("image", size, lambda: np.zeros((*size, 3), np.uint8)), None)
        self._item, self._view = item, ViewPolicy(size).view(item)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        batch = Batch([self._item], [(self._view,)], torch.zeros(1, dtype=torch.int64), (image,))
        answers = self.method.predict(batch)
        return tuple(answers[name] for name in self.names)


class _OneShotGaze(nn.Module):
    def __init__(self, method: FrozenGaze | ConvolutionalGaze) -> None:
        super().__init__()
        self.method = method

    def forward(self, scene: Tensor, head: Tensor, head_box: Tensor) -> tuple[Tensor, Tensor]:
        answers = self.method.read(scene, head, head_box)
        return answers[MAP], answers[IN_FRAME]


class _GazeEncoder(nn.Module):
    def __init__(self, method: DiffusionGaze) -> None:
        super().__init__()
        self.method = method

    def forward(self, scene: Tensor, head: Tensor, head_box: Tensor) -> tuple[Tensor, ...]:
        seen = self.method.encoder.encode(scene, head, head_box)
        inside = self.method.in_frame(seen.joint).sigmoid()[:, None]
        return inside, *(part for part in self.method.condition(seen) if part is not None)


class _Denoiser(nn.Module):
    def __init__(self, method: DiffusionGaze) -> None:
        super().__init__()
        self.method = method

    def forward(self, x_t: Tensor, timestep: Tensor, tokens: Tensor, maps: Tensor | None = None) -> tuple[Tensor]:
        return (self.method.denoise(x_t, timestep, Condition(tokens, maps)),)
