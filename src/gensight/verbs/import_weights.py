"""`gensight import-weights`: heads that others have trained and published, as runs of this project."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gensight.assembly.backbones import build_backbone
from gensight.assembly.encodings import build_encoding
from gensight.assembly.methods import build_method
from gensight.backbones.base import Layer
from gensight.backbones.diffusion import DiffusionBackbone
from gensight.backbones.pretrained import MOVED, pipeline_folder
from gensight.config.loading.loader import compose_recipe
from gensight.config.schema import RunConfig
from gensight.encodings.base import Encoding
from gensight.encodings.calibration import Calibration
from gensight.engine.card import BackboneIdentity, Card, Origin, package_versions
from gensight.engine.run_folder import RunFolder
from gensight.engine.weights import save_weights
from gensight.errors import ConfigError, RunError
from gensight.files.hashing import file_hash
from gensight.heads.released import WIDTHS, ReleasedConfig, ReleasedHead, read_released_head
from gensight.methods.readout.loss import ends_in_tanh
from gensight.methods.readout.method import Readout
from gensight.skeletons import NAMED, Skeleton

SOURCES = ("readout-guidance",)
ENCODINGS: dict[str, dict[str, Any]] = {
    "keypoints": {"kind": "heatmap", "decoder": "argmax"},
    "pose": {"kind": "pose-image", "instances": "all"},
    "edges": {"kind": "edge-image", "channels": 3},
    "depth": {"kind": "depth-image", "channels": 3},
    "correspondence": {"kind": "correspondence"},
    "appearance": {"kind": "appearance"},
}
_STRIDE = 8  # image pixels per cell: these heads answer on the latent's grid
_SKELETONS = {18: "openpose-18", 17: "coco-17"}
# A peak above 0.1 means that the keypoint is there, as published: confidence is one half at that height.
_CALIBRATION = Calibration((20.0, -2.0))
_FIXED = ("method", "backbone.layers", "backbone.timestep", "backbone.time_embedding", "backbone.kind", "encoding.kind")
_QUIRK = (
    "Trained by the released code of Readout Guidance, which gave this head the time embedding of 1000 - t where the "
    "U-Net ran at timestep t (and for SDXL without what the U-Net adds to it). Its outputs depend on that, so it is "
    "given the same here: backbone.time_embedding=reversed. In guidance it is given that of t, as in the released code."
)
_UNCONDITIONED = "Its blocks get no time embedding, as the released code has it under bottleneck_sequential."


def import_weights(
    source: str,
    file: Path,
    out: Path,
    backbone: str | None = None,
    head: str | None = None,
    overrides: Sequence[str] = (),
) -> Path:
    """Makes a run of a published head, for `gensight.load`, predict, match, guide and evaluate.

    Args:
        source: Who published it: one of `SOURCES`.
        file: The file.
        out: The run folder to write.
        backbone: Hub id, or folder of the pipeline that it was trained on; what the file names if None.
        head: What it reads: one of `ENCODINGS`; found in the file, or in its name, if None.
        overrides: `key=value` each for the run's recipe: its data, so that it can be scored, or `backbone.dtype`.

    Returns:
        The run folder.

    Raises:
        RunError: The file is no such head, or does not fit the backbone; the folder holds something else.
        ConfigError: For an unknown source or head, or mistakes in the overrides.
    """
    if source not in SOURCES:
        raise ConfigError(f"unknown source of weights `{source}`", choices=SOURCES)
    if head is not None and head not in ENCODINGS:
        raise ConfigError(f"unknown head `{head}`", where="--head", choices=ENCODINGS)
    released = read_released_head(file)
    if released.config.num_timesteps > 1:
        raise RunError(
            f"this head aggregates {released.config.num_timesteps} noise levels, and the published ones read one",
            where=file,
            hint="such heads can be run from Python: gensight.heads.released.read_released_head(...).networks(layers)",
        )
    _refuse_other_reading(released.config, file)
    name = backbone or released.config.model_id
    target = head or guess_head(released.config, file)
    values = _recipe_values(released.config, target, MOVED.get(name, name), file)
    _refuse_fixed(overrides)
    config = compose_recipe(Path(file).stem, values, overrides)
    model = build_backbone(config)
    assert isinstance(model, DiffusionBackbone)  # set by the recipe
    names = _check_layers(released, model.layers, model.time_channels, file, name)
    if names is not None:
        model.read_layers(names)
        values["backbone"]["layers"] = names
    values["view"]["size"] = [_side(name, model)] * 2
    config = compose_recipe(Path(file).stem, values, overrides)
    skeleton = NAMED[values["encoding"]["skeleton"]] if "skeleton" in values["encoding"] else None
    encoding = build_encoding(config, skeleton, _CALIBRATION)
    method = _method(released, config, model, encoding, file)
    run = RunFolder(Path(out))
    run.create(config)
    save_weights(method.trained_state(), run.weights)
    run.write_card(_card(released, config, model, method, skeleton, Path(file), target))
    return run.root


def guess_head(config: ReleasedConfig, file: Path) -> str:
    """What a head reads, by the data that it was trained on, its file's name and its outputs, in this order."""
    dataset, name = config.dataset, Path(file).stem.lower()
    if config.output_channels is None:
        if "sdedit_root" in dataset or any(word in name for word in ("appearance", "identity")):
            return "appearance"
        return "correspondence"
    if not config.tanh:
        return "keypoints"
    kinds = {"pose": "pose", "edge": "edges", "depth": "depth"}
    if dataset.get("control_type") in kinds:
        return kinds[str(dataset["control_type"])]
    sparse = dataset.get("sparse_loss")
    candidates = ("depth",) if sparse is False else ("pose", "edge") if sparse else ("pose", "edge", "depth")
    return kinds[next((word for word in candidates if word in name), candidates[0])]


