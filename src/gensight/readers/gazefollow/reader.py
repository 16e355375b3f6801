"""GazeFollow (Recasens et al., NeurIPS 2015) in its extended release (Chong et al., CVPR 2020), and its writer.

The layout: train/NNNNNNNN/NNNNNNNN.jpg, test2/NNNNNNNN/NNNNNNNN.jpg, train_annotations_release.txt and
test_annotations_release.txt; `tables.py` describes the rows.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import write_text
from gensight.files.images import image_size, write_image
from gensight.readers.base import Reader
from gensight.readers.gazefollow.tables import format_rows, read_annotations
from gensight.readers.shared.checking import Finding
from gensight.readers.shared.gaze_annotations import (
    MOST_ANNOTATORS,
    Person,
    Tally,
    by_image,
    person_instance,
)
from gensight.readers.shared.listings import (
    Missing,
    files_present,
    image_sample,
    keep_present,
    plain_names,
    require_folder,
)
from gensight.samples import Sample

TRAIN, TEST = "train_annotations_release.txt", "test_annotations_release.txt"


class GazeFollowReader(Reader):
    """The images of one annotation file, each with its annotated people.

    Keys are the paths in the file. Test files have several annotators per person; people of one image are separated by
    the eye position (public code that groups by image alone merges people). Gaze is in pixels; a target that is
    out of frame has no points. Rows marked invalid, without a target, with a target outside the image or without a
    head box are dropped and counted; swapped corners of head boxes are put right.

    Args:
        root: The folder that the rows' paths start from.
        annotations: The file, from `root` or absolute: training or test rows, or the original .mat file, which has no
            head boxes: they are guessed around the eyes.
        missing: Refuse (`error`) images that are not there, or leave out and count (`drop`).

    Raises:
        DataError: Naming the file and row that is wrong.
    """

    name = "gazefollow"
    categories = ("person",)

    def __init__(self, root: str | Path, annotations: str | Path = TRAIN, *, missing: Missing = "error") -> None:
        self.root = Path(root)
        require_folder(self.root, "folder of the data set", "name the folder that holds train and test2")
        self.annotations = self.root / annotations
        self._tally = Tally()
        images = by_image(read_annotations(self.annotations, self._tally))
        paths = list(images)
        kept, absent = keep_present(paths, files_present(paths, self.root), "images", self.annotations, missing)
        self._images = [(path, images[path]) for path in kept]
        self.dropped = {**self._tally.dropped, **absent}
        if not self._images:
            raise DataError("no row of the annotation file can be used", where=self.annotations)

    def __len__(self) -> int:
        return len(self._images)

    def sample(self, index: int) -> Sample:
        name, persons = self._images[index]
        path = self.root / name
        size = image_size(path)
        instances = tuple(person_instance(person, size) for person in persons)
        return image_sample(name, path, size, instances=instances)

    def group(self, index: int) -> str:
        return self._images[index][0]

    @property
    def persons(self) -> list[Person]:
        """All people, in the order of the samples."""
        return [person for _, persons in self._images for person in persons]

    def findings(self) -> list[Finding]:
        """What was mended, people with more annotators than usual, and those without a head box."""
        findings = self._tally.findings()
        crowded = [person for person in self.persons if len(person.gaze) > MOST_ANNOTATORS]
        if crowded:
            what = f"person with more than {MOST_ANNOTATORS} annotators, for which the public evaluations have no room"
            findings.append(Finding("warning", what, f"row {crowded[0].row}", len(crowded)))
        return [*findings, *head_findings(self)]


def head_findings(reader: Reader) -> list[Finding]:
    """People whose head box is unknown or lies outside the image, so that their gaze cannot be predicted."""
    without = [
        f"{sample.key}, annotation {one.id}"
        for sample in _readable(reader)
        for one in sample.instances or ()
        if one.gaze is not None and one.head_box is None
    ]
    what = "person without a head box in the image, whose gaze cannot be predicted"
    return [Finding("warning", what, without[0], len(without))] if without else []


def _readable(reader: Reader) -> Iterable[Sample]:
    for index in range(len(reader)):
        try:
            yield reader.sample(index)
        except DataError:
            continue  # reported by check_samples


def write_gazefollow(samples: Iterable[Sample], root: str | Path, part: str = "train", suffix: str = ".jpg") -> None:
    """Writes one part (`train` or `test`) of a GazeFollow folder: images in numbered folders, and its rows.

    Kept are people with a head box and a known gaze target, in or out of frame; in the test part those that look into
    the image, one row per annotator.

    Args:
        samples: At least one.
        root: The folder.
        part: `train` or `test`.
        suffix: `.jpg`, as GazeFollow has it, or `.png`, which keeps pixels exactly.

    Raises:
        DataError: There is no sample, or nobody in them can be written.
    """
    root, samples = Path(root), list(samples)
    plain_names(samples)
    folder = {"train": "train", "test": "test2"}[part]
    persons: list[Person] = []
    for number, sample in enumerate(samples):
        name = f"{folder}/{number // 1000:08d}/{number:08d}{suffix}"
        found = _persons(sample, name, part)
        if found:
            write_image(root / name, sample.image())
            persons += found
    if not persons:
        raise DataError("none of the samples has a person with a head box and a gaze", where=root)
    write_text(root / (TRAIN if part == "train" else TEST), format_rows(persons, part))


def _persons(sample: Sample, name: str, part: str) -> list[Person]:
    scale = np.array([sample.size[1], sample.size[0]], dtype=np.float64)
    found = []
    for one in sample.instances or ():
        gaze = one.gaze
        if gaze is None or gaze.in_frame is None or one.head_box is None or (part == "test" and not gaze.in_frame):
            continue
        corners = one.head_box if one.box is None else one.box
        body = np.concatenate([corners[:2], corners[2:] - corners[:2]]) / np.tile(scale, 2)
        centre = (one.head_box[:2] + one.head_box[2:]) / 2
        eye = (centre if gaze.eye is None else gaze.eye) / scale
        found.append(Person(name, gaze.points / scale, gaze.in_frame, eye, body, one.head_box, one.id))
    return found
