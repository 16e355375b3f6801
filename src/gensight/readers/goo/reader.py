"""GOO, gaze on objects (Tomas et al., CVPR workshops 2021): shoppers before shelves, and its writer.

Each part is a file of records beside the images: `filename`, `ann` (`bboxes`, `labels`: products 1 to 24, the last one
the head, -1), `gaze_item` (class of the product that is looked at), `gazeIdx` (its index), `gaze_cx`, `gaze_cy`, `hx`,
`hy` (a point in the head). Images are 1920 x 1080, but all coordinates are in a frame of 640 x 480.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import write_json
from gensight.files.images import image_size, write_image
from gensight.readers.base import Reader
from gensight.readers.gazefollow.reader import head_findings
from gensight.readers.goo.annotations import read_records
from gensight.readers.shared.checking import Finding
from gensight.readers.shared.gaze_annotations import Tally, clip_head, sound_corners
from gensight.readers.shared.listings import (
    Missing,
    files_present,
    image_sample,
    keep_present,
    plain_names,
    require_folder,
)
from gensight.samples import Array, Gaze, Instance, Sample

FRAME = np.array([640.0, 480.0])  # width and height that the records' coordinates are in
AROUND_POINT = 0.15  # GOO's own head box: so much of the width and height to each side of (hx, hy)
NUM_CLASSES = 24
GAZED = "gazed_object"  # in `Sample.extras`: index of the instance that is looked at

Head = Literal["box", "point"]


class GooReader(Reader):
    """The images of one record file: the shopper is the first instance, the products follow as `product-NN`.

    `Sample.extras["gazed_object"]` is the index of the product that is looked at, where the record gives it. Records
    whose gaze or head lies outside the image, or that have no head, are dropped and counted.

    Args:
        root: The folder that the records' file names start from.
        records: Pickle or json file, from `root` or absolute.
        head: `box`, the head's own box (the last of `bboxes`), or `point`, 0.15 of the image to each side of the head's
            point, as the data set's authors evaluate.
        missing: Refuse (`error`) images that are not there, or leave out and count (`drop`).

    Raises:
        DataError: Naming the file and record that is wrong.
    """

    name = "goo"
    categories = ("person", *(f"product-{number:02d}" for number in range(1, NUM_CLASSES + 1)))

    def __init__(
        self, root: str | Path, records: str | Path, head: Head = "box", *, missing: Missing = "error"
    ) -> None:
        self.root, self.head = Path(root), head
        require_folder(self.root, "folder of the data set")
        self.records = self.root / records
        self._tally = Tally()
        found: dict[str, dict[str, Any]] = {}
        for number, record in enumerate(read_records(self.records)):
            where = f"{self.records.name}, record {number}"
            name = str(self._field(record, "filename", number)).replace("\\", "/").lstrip("/")
            if self._sound(record, number, where):
                found[name] = record
        paths = list(found)
        kept, absent = keep_present(paths, files_present(paths, self.root), "images", self.records, missing)
        self._records = [(path, found[path]) for path in kept]
        self.dropped = {**self._tally.dropped, **absent}
        if not self._records:
            raise DataError("no record can be used", where=self.records)

    def _field(self, record: dict[str, Any], name: str, number: int) -> Any:
        if name not in record:
            raise DataError(f"record {number} has no `{name}`", where=self.records, hint="is this a file of GOO?")
        return record[name]

    def _sound(self, record: dict[str, Any], number: int, where: str) -> bool:
        try:
            gaze = np.array([self._field(record, key, number) for key in ("gaze_cx", "gaze_cy")], dtype=np.float64)
            point = np.array([self._field(record, key, number) for key in ("hx", "hy")], dtype=np.float64)
            boxes = _boxes(record)
        except (TypeError, ValueError) as error:
            raise DataError(f"record {number} is not GOO's: {error}", where=self.records) from None
        if not _within(gaze):
            self._tally.drop("gaze outside the image", where)
        elif self.head == "point" and not _within(point):
            self._tally.drop("head outside the image", where)
        elif self.head == "box" and (len(boxes) == 0 or sound_corners(boxes[-1], where, self._tally) is None):
            self._tally.drop("no head box", where)
        else:
            return True
        return False

    def __len__(self) -> int:
        return len(self._records)

    def sample(self, index: int) -> Sample:
        name, record = self._records[index]
        path = self.root / name
        size = image_size(path)
        scale = np.array([size[1], size[0]], dtype=np.float64) / FRAME
        boxes, labels = _boxes(record) * np.tile(scale, 2), list((record.get("ann") or {}).get("labels") or [])
        labels += [-1] * (len(boxes) - len(labels))
        gaze = np.array([[record["gaze_cx"], record["gaze_cy"]]], dtype=np.float64) * scale
        person = Instance("person", head_box=clip_head(self._head(record, boxes, scale), size), gaze=Gaze(gaze, True))
        products = [(number, box) for number, (label, box) in enumerate(zip(labels, boxes, strict=True)) if label > 0]
        instances = [person, *(Instance(f"product-{int(labels[n]):02d}", box=box, id=n) for n, box in products)]
        gazed = [place for place, (number, _) in enumerate(products, 1) if number == record.get("gazeIdx")]
        extras = {GAZED: gazed[0]} if gazed else {}
        return image_sample(name, path, size, instances=tuple(instances), group=self.group(index), extras=extras)

    def _head(self, record: dict[str, Any], boxes: Array, scale: Array) -> Array | None:
        if self.head == "point":
            point, half = np.array([record["hx"], record["hy"]], dtype=np.float64), AROUND_POINT * FRAME
            return np.concatenate([point - half, point + half]) * np.tile(scale, 2)
        return sound_corners(boxes[-1], "", Tally())

    def group(self, index: int) -> str:
        name = self._records[index][0]
        return name.rpartition("/")[0] or name

    def findings(self) -> list[Finding]:
        """What was mended, and people without a head box."""
        return [*self._tally.findings(), *head_findings(self)]


def _boxes(record: dict[str, Any]) -> Array:
    return np.array((record.get("ann") or {}).get("bboxes") or [], dtype=np.float64).reshape(-1, 4)


def _within(point: Array) -> bool:
    return bool((point >= 0).all() and (point <= FRAME).all())


def write_goo(samples: Iterable[Sample], root: str | Path, part: str = "train") -> None:
    """Writes PART.json and the images: the first person of each sample that has a head box and looks into the image.

    Other instances with boxes are its products, numbered in order; the one whose centre is nearest the gaze is the one
    that is looked at.

    Raises:
        DataError: Nobody in the samples can be written.
    """
    root, samples = Path(root), list(samples)
    records = []
    for name, sample in zip(plain_names(samples), samples, strict=True):
        people = [one for one in sample.instances or () if one.head_box is not None and one.gaze and one.gaze.in_frame]
        if not people:
            continue
        scale = FRAME / np.array([sample.size[1], sample.size[0]], dtype=np.float64)
        person = people[0]
        assert person.gaze is not None and person.head_box is not None  # chosen above
        gaze, head = person.gaze.points.mean(0) * scale, person.head_box * np.tile(scale, 2)
        boxes = [
            one.box * np.tile(scale, 2) for one in sample.instances or () if one is not person and one.box is not None
        ]
        labels = [1 + number % NUM_CLASSES for number in range(len(boxes))]
        far = [float(np.linalg.norm((box[:2] + box[2:]) / 2 - gaze)) for box in boxes]
        gazed = int(np.argmin(far)) if boxes else -1
        file = f"{part}\\cam1\\{name}.jpg"
        write_image(root / file.replace("\\", "/"), sample.image())
        records.append(
            {
                "filename": file,
                "width": sample.size[1],
                "height": sample.size[0],
                "ann": {"bboxes": [box.tolist() for box in (*boxes, head)], "labels": [*labels, -1]},
                "gaze_item": labels[gazed] if boxes else None,
                "gazeIdx": gazed,
                "gaze_cx": float(gaze[0]),
                "gaze_cy": float(gaze[1]),
                "hx": float((head[0] + head[2]) / 2),
                "hy": float((head[1] + head[3]) / 2),
                "seg": None,
                "occluded": False,
                "cam": "cam1",
            }
        )
    if not records:
        raise DataError("none of the samples has a person with a head box who looks into the image", where=root)
    write_json(root / f"{part}.json", records)
