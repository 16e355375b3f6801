"""Which files and pictures are written of a run's predictions."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

from gensight.drawing import draw_matches
from gensight.encodings.painted.instructed import Instructed
from gensight.errors import ConfigError
from gensight.methods.instruct.method import Instruct
from gensight.prediction.instructions import in_one_query
from gensight.prediction.outputs.answers import AnswerFiles
from gensight.prediction.outputs.keypoints import KeypointFiles
from gensight.prediction.outputs.maps import MapFiles
from gensight.prediction.outputs.openpose import OpenPoseFiles
from gensight.prediction.outputs.overlay import draw_prediction
from gensight.prediction.outputs.tables import GazeFiles, LabelFiles, MatchFiles, SimilarityFiles
from gensight.prediction.outputs.writer import Files, Pictures
from gensight.prediction.request import Request, RunAttributes
from gensight.readers.shared.listings import plain_name
from gensight.samples import Array, Prediction

_SLUG_LENGTH = 40


def writers_of(run: RunAttributes, request: Request, formats: Sequence[str] = ()) -> list[Files]:
    """One per kind of files.

    Args:
        run: Whose predictions.
        request: Resolved.
        formats: Of keypoint tables, besides the usual ones.

    Raises:
        ConfigError: Formats for a run that finds no keypoints.
    """
    if request.reference is not None:
        return [SimilarityFiles() if request.points is None else MatchFiles(request.points)]
    kinds = run.config.encoding.facts.files
    files: list[Files] = []
    if "maps" in kinds:
        files.append(MapFiles())
    if "gaze" in kinds:
        files.append(GazeFiles())
    if "labels" in kinds:
        files.append(LabelFiles())
    if "keypoints" in kinds and run.skeleton is not None and request.task in (None, "keypoints"):
        several = request.boxes is not None or request.instruction is not None
        files.append(KeypointFiles(run.skeleton, run.config.name, several, formats))
        if OpenPoseFiles.fits(run.skeleton):
            files.append(OpenPoseFiles())
    elif formats:
        raise ConfigError("this run finds no keypoints, and these are formats of keypoints", where="--formats")
    if request.instruction is not None:
        files.append(AnswerFiles(describe_instruction(run, request)))
    return files


def pictures_of(request: Request) -> Pictures | None:
    """How predictions are drawn; None where there is nothing to draw."""
    if request.reference is None:
        return Pictures("overlays", "overlay.mp4", draw_prediction)
    if request.points is None:
        return None
    reference, points = request.reference.image(), request.points

    def draw(image: Array, prediction: Prediction) -> Array:
        assert prediction.matches is not None  # of every prediction with points
        return draw_matches(reference, image, points, prediction.matches.points)

    return Pictures("matches", "matches.mp4", draw)


def describe_instruction(run: RunAttributes, request: Request) -> dict[str, Any]:
    """An instruction and how its answers are sampled (of runs that sample), as values for JSON."""
    method, encoding, task = run.method, run.encoding, request.task
    assert isinstance(method, Instruct) and isinstance(encoding, Instructed) and task is not None  # it is resolved
    described: dict[str, Any] = {"instruction": request.instruction, "task": task, "classes": list(request.classes)}
    if request.classes:
        described["asked"] = "together" if in_one_query(encoding, task, request.classes) else "one by one"
    described["way"] = method.way
    if method.sampling is None:
        return described
    sampling = method.sampling.changed(request.sampling)
    return {**described, **sampling.chosen, "seed": sampling.seed or 0}


def folder_name(request: Request) -> str:
    """A folder's name for an instruction: its first words, and six digits of all of it, so that each has its own."""
    words = plain_name((request.instruction or "").lower()).replace("_", "-")[:_SLUG_LENGTH].strip("-.")
    sampling = [] if request.sampling is None else astuple(request.sampling)
    whole = json.dumps([request.instruction, request.task, request.classes, sampling])
    return f"{words or 'instruction'}-{hashlib.sha256(whole.encode()).hexdigest()[:6]}"