def _recipe_values(config: ReleasedConfig, head: str, backbone: str, file: Path) -> dict[str, Any]:
    encoding = {**ENCODINGS[head], "stride": _STRIDE}
    if head in ("keypoints", "pose"):
        encoding["skeleton"] = "openpose-18"
    if head == "keypoints":
        if config.output_channels not in _SKELETONS:
            raise RunError(
                f"a head for keypoints makes 18 maps (or 17), this one makes {config.output_channels}",
                where=file,
                hint=f"name what it reads: --head {'|'.join(ENCODINGS)}",
            )
        encoding["skeleton"] = _SKELETONS[config.output_channels]
    clean = config.eval_mode if config.eval_mode is not None else head == "keypoints"
    pairs = head in ("correspondence", "appearance")
    return {
        "description": f"A published head ({head}) of Readout Guidance",
        "data": {
            "kind": "puppets",
            "num_train": 6,
            "num_validation": 0,
            "num_test": 48,
            "num_frames": 6 if pairs else 1,
            "subjects": "people" if head in ("keypoints", "pose") else "all",
        },
        "view": {"crop": "stretched-box" if head == "keypoints" else "frame"},
        "encoding": encoding,
        "backbone": {"kind": "diffusers", "id": backbone, "timestep": 1, "time_embedding": "reversed"},
        "method": {
            "kind": "readout",
            "projection": config.projection,
            "bottleneck": config.projection // 4,
            "widths": list(WIDTHS),
            "order": "reference",
            "time_conditioning": config.time_conditioned,
            "loss": "published",
            "timesteps": "clean" if clean else "random",
        },
        "cache": {"mode": "off"},
    }


def _refuse_other_reading(config: ReleasedConfig, file: Path) -> None:
    if config.other_reading:
        settings = ", ".join(f"{key}={value!r}" for key, value in config.other_reading.items())
        raise RunError(
            f"this head was trained on features that are read otherwise here: {settings}",
            where=file,
            hint="a head can be imported whose features are the hidden maps (save_mode=hidden) for an empty prompt, at "
            "one of 1000 timesteps, in generation; train another one: gensight train puppets-pose-image",
        )


