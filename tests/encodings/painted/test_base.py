"""Painted answers: every one read back within its stated bound, at 64 to 512 pixels."""

from functools import partial

import cv2
import numpy as np
import pytest
import torch

from gensight.encodings.edge_image import EdgeImage
from gensight.encodings.painted.base import (
    NUM_CLASS_COLOURS,
    code_colours,
    colour_shares,
    colour_temperature,
    nearest_codes,
)
from gensight.encodings.painted.boxes import OUTLINE, PaintedBoxes
from gensight.encodings.painted.classes import PaintedClass
from gensight.encodings.painted.depth import PaintedDepth
from gensight.encodings.painted.drawings import PaintedEdges, PaintedKeypoints
from gensight.encodings.painted.instructed import Instructed
from gensight.encodings.painted.masks import PaintedMask
from gensight.errors import ConfigError, DataError
from gensight.geometry import box_image_to_model
from gensight.readers.puppets import PuppetsReader
from gensight.readers.shared.class_maps import ClassMap
from gensight.samples import Depth, Instance, Item, Query, Sample, Visibility
from gensight.skeletons import OPENPOSE_18
from gensight.transforms import whole_frame
from tests.contracts.encoding import EncodingContract
from tests.metrics.subjects import given

NAMES = ("background", "cat", "dog", "bird")
SIDES = (64, 128, 256, 512)


def photograph(size):
    return np.full((*size, 3), 90, np.uint8)


def sample(size=(96, 128), **fields) -> Sample:
    return Sample("a", size, partial(photograph, size), group="scene", **fields)


def blobs(rng, size=(96, 128)) -> np.ndarray:
    numbers = np.zeros(size, np.uint8)
    for number in (1, 2, 3):
        y, x = rng.integers(10, size[0] - 40), rng.integers(10, size[1] - 40)
        numbers[y : y + 25, x : x + 28] = number
    numbers[:3, :3] = 255
    return numbers


def mask_item(numbers, queried) -> Item:
    classes = ClassMap(partial(given, numbers), NAMES)
    return Item((sample(numbers.shape, extras={"segmentation": classes}),), query=Query("x", "segment", queried))


def box_item(boxes) -> Item:
    instances = tuple(Instance("cat", np.array(box, dtype=np.float64)) for box in boxes)
    return Item((sample(instances=instances),), query=Query("detect the cat", "detect", ("cat",)))


def depth_item(values) -> Item:
    depth = Depth(values.astype(np.float32))
    return Item((sample(values.shape, depth=partial(given, depth)),), query=Query("estimate the depth", "depth"))


