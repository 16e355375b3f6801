"""Pictures that go into published editors and come out, against plain transcriptions; tolerances in the names."""

import io
import math
from functools import partial

import cv2
import numpy as np
import pytest
from PIL import Image, ImageColor, ImageDraw, ImageOps

from gensight.encodings.painted.boxes import PaintedBoxes
from gensight.encodings.painted.classes import PaintedColour
from gensight.errors import DataError
from gensight.geometry import warp_image
from gensight.metrics.coco.detection import VocBox
from gensight.readers.puppets import PuppetsReader
from gensight.samples import Instance, Item, Prediction, Query, Sample
from gensight.transforms import fitted_frame, mirror_view, whole_frame
from tests.metrics.subjects import given

OUTLINES = (("blue", 4), ("red", 5), ("blue", 6))  # of COCO, VOC and Oxford-IIIT Pet


def photograph(height, width, seed=0):
    small = np.random.default_rng(seed).integers(0, 256, (max(2, height // 9), max(2, width // 9), 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def plain_fit(picture, resolution):
    """The published sampler's picture (Brooks et al., CVPR 2023): sides multiples of 64, Lanczos, cut to the aspect."""
    height, width = picture.shape[:2]
    factor = resolution / max(width, height)
    factor = math.ceil(min(width, height) * factor / 64) * 64 / min(width, height)
    size = int((width * factor) // 64) * 64, int((height * factor) // 64) * 64
    return np.asarray(ImageOps.fit(Image.fromarray(picture), size, method=Image.Resampling.LANCZOS))


@pytest.mark.parametrize("size", [(480, 640), (333, 500), (640, 427), (512, 512), (64, 91), (1080, 1920), (70, 400)])
@pytest.mark.parametrize("resolution", [256, 512])
def test_fitted_frames_have_the_published_size_and_pixels_to_1_of_255(size, resolution):
    picture = photograph(*size)
    view, expected = fitted_frame(size, resolution), plain_fit(picture, resolution)
    assert view.model_size == expected.shape[:2]
    found = warp_image(picture, view)
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= 1
    assert difference.mean() < 1e-3
    np.testing.assert_array_equal(warp_image(picture, mirror_view(view)), found[:, ::-1])


def test_a_strip_is_refused():
    with pytest.raises(DataError, match="an image of 4000 x 3 would be"):
        fitted_frame((3, 4000), 512)


def painted_by_pillow(picture, boxes, colour, width):
    """The published targets (Gan et al., ICLR 2024): frames drawn on the photograph; Pillow's edges are inclusive."""
    image = Image.fromarray(picture)
    for x0, y0, x1, y1 in boxes:
        ImageDraw.Draw(image).rectangle(((x0, y0), (x1 - 1, y1 - 1)), outline=colour, width=width)
    return np.asarray(image)


def item_of(picture, boxes, name="dog"):
    instances = tuple(Instance(name, np.array(box, dtype=np.float64)) for box in boxes)
    sample = Sample("a", picture.shape[:2], partial(given, picture), instances)
    return Item((sample,), query=Query(f"detect the {name}", "detect", (name,)))


@pytest.mark.parametrize("outline", OUTLINES)
def test_outlines_are_painted_with_difference_0(outline):
    picture, boxes = photograph(96, 128), [(8, 10, 50, 60), (70, 12, 120, 40), (60, 60, 90, 88), (0, 0, 30, 96)]
    item = item_of(picture, boxes)
    found = PaintedBoxes("outlines", outline=outline).encode(item, (whole_frame((96, 128), (96, 128)),))["painted"]
    expected = painted_by_pillow(picture, boxes, *outline)
    np.testing.assert_array_equal(np.rint(found.numpy().transpose(1, 2, 0) * 255), expected)


@pytest.mark.parametrize("outline", OUTLINES)
def test_published_targets_are_read_back_and_in_white_none_of_them(outline):
    """Painted at the photograph's size, shown at 512 px, stored as JPEG: boxes within 4 px, none in another colour."""
    own, white = PaintedBoxes("outlines", outline=outline), PaintedBoxes("outlines")
    for sample in PuppetsReader(4, 3, (240, 320), ("boxes",), subjects="animals", num_subjects=(1, 1)):
        boxes = [np.rint(one.box).astype(int).tolist() for one in sample.instances]
        picture = painted_by_pillow(sample.image(), boxes, *outline)
        view = fitted_frame(sample.size, 512)
        file = io.BytesIO()
        Image.fromarray(warp_image(picture, view)).save(file, "JPEG", quality=90)
        shown = np.asarray(Image.open(file)).astype(np.float32) / 255
        item = item_of(sample.image(), boxes)
        found = own.read(shown, item, view).instances
        best = max(found, key=lambda one: one.confidence)
        assert np.abs(best.box - boxes[0]).max() <= 4
        near = [one for one in white.read(shown, item, view).instances if np.abs(one.box - boxes[0]).max() <= 4]
        assert near == []


@pytest.mark.parametrize("colours", [("red", "black"), ("purple", "green"), ("AliceBlue", "Peru"), ("gold", "orange")])
@pytest.mark.parametrize("present", [True, False])
def test_named_colours_are_read_as_the_nearest_one_would_be(colours, present):
    sample = Sample("a", (48, 64), partial(given, photograph(48, 64)), label="dog" if present else "cat")
    item = Item((sample,), query=Query("show ...", "colour", ("dog",), colours))
    view = whole_frame((48, 64), (48, 64))
    painted, _ = PaintedColour(("cat", "dog")).paint(item, view)
    assert tuple(np.rint(255 * painted[0, 0])) == ImageColor.getrgb(colours[0] if present else colours[1])
    noisy = np.clip(painted + np.random.default_rng(0).normal(0, 0.2, painted.shape), 0, 1).astype(np.float32)
    distances = [
        np.linalg.norm(noisy - np.array(ImageColor.getrgb(name)) / 255, axis=-1).mean() for name in colours
    ]  # the published reading: the colour of the least mean distance
    score = PaintedColour(("cat", "dog")).read(noisy, item, view).label_scores["dog"]
    assert (score > 0.5) == (distances[0] < distances[1]) == present


def plain_voc_ap(images, eleven):
    """PASCAL VOC's devkit (Everingham et al., IJCV 2010), with its inclusive pixels, of one class."""
    rows = sorted(((score, number, box) for number, (_, found) in enumerate(images) for box, score in found),
                  key=lambda one: -one[0])  # fmt: skip
    taken = [set() for _ in images]
    total, hits = sum(len(truths) for truths, _ in images), []
    for _, number, box in rows:
        best, place = -math.inf, None
        for index, truth in enumerate(images[number][0]):
            width = min(box[2], truth[2]) - max(box[0], truth[0]) + 1
            height = min(box[3], truth[3]) - max(box[1], truth[1]) + 1
            if width > 0 and height > 0:
                areas = [(one[2] - one[0] + 1) * (one[3] - one[1] + 1) for one in (box, truth)]
                overlap = width * height / (sum(areas) - width * height)
                if overlap > best:
                    best, place = overlap, index
        hits.append(best >= 0.5 and place not in taken[number])
        if hits[-1]:
            taken[number].add(place)
    right = np.cumsum(hits)
    recall, precision = right / total, right / np.arange(1, len(hits) + 1)
    if eleven:
        return sum(max(precision[recall >= level - 1e-9], default=0) for level in np.linspace(0, 1, 11)) / 11
    recall, precision = np.array([0, *recall, 1]), np.array([0, *precision, 0])
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.flatnonzero(np.diff(recall))
    return float(((recall[steps + 1] - recall[steps]) * precision[steps + 1]).sum())


@pytest.mark.parametrize("protocol", ["voc07", "voc12"])
@pytest.mark.parametrize("seed", range(5))
def test_voc_ap_agrees_to_1e_9(protocol, seed):
    rng, images, metric = np.random.default_rng(seed), [], VocBox(protocol, ("dog",))
    for number in range(6):
        corners = rng.integers(0, 60, (rng.integers(1, 4), 2))
        truths = np.concatenate([corners, corners + rng.integers(10, 40, corners.shape)], 1)  # inclusive
        jitter = truths[rng.integers(0, len(truths), rng.integers(1, 6))]
        boxes = jitter + rng.integers(-6, 7, jitter.shape)
        scores = rng.permutation(len(boxes)) / 10 + number / 1000 + 0.01
        images.append((truths.tolist(), list(zip(boxes.tolist(), scores.tolist(), strict=True))))
        shift = np.array([0, 0, 1, 1])  # to continuous edges
        sample = Sample(f"{number}", (128, 128), partial(given, None),
                        tuple(Instance("dog", one + shift.astype(float)) for one in truths))  # fmt: skip
        found = tuple(
            Instance("dog", one + shift.astype(float), confidence=float(score))
            for one, score in zip(boxes, scores, strict=True)
        )
        metric.update(Prediction(f"{number}", (128, 128), found), Item((sample,)))
    (result,) = metric.compute()
    assert result.value == pytest.approx(plain_voc_ap(images, protocol == "voc07"), abs=1e-9)