def _refuse_fixed(overrides: Sequence[str]) -> None:
    for override in overrides:
        key = override.partition("=")[0]
        if any(key == fixed or key.startswith(f"{fixed}.") for fixed in _FIXED):
            raise ConfigError(
                f"{key} is set by the file, and can't be changed",
                where=override,
                hint="name what the head reads with --head" if key == "encoding.kind" else "leave it out",
            )


def _check_layers(
    released: ReleasedHead, layers: Sequence[Layer], time_channels: int | None, file: Path, backbone: str
) -> list[str] | None:
    """Names of the decoder's layers that the head reads, None for all. RunError where it is of another backbone."""
    indices = released.config.layer_indices
    chosen = list(layers) if indices is None else [layers[i] for i in indices if i < len(layers)]
    widths = [layer.channels for layer in chosen]
    problem = None
    if widths != list(released.config.dims):
        problem = f"it reads layers of {_joined(released.config.dims)} channels, and the decoder has {_joined(widths)}"
    elif released.time_channels not in (None, time_channels):
        problem = f"its time embedding has {released.time_channels} channels, the backbone's {time_channels}"
    if problem is not None:
        raise RunError(
            f"this head was not trained on {backbone}: {problem}",
            where=file,
            hint=f"the file names {released.config.model_id}; give its folder or another id with --backbone",
        )
    return None if indices is None else [layer.name for layer in chosen]


def _joined(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))


def _side(backbone: str, model: DiffusionBackbone) -> int:
    """The square size that the model was trained at, as the released code takes it."""
    path = pipeline_folder(backbone, local_files_only=True) / "unet" / "config.json"
    sample_size = json.loads(path.read_text(encoding="utf-8")).get("sample_size")
    return int(sample_size or 64) * model.stride


def _method(
    released: ReleasedHead, config: RunConfig, backbone: DiffusionBackbone, encoding: Encoding, file: Path
) -> Readout:
    ((output, spec),) = encoding.outputs.items()
    channels, tanh = released.config.output_channels, released.config.tanh
    expected = (spec.channels or None, spec.channels > 0 and ends_in_tanh(spec))
    if (channels, channels is not None and tanh) != expected:
        raise RunError(
            f"the head {_described(channels, tanh)}, but {config.encoding.kind} {_described(*expected)}",
            where=file,
            hint=f"name what it reads: --head {'|'.join(ENCODINGS)}",
        )
    method = build_method(config, backbone, encoding)
    assert isinstance(method, Readout)  # the recipe is a readout's
    prefix = f"heads.{config.encoding.kind}"
    method.load_trained_state({f"{prefix}.{name}": tensor for name, tensor in released.state(output).items()})
    return method


def _described(channels: int | None, tanh: bool) -> str:
    if channels is None:
        return "has no maps of its own"
    return f"has {channels} map{'s' if channels > 1 else ''} {'with' if tanh else 'without'} a tanh"


def _card(
    released: ReleasedHead,
    config: RunConfig,
    backbone: DiffusionBackbone,
    method: Readout,
    skeleton: Skeleton | None,
    file: Path,
    head: str,
) -> Card:
    return Card(
        name=config.name,
        method=config.method.kind,
        backbone=BackboneIdentity.of(config, backbone.fingerprint()),
        skeleton=skeleton,
        calibration=_CALIBRATION.confidence,
        threshold=_CALIBRATION.threshold,
        num_parameters_trained=sum(p.numel() for p in method.heads.parameters()),
        steps=released.steps,
        best_step=released.steps,
        training_minutes=None,
        hardware=None,
        versions=package_versions(),
        imported=Origin(
            source="readout-guidance",
            file=file.name,
            sha256=file_hash(file),
            backbone=released.config.model_id,
            head=head,
            notes=(_QUIRK if released.config.time_conditioned else _UNCONDITIONED,),
        ),
    )