def plane(rng, size=(96, 128)) -> np.ndarray:
    """Depth whose logarithm is a plane."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    return np.exp(0.3 + rng.uniform(0.2, 1) * y / size[0] + 0.5 * x / size[1])


class TestMask(EncodingContract):
    def encoding(self):
        return PaintedMask()

    def item(self, rng):
        item = mask_item(blobs(rng), ("cat",))
        return Item(item.samples, query=Query("segment the cat", "segment", ("cat",)))

    def assert_within_bound(self, prediction, item, view):
        truth = item.sample.extras["segmentation"]() == 1
        found = prediction.instances[0].mask() if prediction.instances else np.zeros_like(truth)
        scale = 1 / np.sqrt(abs(np.linalg.det(view.matrix[:2, :2])))
        radius = int(np.ceil(scale)) + 1
        kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
        assert not (found & ~cv2.dilate(truth.astype(np.uint8), kernel).astype(bool)).any()


class TestBoxes(EncodingContract):
    model_size = (96, 128)

    def encoding(self):
        return PaintedBoxes()

    def item(self, rng):
        x, y = rng.uniform(30, 50), rng.uniform(30, 40)
        return box_item([(x, y, x + rng.uniform(15, 30), y + rng.uniform(15, 25))])

    def assert_within_bound(self, prediction, item, view):
        (found,) = prediction.instances
        truth = box_image_to_model(item.sample.instances[0].box, view)
        low, high = np.array([0, 0, 0, 0]), np.array([128, 96, 128, 96])
        turned = view.matrix[0, 1] != 0  # an upright box around a turned one is larger
        error = np.abs(box_image_to_model(found.box, view) - np.clip(truth, low, high))
        assert error.max() <= (25 if turned else 0.51)


class TestDepth(EncodingContract):
    def encoding(self):
        return PaintedDepth()

    def item(self, rng):
        return depth_item(plane(rng))

    def assert_within_bound(self, prediction, item, view):
        found, truth = prediction.depth.values, item.sample.depth().values
        error = np.abs(np.log(found[20:-20, 25:-25]) - np.log(truth[20:-20, 25:-25]))
        assert np.nanmedian(error) < 1e-3 * np.log(100)


class TestClass(EncodingContract):
    def encoding(self):
        return PaintedClass(("cat", "dog", "bird"))

    def item(self, rng):
        labels = ("cat", "dog", "bird")
        return Item((sample(label=labels[rng.integers(3)]),), query=Query("classify the image", "classify", labels))

    def assert_within_bound(self, prediction, item, view):
        best = max(prediction.label_scores, key=prediction.label_scores.get)
        assert best == item.sample.label
        assert prediction.label_scores[best] == pytest.approx(1, abs=0.01)


def read_back(encoding, item, side, levels=255):
    """encode -> 8-bit picture -> decode, at a view of side x side."""
    view = whole_frame(item.sample.size, (side, side))
    targets = encoding.encode(item, (view,))
    stored = (targets["painted"] * levels).round() / levels
    return encoding.decode({"painted": stored}, item, (view,)), view


@pytest.mark.parametrize("side", SIDES)
def test_masks_of_several_classes(side):
    numbers = blobs(np.random.default_rng(side))
    item = mask_item(numbers, ("bird", "cat"))
    prediction, _ = read_back(PaintedMask(), item, side)
    for one in prediction.instances:
        truth = numbers == NAMES.index(one.category)
        wrong = (one.mask() != truth)[numbers != 255]
        border = 2 * (25 + 28) * max(1, 128 / side) / 2  # half a cell around
        assert wrong.sum() <= border
        assert one.confidence == pytest.approx(1, abs=0.02)
    assert {one.category for one in prediction.instances} == {"bird", "cat"}


def test_an_absent_class_is_black_and_gives_nothing():
    item = mask_item(np.where(blobs(np.random.default_rng(0)) == 2, 0, blobs(np.random.default_rng(0))), ("dog",))
    prediction, view = read_back(PaintedMask(), item, 64)
    assert prediction.instances == ()
    targets = PaintedMask().encode(item, (view,))
    assert targets["painted"].sum() == 0
    assert 0 < targets["painted_weight"].mean() < 1  # known everywhere but where it is ignored


@pytest.mark.parametrize("side", SIDES)
def test_boxes_of_several_classes(side):
    boxes = [("cat", (8.0, 10.0, 50.0, 60.0)), ("dog", (70.0, 12.0, 120.0, 40.0)), ("cat", (60.5, 60.25, 90.0, 88.0))]
    instances = tuple(Instance(name, np.array(box)) for name, box in boxes)
    query = Query("detect the dog and the bird and the cat", "detect", ("bird", "cat", "dog"))
    encoding = PaintedBoxes(max_boxes=2)
    prediction, _ = read_back(encoding, Item((sample(instances=instances),), query=query), side)
    found = sorted((one.category, *one.box) for one in prediction.instances)
    assert [one[0] for one in found] == ["cat", "cat", "dog"]
    truth = sorted((name, *box) for name, box in boxes)
    errors = [np.abs(np.array(one[1:]) - other[1:]).max() for one, other in zip(found, truth, strict=True)]
    assert max(errors) <= 0.5 * 128 / side + 1e-6


def test_one_class_has_the_same_colours_alone_as_first_of_several():
    item = box_item([(8.0, 10.0, 50.0, 60.0)])
    view = whole_frame((96, 128), (96, 128))
    alone = PaintedBoxes(max_boxes=2).encode(item, (view,))["painted"]
    both = Item(item.samples, query=Query("x", "detect", ("cat", "dog")))
    assert np.array_equal(alone, PaintedBoxes(max_boxes=2).encode(both, (view,))["painted"])


def test_too_many_classes_for_the_palette_are_refused():
    item = Item(box_item([(8.0, 10.0, 50.0, 60.0)]).samples, query=Query("x", "detect", ("cat", "dog")))
    view = whole_frame((96, 128), (96, 128))
    with pytest.raises(ConfigError, match="name 1 or fewer at a time"):
        PaintedBoxes(style="outlines").encode(item, (view,))
    assert PaintedBoxes(max_boxes=124).most_classes == 5


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("style", "outline"),
    [("filled", OUTLINE), *(("outlines", one) for one in (OUTLINE, ("blue", 4), ("red", 5), ("#C08020", 1)))],
)
def test_boxes(side, style, outline):
    boxes = [(8.0, 10.0, 50.0, 60.0), (70.0, 12.0, 120.0, 40.0), (60.5, 60.25, 90.0, 88.0)]
    prediction, view = read_back(PaintedBoxes(style=style, outline=outline), box_item(boxes), side)
    found = sorted(tuple(one.box) for one in prediction.instances)
    assert len(found) == 3
    cell = 128 / side  # the view keeps the image's aspect
    for box, truth in zip(found, sorted(boxes), strict=True):
        assert (np.abs(np.array(box) - truth) <= 0.5 * cell + 1e-6).all()
    assert view.model_size == (side, side)


@pytest.mark.parametrize("style", ["filled", "outlines"])
def test_a_box_within_a_box_keeps_both(style):
    boxes = [(8.0, 8.0, 100.0, 80.0), (30.0, 30.0, 60.0, 60.0)]
    prediction, _ = read_back(PaintedBoxes(style), box_item(boxes), 128)
    assert sorted(tuple(np.rint(one.box)) for one in prediction.instances) == boxes


def test_outlines_are_read_in_the_colour_that_was_painted():
    item = box_item([(8.0, 10.0, 50.0, 60.0)])
    painted = PaintedBoxes("outlines", outline=("red", 4)).encode(item, (view := whole_frame((96, 128), (96, 128)),))
    for colour, found in (("red", 1), ("blue", 0), ("white", 0)):
        assert len(PaintedBoxes("outlines", outline=(colour, 4)).decode(painted, item, (view,)).instances) == found


@pytest.mark.parametrize(
    ("outline", "match"), [(("blu", 4), "did you mean `blue`"), (("blue", 0), "an outline of 0 px")]
)
def test_no_outline(outline, match):
    with pytest.raises(ConfigError, match=match):
        PaintedBoxes("outlines", outline=outline)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("scale", "bound"), [("log", 0.012), ("linear", 0.06)])
def test_depth_in_8_and_16_bits(side, scale, bound):
    item = depth_item(plane(np.random.default_rng(side)))
    truth = item.sample.depth().values
    middle = (slice(4, -4), slice(4, -4))  # half a cell along the border is flat
    for levels, share in ((255, 1), (65535, 0.35)):
        prediction, _ = read_back(PaintedDepth(scale=scale), item, side, levels)
        assert (np.abs(prediction.depth.values / truth - 1)[middle]).max() < bound * share + 0.002


@pytest.mark.parametrize("side", SIDES)
def test_classes(side):
    labels = tuple(f"class {n}" for n in range(37))
    item = Item((sample(label="class 21"),), query=Query("classify the image", "classify", labels))
    prediction, _ = read_back(PaintedClass(labels), item, side)
    assert max(prediction.label_scores, key=prediction.label_scores.get) == "class 21"
    yes_or_no = Item((sample(label="cat"),), query=Query("is there a dog?", "classify", ("dog",)))
    prediction, _ = read_back(PaintedClass(("cat", "dog")), yes_or_no, side)
    assert prediction.label_scores == {"dog": pytest.approx(0, abs=0.001)}


def test_queried_classes_keep_the_colours_of_their_vocabulary():
    encoding, colours = PaintedClass(("cat", "dog", "bird")), code_colours(3)
    for options, expected in ((("cat", "dog", "bird"), 3), (("bird", "dog"), 3), (("dog", "bird", "elk"), 2)):
        item = Item((sample(label="bird"),), query=Query("what is this?", "classify", options))
        painted, _ = encoding.paint(item, whole_frame(item.sample.size, (8, 8)))
        np.testing.assert_array_equal(painted[0, 0], colours[expected])
        prediction, _ = read_back(encoding, item, 64)
        assert max(prediction.label_scores, key=prediction.label_scores.get) == "bird"


def rendered(truth, subjects="people", num=3):
    return list(PuppetsReader(num, seed=5, size=(128, 128), truths=(truth, "boxes"), subjects=subjects))


@pytest.mark.parametrize(("side", "least"), [(64, 0.65), (128, 0.68), (256, 0.68), (512, 0.68)])
def test_skeletons(side, least):
    """Share of the visible keypoints of one to three people that come back within 0.05 of the box's longer side."""
    encoding, right, total = PaintedKeypoints(OPENPOSE_18), 0, 0
    for one in rendered("keypoints", num=6):
        for item in encoding.items(one):
            prediction, _ = read_back(encoding, item, side)
            for subject in one.instances:
                visible = subject.keypoints.visibility == Visibility.VISIBLE
                reach = 0.05 * max(np.ptp(subject.box[0::2]), np.ptp(subject.box[1::2]))
                found = [other.keypoints.points - subject.keypoints.points for other in prediction.instances]
                near = [int((np.linalg.norm(apart, axis=1)[visible] < reach).sum()) for apart in found]
                right, total = right + max(near, default=0), total + int(visible.sum())
    assert right / total >= least


