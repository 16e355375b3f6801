"""A whole training in seconds: synthetic people at 64 px, a small saved pipeline or a network from scratch."""

from pathlib import Path

from gensight.config.schema import RunConfig
from tests.pipelines import save_pipeline


def small_recipe(folder: Path, backbone: str | dict[str, object] = "scratch", **changes: object) -> RunConfig:
    """The recipe; `backbone` is its section, or a kind: `diffusers` is a small pipeline saved below `folder`."""
    section: dict[str, object] = {"kind": backbone} if isinstance(backbone, str) else backbone
    if backbone == "scratch":
        section |= {"widths": [8, 8, 16]}
    if backbone == "diffusers":
        pipeline = folder / "pipeline"
        section = {"kind": "diffusers", "id": str(pipeline if pipeline.is_dir() else save_pipeline(pipeline))}
    values: dict[str, object] = {
        "name": "small",
        "data": {"kind": "puppets", "num_train": 6, "num_validation": 3, "num_test": 4, "size": [64, 64]},
        "view": {"size": [64, 64], "crop": "box", "augment": {"flip": 0.5}},
        "encoding": {"kind": "heatmap", "skeleton": "openpose-18", "stride": 4},
        "backbone": section,
        "method": {"kind": "readout", "projection": 16, "bottleneck": 8, "widths": [8, 8]},
        "training": {"steps": 6, "batch_size": 4, "validate_every": 3, "schedule": "cosine"},
        "cache": {"mode": "auto", "views": 2},
        "evaluation": {
            "protocols": ["pck-box", "mean-px", "coco-oks"],
            "baselines": ["mean-position", "random-weights"],
        },
        **changes,
    }
    return RunConfig.model_validate(values)
