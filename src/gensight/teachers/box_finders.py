"""Detectors of people, and keypoint runs that find heads, by the names that the command line takes."""

from pathlib import Path

from gensight.engine.run_folder import RunFolder
from gensight.prediction.detection.finder import BoxFinder
from gensight.prediction.detection.heads import HeadFinder
from gensight.teachers.choose import choose_teacher


def load_box_finder(name: str, threshold: float, device: str) -> BoxFinder:
    """A detector of people, or a keypoint run's folder, which finds heads.

    Args:
        name: `detect`, `detect:MODEL`, a detection model's hub id or folder, or a run's folder.
        threshold: Least score of a detection.
        device: `auto`, `cpu`, `cuda` ...

    Raises:
        ConfigError: For an unknown one, or a run without the keypoints of heads.
        RunError: Where its files are missing.
    """
    if RunFolder(Path(name)).config.is_file():
        return BoxFinder(heads=HeadFinder.load(Path(name), device))
    full = name if name.startswith("detect") else f"detect:{name}"
    return BoxFinder(detector=choose_teacher(full, {"category": "person"}, device), threshold=threshold)