@pytest.mark.parametrize("side", SIDES)
def test_edges(side):
    encoding = PaintedEdges()
    for one in rendered("edges"):
        (item,) = encoding.items(one)
        prediction, view = read_back(encoding, item, side)
        found = prediction.maps["edges"].values[0]
        expected = EdgeImage(1, 1).encode(item, (view,))["edges"][0].numpy()
        np.testing.assert_allclose(found, expected, atol=1 / 255)
        assert found.max() > 0.4


def test_drawings_know_what_is_not_labelled():
    nobody = sample(label="cat")
    assert PaintedEdges().items(nobody) == PaintedKeypoints(OPENPOSE_18).items(nobody) == []
    with pytest.raises(ConfigError, match="skeleton"):
        PaintedKeypoints(None)


def test_colours_lie_apart():
    for num, least in ((1, 1.7), (6, 0.7), (26, 0.39), (150, 0.17)):
        colours = code_colours(num)
        apart = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
        assert apart[~np.eye(num + 1, dtype=bool)].min() >= least
        np.testing.assert_array_equal(colours[:2], [[0, 0, 0], [1, 1, 1]])
    np.testing.assert_array_equal(code_colours(40)[:10], code_colours(9))
    np.testing.assert_array_equal(code_colours(1000)[:701], code_colours(700))  # the first cube has 728
    assert len(np.unique(code_colours(NUM_CLASS_COLOURS), axis=0)) == NUM_CLASS_COLOURS + 1
    with pytest.raises(ConfigError, match="4912 colours"):
        code_colours(NUM_CLASS_COLOURS + 1)


