"""What can be refused before anything slow is imported: paths, run folders, devices."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from gensight.errors import ConfigError, DataError, RunError, did_you_mean


def check_inputs(*paths: Path | None) -> None:
    """Raises DataError for a path that leads nowhere, with the nearest name beside it."""
    for path in paths:
        if path is not None and not path.exists():
            raise DataError("there is no such image, folder or video", where=path, hint=_nearest(path))


def _nearest(path: Path) -> str:
    beside = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
    return did_you_mean(path.name, beside) or "check the path"


def check_runs(runs: Sequence[Path]) -> None:
    """Raises RunError for a folder that is no finished run."""
    for run in runs:
        if not run.is_dir():  # before recipes can be read
            raise RunError("there is no such run folder", where=run, hint=_nearest(run))
    from gensight.engine.run_folder import RunFolder

    for run in runs:
        RunFolder(run).read_card()


def check_device(device: str) -> None:
    """Raises ConfigError for a name that no device has, or a GPU under a torch that can't use one; without torch."""
    kind, colon, number = device.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (colon and not (kind == "cuda" and number.isdecimal())):
        valid = ("auto", "cpu", "cuda", "cuda:1", "mps")
        raise ConfigError(f"there is no device {device!r}", where="--device", choices=valid,
                          hint=did_you_mean(device, valid) or "leave --device out to take the best one")  # fmt: skip
    if kind == "cuda" and version("torch").endswith("+cpu"):
        raise ConfigError(
            f"this machine has no device {device!r}: its torch {version('torch')} is built for the CPU only",
            where="--device",
            choices=("auto", "cpu"),
            hint="with an Nvidia card, install a CUDA build of torch: pytorch.org/get-started",
        )


def check_prediction(runs: Sequence[Path], sources: Sequence[Path], device: str, boxes: Path | None) -> None:
    """Refuses what `gensight predict` can't begin with; of several sources one that exists will do."""
    check_device(device)
    check_inputs(*([] if any(one.exists() for one in sources) else sources), boxes)
    check_runs(runs)
