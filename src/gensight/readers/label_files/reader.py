"""Label files of annotation tools as Samples: whatever their parser read, joined with the images that they name."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from gensight.errors import DataError, check_choice
from gensight.files.images import IMAGE_SUFFIXES, page_seconds
from gensight.files.videos.reading import VIDEO_SUFFIXES, frame_key, open_video, read_frame
from gensight.geometry import points_box
from gensight.readers.base import Reader
from gensight.readers.coco.rle import polygon_to_mask
from gensight.readers.label_files.formats import FORMATS, find_label_files
from gensight.readers.label_files.records import LabelledImage, LabelledSubject, LabelSet
from gensight.readers.shared.checking import Finding
from gensight.readers.shared.listings import Missing, find_files, image_sample, keep_present, require_folder
from gensight.samples import Array, Instance, Keypoints, Sample, Size, Visibility
from gensight.skeletons import NAMED, Skeleton, mirror_by_name


@dataclass(frozen=True)
class OutlineMask:
    """bool (height, width): what lies within a subject's outlines, given in the project's continuous pixels."""

    polygons: tuple[tuple[tuple[float, float], ...], ...]
    size: Size

    def __call__(self) -> Array:
        mask = np.zeros(self.size, dtype=bool)
        for polygon in self.polygons:
            mask |= polygon_to_mask(np.array(polygon), self.size)
        return mask


class LabelFilesReader(Reader):
    """The images and video frames that label files of one format name, in their order.

    Keys are paths from the root, `VIDEO#000012` for frames. A subject's box, where its labels have none, is that of its
    keypoints. Labels of one image in several files are joined.

    Args:
        root: Folder of label files and images, or one label file with the images beside or below it.
        format: One of `FORMATS`.
        missing: Refuse (`error`) labels whose image or video is missing, or leave out and count (`drop`).

    Raises:
        DataError: Naming file and entry of what is wrong.
    """

    def __init__(self, root: str | Path, format: str, *, missing: Missing = "error") -> None:
        place = Path(root)
        self.root = place.parent if place.is_file() else place
        check_choice(format, FORMATS, "data.kind")
        require_folder(self.root, "folder of labels")
        found = find_label_files(place)
        if format not in found:
            hint = f"there are files of {', '.join(found)}" if found else "check the folder and the kind"
            raise DataError(f"no label file of {FORMATS[format].title}", where=place, hint=hint)
        self.name = format
        labels = FORMATS[format].read(self.root, found[format])
        self._findings = [Finding("warning", f"{what}, which are not read", str(self.root), count)
                          for what, count in labels.unread.items()]  # fmt: skip
        names = list(dict.fromkeys(one.name for one in labels.images))
        files = find_files(names, self.root, IMAGE_SUFFIXES | VIDEO_SUFFIXES)
        files |= {one.name: one.name for one in labels.images if one.pixels is not None}
        _, self.dropped = keep_present(names, files.__contains__, "images or videos", self.root, missing)
        self._files = files
        named = {one.name: one for one in labels.images if one.name in files}
        self._stacks = {name for name, one in named.items() if self._has_frames(one)}
        self._images = self._joined([one for one in labels.images if one.name in files])
        self.skeleton = self._skeleton = _skeleton(labels, self.root.name)
        everyone = (one.category for image in self._images.values() for one in image.subjects)
        self.categories = tuple(dict.fromkeys(everyone))
        self._keys = list(self._images)
        if not self._keys:
            raise DataError("the label files name no images", where=self.root, hint="label some images first")

    def __len__(self) -> int:
        return len(self._keys)

    def sample(self, index: int) -> Sample:
        key = self._keys[index]
        image = self._images[key]
        path = self.root / self._files[image.name]
        if image.name in self._stacks:
            read = image.pixels or partial(read_frame, path, image.frame or 0)
            size = image.size or (open_video(path).size if image.pixels is None else read().shape[:2])
            return Sample(key, size, read, self._instances(image, size), group=self.group(index))
        sample = image_sample(key, path, image.size, image.source if image.size else None)
        instances = self._instances(image, sample.size)
        return image_sample(key, path, sample.size, image.source if image.size else None, instances=instances)

    def group(self, index: int) -> str:
        key = self._keys[index]
        return key.rpartition("#")[0] if self._images[key].name in self._stacks else key

    @property
    def parts(self) -> dict[str, list[int]]:
        """The data set's own parts (train, val, test) -> their samples; empty where it has none."""
        found: dict[str, list[int]] = {}
        for index, key in enumerate(self._keys):
            found.setdefault(self._images[key].part, []).append(index)
        return {} if "" in found else found

    def findings(self) -> list[Finding]:
        return self._findings

    def _has_frames(self, image: LabelledImage) -> bool:
        """Whether it is a frame of a video, or a page of an image file that has several."""
        path = self.root / self._files[image.name]
        return image.pixels is not None or (
            image.frame is not None
            and (path.suffix.lower() in VIDEO_SUFFIXES or len(page_seconds(path, all_pages=True)) > 1)
        )

    def _joined(self, images: Sequence[LabelledImage]) -> dict[str, LabelledImage]:
        """Key -> image; entries of one image, as tasks and files may repeat it, with the subjects of all."""
        found: dict[str, LabelledImage] = {}
        for image in images:
            path = self._files[image.name]
            key = frame_key(path, image.frame or 0) if image.name in self._stacks else path
            known = found.get(key)
            if known is not None:
                if known.subjects and image.subjects and known.source != image.source:
                    what = f"image `{key}` is labelled in two files, the other is {known.source}"
                    raise DataError(what, where=image.source, hint="remove one, or name the file to read as data.root")
                image = known if not image.subjects else replace(image, subjects=known.subjects + image.subjects)
            found[key] = image
        return found

    def _instances(self, image: LabelledImage, size: Size) -> tuple[Instance, ...]:
        scale = np.array([size[1], size[0]], np.float64) if image.fractions else np.ones(2)
        return tuple(self._instance(one, scale, size) for one in image.subjects)

    def _instance(self, subject: LabelledSubject, scale: Array, size: Size) -> Instance:
        keypoints = self._keypoints(subject, scale) if subject.keypoints else None
        box = None if subject.box is None else np.array(subject.box) * np.tile(scale, 2)
        if box is None and keypoints is not None and keypoints.located.sum() >= 2:
            box = points_box(keypoints.points[keypoints.located])
        outlines = tuple(tuple((x * scale[0], y * scale[1]) for x, y in polygon) for polygon in subject.polygons)
        mask = OutlineMask(outlines, size) if outlines else None
        return Instance(subject.category, box, keypoints, mask, identity=subject.identity)

    def _keypoints(self, subject: LabelledSubject, scale: Array) -> Keypoints:
        assert self._skeleton is not None
        count = len(self._skeleton)
        points, visibility = np.full((count, 2), np.nan), np.zeros(count, np.int8)
        for place, name in enumerate(self._skeleton.keypoints):
            if name in subject.keypoints:
                x, y, flag = subject.keypoints[name]
                visibility[place] = flag
                if flag >= Visibility.OCCLUDED:
                    points[place] = np.array([x, y]) * scale
        return Keypoints(self._skeleton, points, visibility, np.ones(count, np.float32))


def _skeleton(labels: LabelSet, name: str) -> Skeleton | None:
    named = (keypoint for image in labels.images for one in image.subjects for keypoint in one.keypoints)
    names = tuple(dict.fromkeys([*labels.keypoints, *named]))
    if not names:
        return None
    for skeleton in NAMED.values():
        if skeleton.keypoints == names:
            return skeleton
    edges = tuple((names.index(a), names.index(b)) for a, b in labels.edges if a in names and b in names)
    mirror = mirror_by_name(names)
    if labels.partners is not None:
        mirror = tuple(names.index(labels.partners.get(one, one)) for one in names)
    return Skeleton(name, names, edges, mirror)
