"""`gensight export`: a trained run as files that other programs run."""

from pathlib import Path
from typing import Any

from gensight.errors import check_choice
from gensight.files.atomic import write_json
from gensight.methods.gaze.diffusion import DiffusionGaze
from gensight.prediction.exporting import Network, export_onnx, networks
from gensight.prediction.trained_run import TrainedRun

FORMATS = ("onnx",)
DESCRIPTION = "export.json"


def export(
    run: Path, out: Path | None = None, format: str = "onnx", checkpoint: str = "best"
) -> tuple[Path, dict[str, float]]:
    """Exports a run, and checks that what was written answers as the run does.

    Args:
        run: A finished run folder: keypoints, maps or classes read off single images, or gaze.
        out: Folder to write to; `RUN/export` if None.
        format: One of `FORMATS`.
        checkpoint: `best` or `last`.

    Returns:
        The folder; and for each network the largest difference, as a share of the output's range.

    Raises:
        ConfigError: For an unknown format, or a run that cannot be exported.
        ResourceError: If the packages of the format are missing.
        RunError: If an exported network answers differently.
    """
    check_choice(format, FORMATS, "--format")
    trained = TrainedRun.load(run, "cpu", checkpoint)
    parts = networks(trained)
    folder = trained.folder.root / "export" if out is None else Path(out)
    try:
        differences = {network.name: export_onnx(network, folder) for network in parts}
    finally:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    write_json(folder / DESCRIPTION, _description(trained, parts, differences), indent=1)
    return folder, differences


def _description(trained: TrainedRun, parts: list[Network], differences: dict[str, float]) -> dict[str, Any]:
    """What users of the networks must know."""
    config, skeleton = trained.config, trained.skeleton
    described: dict[str, Any] = {
        "run": config.name,
        "encoding": config.encoding.model_dump(mode="json"),
        "view": config.view.model_dump(mode="json", include={"size", "crop", "padding"}),
        "images": "RGB, (batch, 3, height, width), in [0, 1]; grid cells cover the view evenly, cell centres at + 0.5",
        "keypoints": None if skeleton is None else list(skeleton.keypoints),
        "networks": {
            network.name: {
                "inputs": {name: ["batch", *shape] for name, shape in network.inputs.items()},
                "outputs": list(network.outputs),
                "difference": differences[network.name],
            }
            for network in parts
        },
    }
    if isinstance(trained.method, DiffusionGaze):
        method = trained.method
        described["diffusion"] = {
            "scale": method.scale,
            "sampler": method.sampling.sampler,
            "sample_steps": method.sampling.steps,
            "alphas_cumprod": [float(value) for value in method.alphas_cumprod],
            "maps": "(x0 / scale + 1) / 2, clamped to [0, 1]",
        }
    return described
