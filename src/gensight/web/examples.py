"""Example images of a run: of its test part, with boxes, the other image or the instruction, and the ground truth."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gensight.assembly.experiment import Experiment
from gensight.errors import DataError, UserError
from gensight.files.images import IMAGE_SUFFIXES, image_size, read_image, write_image
from gensight.prediction.sources import Boxes, read_boxes
from gensight.prediction.trained_run import TrainedRun
from gensight.report.pictures import picture_path, to_samples
from gensight.report.results import read_run
from gensight.samples import Array, Item, Sample
from gensight.web.questions import MAX_MARKS, input_kind, takes_points
from gensight.web.uploads import Limits, read_upload

NUM_EXAMPLES = 10
_NUM_POINTS = 8
_LOOKED_AT = 60  # items of the test part
BOX_FILE = "boxes.json"  # beside the images of a folder of examples


@dataclass(frozen=True, eq=False)
class Example:
    """An image that the page offers.

    Attributes:
        path: In the page's own folder.
        marks: Boxes of subjects or heads, or points, as a visitor would draw them.
        words: An instruction.
        other: The image that it is compared with.
        truth: With its annotations; None where they are unknown.
        digest: SHA-256 of the file.
    """

    path: Path
    marks: str = ""
    words: str = ""
    other: Path | None = None
    truth: Sample | None = None
    digest: bytes = b""


def truth_by_digest(examples: Mapping[str, list[Example]]) -> dict[tuple[str, bytes], Sample]:
    """(run, SHA-256 of an example's file) -> its ground truth."""
    return {(run, one.digest): one.truth for run, some in examples.items() for one in some if one.truth is not None}


def examples_of(trained: TrainedRun, folder: Path, limits: Limits, given: Path | None) -> list[Example]:
    """Examples, copied into the page's own folder; those that the page would take itself.

    Args:
        trained: The run.
        folder: To write to.
        limits: Of uploads.
        given: Folder of images, and perhaps of a detections file `boxes.json`; None: the run's test part, as far as it
            can be read, else the small pictures of it that the run keeps.

    Raises:
        DataError: There is no such folder.
    """
    if given is not None:
        if not given.is_dir():
            raise DataError("there is no such folder of examples", where=given)
        found = _of_folder(given, input_kind(trained) in ("boxes", "heads"))
    else:
        found = _of_test_part(trained)
        first = next(found, None)
        found = _of_pictures(trained) if first is None else (one for some in ([first], found) for one in some)
    folder.mkdir(parents=True)
    kept: list[Example] = []
    for number, (name, content, sample, marks, words, other) in enumerate(found):
        path = folder / name
        if path.exists():
            path = folder / f"{number}-{name}"
        if content is None:
            write_image(path, sample.image())
            content = path.read_bytes()
        with suppress(DataError):
            read_upload(content, path.name, limits)
            path.write_bytes(content)
            second = None if other is None else folder / f"{path.stem}-other.png"
            if other is not None and second is not None:
                write_image(second, other.image())
            truth = sample if sample.instances or sample.depth or sample.edges or sample.label else None
            kept.append(Example(path, marks, words, second, truth, hashlib.sha256(content).digest()))
        if len(kept) == NUM_EXAMPLES:
            break
    return kept


# Name, the file where there is one, the sample, marks, words, the other image.
_Found = tuple[str, bytes | None, Sample, str, str, Sample | None]


def _of_folder(folder: Path, boxed: bool) -> Iterator[_Found]:
    listing = folder / BOX_FILE
    boxes: Boxes = read_boxes(listing) if boxed and listing.is_file() else {}
    for path in sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES):
        with suppress(DataError):
            marked = marks_of([box for box, _ in boxes.get(path.name, [])])
            size = image_size(path)
            sample = Sample(path.name, size, lambda path=path: read_image(path))  # type: ignore[misc]
            yield path.name, path.read_bytes(), sample, marked, "", None


def _of_test_part(trained: TrainedRun) -> Iterator[_Found]:
    """Of the first test items, each image once; nothing where the data is not there."""
    try:
        cases = Experiment.open(trained.config).test_cases()
        items = [cases.item(place) for place in range(min(len(cases), _LOOKED_AT))]
    except (UserError, OSError):
        return
    kind, by_image = input_kind(trained), dict[str, list[Item]]()
    for item in items:
        by_image.setdefault(item.sample.key, []).append(item)
    for number, some in enumerate(by_image.values(), 1):
        sample, first = some[0].sample, some[0]
        subjects = [one.subject for one in some if one.subject is not None]
        boxes = [one.head_box if kind == "heads" else one.box for one in subjects]
        marks = marks_of([box for box in boxes if box is not None]) if kind in ("boxes", "heads") else ""
        other = first.samples[1] if kind == "pair" else None
        if takes_points(trained) and first.relation is not None and first.relation.tracks is not None:
            marks = _points(first.relation.tracks)
        words = first.query.text if kind == "words" and first.query is not None else ""
        yield f"example-{number:02d}.png", None, sample, marks, words, other


def _of_pictures(trained: TrainedRun) -> Iterator[_Found]:
    """Of the pictures that a run of keypoints keeps."""
    try:
        run = read_run(trained.folder.root)
    except UserError:
        return
    items: dict[str, list[int]] = {}
    predicted = [] if run.predictions is None or trained.skeleton is None else run.predictions.items
    for place, item in enumerate(predicted):
        if item.image is not None:
            items.setdefault(item.image, []).append(place)
    for number, places in enumerate(items.values(), 1):
        path = picture_path(run, predicted[places[0]])
        with suppress(UserError):
            if path is None:
                continue
            size = image_size(path)
            truths = [to_samples(run, predicted[place])[1] for place in places]
            instances = [one for truth in truths for one in truth.instances or ()]
            factor = size[1] / predicted[places[0]].size[1]
            boxes = [one.box * factor for one in instances if one.box is not None]
            marks = marks_of(boxes) if input_kind(trained) == "boxes" else ""
            known = tuple(instances) if factor == 1 else ()  # coordinates are those of the original
            sample = Sample(path.name, size, lambda path=path: read_image(path), known)  # type: ignore[misc]
            yield f"example-{number:02d}{path.suffix}", path.read_bytes(), sample, marks, "", None


def marks_of(boxes: list[Array]) -> str:
    """Boxes as lines of text, as a visitor would type them."""
    return "\n".join(" ".join(f"{value:.0f}" for value in box) for box in boxes[:MAX_MARKS])


def _points(tracks: Array) -> str:
    known = tracks[0][np.isfinite(tracks).all(axis=(0, 2))]
    chosen = known[np.unique(np.linspace(0, len(known) - 1, _NUM_POINTS).round().astype(int))] if len(known) else known
    return "\n".join(f"{x:.0f} {y:.0f}" for x, y in chosen)