@pytest.mark.parametrize("number", [0, 1, 727, 728, 999])
def test_a_thousand_classes_are_separated_in_8_bit_images(number):
    names = tuple(f"class {n}" for n in range(1000))
    encoding = PaintedClass(names)
    shown, view = (
        Item((sample(label=names[number]),), query=Query("what is this?", "classify", names)),
        whole_frame((48, 64), (32, 32)),
    )
    picture = (encoding.encode(shown, (view,))["painted"] * 255).round() / 255
    picture = (picture + 0.03 * torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    scores = encoding.decode({"painted": picture}, shown, (view,)).label_scores
    assert max(scores, key=scores.get) == names[number]


def test_shares_of_a_picture_show_undecided_colours():
    colours = code_colours(10)
    for picture, expected in (
        (np.tile(colours[3], (8, 8, 1)), {3: 1.0}),
        (np.tile((colours[3] + colours[4]) / 2, (8, 8, 1)), {3: 0.5, 4: 0.5}),
        (np.concatenate([np.tile(colours[n], (4, 8, 1)) for n in (3, 3, 7, 0)]), {3: 0.5, 7: 0.25, 0: 0.25}),
    ):
        shares = colour_shares(picture, colours)
        assert shares.sum() == pytest.approx(1)
        if len(expected) != 2:
            assert {n: shares[n] for n in expected} == pytest.approx(expected, abs=0.01)
        else:  # others lie near the middle of two
            assert shares[3] == pytest.approx(shares[4])
    assert colour_temperature(colours) == pytest.approx(0.05)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_a_pixel_has_a_colour_from_a_threshold_on_the_way_from_black(threshold):
    colours = code_colours(3)
    ways = np.linspace(0, 1, 101)[None, :, None] * colours[2]
    numbers, _ = nearest_codes(ways, colours[[0, 2]], threshold)
    assert abs(numbers[0].argmax() / 100 - threshold) < 0.011
    assert (np.diff(numbers[0]) >= 0).all()


def test_masks_and_boxes_are_read_from_their_threshold_on():
    picture, view = np.zeros((64, 64, 3), np.float32), whole_frame((64, 64), (64, 64))
    picture[10:30, 20:50] = 0.3
    item = Item((sample(size=(64, 64)),), query=Query("", "segment", ("cat",)))
    assert PaintedMask().read(picture, item, view).instances == ()
    (found,) = PaintedMask(threshold=0.25).read(picture, item, view).instances
    assert found.mask().sum() == 600
    assert PaintedBoxes(max_boxes=1).read(picture, item, view).instances == ()
    (found,) = PaintedBoxes(max_boxes=1, threshold=0.25).read(picture, item, view).instances
    np.testing.assert_allclose(found.box, [20, 10, 50, 30], atol=0.5)


def test_confidence_falls_between_two_colours():
    colours = code_colours(1)
    picture = np.repeat(np.array([0.0, 0.3, 0.5, 0.9, 1.0], np.float32)[None, :, None], 3, axis=2)
    cells, sure = nearest_codes(picture, colours)
    assert cells[0].tolist()[:2] + cells[0].tolist()[3:] == [0, 0, 1, 1]
    np.testing.assert_allclose(sure[0], [1, 0.4, 0, 0.8, 1], atol=1e-3)


def test_tasks_under_one_output():
    both = Instructed({"segment": PaintedMask(), "depth": PaintedDepth()}, ("cat",))
    item = depth_item(plane(np.random.default_rng(0)))
    view = whole_frame(item.sample.size, (64, 64))
    assert both.decode(both.encode(item, (view,)), item, (view,)).depth is not None
    with pytest.raises(ConfigError, match="no painted task is called `None`"):
        both.encode(Item(item.samples), (view,))
    with pytest.raises(ConfigError, match="must have its own task's name"):
        Instructed({"detect": PaintedMask()}, ("cat",))


def test_depth_without_a_unit_is_refused():
    item = depth_item(np.ones((8, 8)))
    depth = Depth(np.ones((8, 8), np.float32), "affine")
    affine = sample((8, 8), depth=partial(given, depth))
    with pytest.raises(DataError, match="no unit"):
        PaintedDepth().encode(Item((affine,), query=item.query), (whole_frame((8, 8), (8, 8)),))
