"""Instruction-following runs, to and from diffusers: folders of InstructPix2Pix's layout."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gensight.assembly.backbones import build_backbone
from gensight.assembly.encodings import build_encoding, resolve_vocabulary
from gensight.assembly.methods import build_method
from gensight.backbones.diffusion import DiffusionBackbone
from gensight.backbones.single_file import SUFFIXES, USUAL_CONFIG, convert_single_file
from gensight.config.loading.loader import compose_recipe
from gensight.encodings.calibration import UNCALIBRATED
from gensight.engine.card import BackboneIdentity, Card, Origin
from gensight.engine.run_folder import RunFolder
from gensight.engine.weights import save_weights
from gensight.errors import ConfigError, RunError
from gensight.files.hashing import file_hash
from gensight.methods.instruct.method import Instruct
from gensight.methods.instruct.one_step import OneStep
from gensight.prediction.trained_run import TrainedRun

_DEVIATIONS = (
    "noise: each image has its own, from its key and --seed; the original draws one for all images from torch's seed",
    "levels: between two training levels sigma is interpolated linearly; the original does so in its logarithm",
    "detection: images keep their aspect; the original squashes them to a square before it fits them",
    "outlines end at a box's edge; the original's reach one pixel beyond the right and the lower one",
    "boxes: from connected regions of the outlines' hue, scored by the painted share of the rim; the released decoder "
    "reads red alone, every box scores 1, and boxes are chosen by ground truth",
    "masks: a pixel is white from half the brightness on, and is read at the image's own size",
)


def export_editor(run: Path, out: Path) -> Path:
    """Writes a run as a folder that diffusers' `StableDiffusionInstructPix2PixPipeline` loads.

    Adapters are merged. A one-step run is then used with one step, guidance_scale=1 and latents of zeros.

    Raises:
        ConfigError: Another method's run.
        RunError: The folder is not empty.
    """
    trained = TrainedRun.load(run, "cpu")
    if not isinstance(trained.method, Instruct):
        kind = trained.config.method.kind
        raise ConfigError(f"a run of method.kind={kind} is no editor", where=run, hint="it needs method.kind=instruct")
    if out.exists() and any(out.iterdir()):
        raise RunError("this folder is not empty", where=out, hint="choose another one with --out")
    trained.method.editor.save_pipeline(out, isinstance(trained.method, OneStep))
    return out


def import_editor(source: str, out: Path, overrides: Sequence[str] = (), settings: str = USUAL_CONFIG) -> Path:
    """Makes a run of an InstructPix2Pix folder, hub id or single file, for predict, evaluate and further training.

    The folder stays where it is (a single file is first made into one, `OUT-pipeline`); the run holds adapters that
    change nothing yet, and the input convolution. Images are shown and answers read as InstructCV published them (Gan
    et al., ICLR 2024): 512 px, boxes as blue outlines of 4 px on the photograph, depth linear with 10 m white, 100
    Euler ancestral steps from the last noise level on, under guidance of 7.5 and 1.5. The card names what differs.

    Args:
        source: Folder in diffusers' layout, hub id, or a `.ckpt` or `.safetensors` file in the original layout.
        out: The run folder to write.
        overrides: `key=value` each: the data to be scored on, `encoding.categories=[...]`, `method.sample_steps=20`.
        settings: Folder or hub id that has what a single file lacks; see `convert_single_file`.

    Raises:
        RunError: It is no editor, or the settings do not fit.
        ConfigError: Mistakes in the overrides.
    """
    folder = source
    if Path(source).suffix in SUFFIXES and not Path(source).is_dir():
        pipeline = out.with_name(f"{out.name}-pipeline").absolute()
        convert_single_file(Path(source), pipeline, settings)
        folder = str(pipeline)
    config = resolve_vocabulary(compose_recipe(out.name, _recipe_values(folder), overrides))
    backbone = build_backbone(config)
    assert isinstance(backbone, DiffusionBackbone)  # set by the recipe
    if backbone.unet.config.in_channels == backbone.vae.config.latent_channels:
        hint = "train it: gensight train instruct-puppets backbone.kind=diffusers backbone.id=FOLDER ..."
        raise RunError("this model sees no image beside its latent, so it is no editor", where=folder, hint=hint)
    method = build_method(config, backbone, build_encoding(config, None))
    run = RunFolder(Path(out))
    run.create(config)
    save_weights(method.trained_state(), run.weights)
    run.write_card(
        Card(
            name=config.name,
            method=config.method.kind,
            backbone=BackboneIdentity.of(config, backbone.fingerprint()),
            num_parameters_trained=sum(one.numel() for one in method.parameters() if one.requires_grad),
            threshold=UNCALIBRATED.threshold,
            steps=0,
            best_step=0,
            training_minutes=0.0,
            hardware="imported",
            imported=Origin(
                source=source,
                file=Path(source).name,
                sha256=file_hash(Path(source)) if folder != source else backbone.fingerprint(),
                backbone=folder,
                head="painted",
                notes=_DEVIATIONS,
            ),
        )
    )
    return run.root


def _recipe_values(folder: str) -> dict[str, Any]:
    return {
        "description": "A published model that edits by instructions",
        "data": {"kind": "puppets", "num_train": 6, "num_validation": 0, "num_test": 20, "subjects": "all"},
        "view": {"size": [512, 512], "crop": "fitted-frame"},
        "encoding": {
            "kind": "painted",
            "box_style": "outlines",
            "outline": ["blue", 4],  # of COCO's boxes; VOC's are red, of 5 px
            "depth_scale": "linear",
            "far": 10.0,
            "several": 0.0,
        },  # published editors learned one class at a time
        "backbone": {"kind": "diffusers", "id": folder, "trainable": "lora", "lora_rank": 1},
        "method": {"kind": "instruct", "sampler": "euler-ancestral", "sample_steps": 100},
        "training": {"batch_size": 1},
    }
