"""Boxes: equal to pycocotools on the same boxes; VOC's rules by hand and by a plain repetition of the devkit's."""

import contextlib
import io
from functools import partial

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from gensight.errors import DataError
from gensight.metrics.coco.detection import CocoBox, VocBox, box_overlaps
from gensight.readers.voc.xml import VocFlags
from gensight.samples import Instance, Item, Prediction, Sample
from tests.contracts.metric import MetricContract, score
from tests.metrics.subjects import as_prediction, no_image

SIZE = (480, 640)
NAMES = ("cat", "dog", "person")
PARTS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


def thing(category, box, confidence=1.0, **fields) -> Instance:
    return Instance(category, np.array(box, dtype=np.float64), confidence=confidence, **fields)


def scene(key, *instances, difficult=()) -> Item:
    extras = {"voc_flags": tuple(VocFlags(difficult=n in difficult) for n in range(len(instances)))}
    return Item((Sample(key, SIZE, no_image, instances, group=key, extras=extras),))


def answer(item, *instances) -> Prediction:
    return as_prediction(item, instances=instances)


def boxes(rng, count) -> list[tuple[str, np.ndarray]]:
    corner = rng.uniform(0, 300, (count, 2))
    side = np.exp(rng.uniform(np.log(8), np.log(250), (count, 2)))
    return [(NAMES[rng.integers(3)], np.concatenate([a, a + b])) for a, b in zip(corner, side, strict=True)]


def random_scenes(seed: int, num: int = 12, crowds: bool = True):
    """Scenes with crowds; predictions near objects, doubled, of other classes, and from nowhere."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(num):
        truths = boxes(rng, int(rng.integers(0, 6)))
        instances = [
            thing(
                name, box, area=float(np.prod(box[2:] - box[:2]) * 0.7), is_crowd=bool(crowds and rng.random() < 0.15)
            )
            for name, box in truths
        ]
        item = scene(f"image{number:02d}", *instances)
        answers = []
        for name, box in truths:
            for _ in range(int(rng.integers(0, 3))):
                other = name if rng.random() < 0.85 else NAMES[rng.integers(3)]
                moved = box + rng.normal(0, 0.08, 4) * np.tile(box[2:] - box[:2], 2)
                answers.append(thing(other, np.concatenate([moved[:2], np.maximum(moved[2:], moved[:2] + 1)]),
                                     float(np.round(rng.random(), 2))))  # fmt: skip
        answers += [thing(name, box, float(np.round(rng.random() * 0.6, 2))) for name, box in boxes(rng, 3)]
        found.append((answer(item, *answers), item))
    return found


class _Boxes(MetricContract):
    best, worst = 1.0, 0.0

    def answers(self, kind):
        found = random_scenes(5, 8, crowds=False)
        if kind == "mixed":
            return found
        right = kind == "perfect"
        return [
            (
                answer(item, *(one if right else thing(one.category, one.box + 1000) for one in item.sample.instances)),
                item,
            )
            for _, item in found
        ]


class TestCocoBox(_Boxes):
    def metric(self):
        return CocoBox()


class TestVoc12(_Boxes):
    def metric(self):
        return VocBox("voc12")


class TestVoc07(_Boxes):
    def metric(self):
        return VocBox("voc07")


def reference(answers) -> list[float]:
    """pycocotools' twelve numbers."""
    truth, results = {"images": [], "annotations": [], "categories": []}, []
    truth["categories"] = [{"id": n, "name": name} for n, name in enumerate(NAMES, 1)]
    for number, (prediction, item) in enumerate(answers, 1):
        truth["images"].append({"id": number, "height": SIZE[0], "width": SIZE[1]})
        for one in item.sample.instances:
            x0, y0, x1, y1 = one.box.tolist()
            truth["annotations"].append({
                "id": len(truth["annotations"]) + 1, "image_id": number, "category_id": NAMES.index(one.category) + 1,
                "bbox": [x0, y0, x1 - x0, y1 - y0], "area": one.area, "iscrowd": int(one.is_crowd),
            })  # fmt: skip
        for one in prediction.instances:
            x0, y0, x1, y1 = one.box.tolist()
            results.append({"image_id": number, "category_id": NAMES.index(one.category) + 1,
                            "bbox": [x0, y0, x1 - x0, y1 - y0], "score": one.confidence})  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_equal_to_pycocotools(seed):
    answers = random_scenes(seed)
    result = score(CocoBox(), answers)
    expected = [value if value > -1 else float("nan") for value in reference(answers)]
    assert [result.parts[name] for name in PARTS] == pytest.approx(expected, abs=1e-6, nan_ok=True)
    assert result.value == pytest.approx(expected[0], abs=1e-6)


def test_more_than_a_hundred_boxes_are_cut_as_pycocotools_cuts_them():
    rng = np.random.default_rng(0)
    item = scene("a", *(thing("cat", box, area=float(np.prod(box[2:] - box[:2]))) for _, box in boxes(rng, 5)))
    many = [thing("cat", box, float(np.round(rng.random(), 1))) for _, box in boxes(rng, 150)]
    answers = [(answer(item, *many, *(thing("cat", one.box, 0.5) for one in item.sample.instances)), item)]
    result = score(CocoBox(), answers)
    expected = [value if value > -1 else float("nan") for value in reference(answers)]
    assert [result.parts[name] for name in PARTS] == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_trap_200_false_boxes_lower_ap():
    """No box is dropped because the truth doesn't know it: in the image, or of a class that isn't there."""
    rng = np.random.default_rng(0)
    item = scene("a", thing("cat", (10, 10, 100, 100)))
    empty = scene("b", thing("dog", (10, 10, 100, 100)))
    right = [
        (answer(item, thing("cat", (10, 10, 100, 100), 0.5)), item),
        (answer(empty, thing("dog", (10, 10, 100, 100))), empty),
    ]
    ghosts = [thing("cat", box, 0.9) for _, box in boxes(rng, 200)]
    for fresh in (CocoBox, partial(VocBox, "voc07"), partial(VocBox, "voc12")):
        assert score(fresh(), right).value == pytest.approx(1)
        for place in (0, 1):
            prediction, of = right[place]
            haunted = list(right)
            haunted[place] = (answer(of, *prediction.instances, *ghosts), of)
            assert score(fresh(), haunted).value < 0.53  # cats' precision is near 0, dogs' is 1


def devkit(answers, category: str, eleven: bool) -> float:
    """VOC's average precision, box by box."""
    found = [
        (one.confidence, number, one.box)
        for number, (prediction, _) in enumerate(answers)
        for one in prediction.instances
        if one.category == category
    ]
    truths = [
        [
            (one.box, flag.difficult)
            for one, flag in zip(sample.instances, sample.extras["voc_flags"], strict=True)
            if one.category == category
        ]
        for sample in (item.sample for _, item in answers)
    ]  # fmt: skip
    num = sum(not hard for of in truths for _, hard in of)
    taken, hits, misses = set(), [], []
    for _, number, box in sorted(found, key=lambda one: -one[0]):
        overlaps = [box_overlaps(box[None], other[None], np.zeros(1, bool))[0, 0] for other, _ in truths[number]]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if best >= 0 and overlaps[best] >= 0.5 and truths[number][best][1]:
            continue
        hit = best >= 0 and overlaps[best] >= 0.5 and (number, best) not in taken
        taken.add((number, best) if hit else None)
        hits.append(hit)
        misses.append(not hit)
    right, wrong = np.cumsum(hits), np.cumsum(misses)
    recall, precision = right / num, right / (right + wrong)
    if eleven:
        return float(np.mean([precision[recall >= level].max(initial=0) for level in np.arange(11) / 10]))
    recall, precision = np.concatenate([[0], recall, [1]]), np.concatenate([[0], precision, [0]])
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.flatnonzero(recall[1:] != recall[:-1])
    return float(((recall[steps + 1] - recall[steps]) * precision[steps + 1]).sum())


@pytest.mark.parametrize("protocol", ["voc07", "voc12"])
@pytest.mark.parametrize("seed", range(3))
def test_voc_equals_a_plain_repetition(protocol, seed):
    rng = np.random.default_rng(seed)
    answers = []
    for prediction, item in random_scenes(seed, crowds=False):
        difficult = [n for n in range(len(item.sample.instances)) if rng.random() < 0.2]
        again = scene(item.sample.key, *item.sample.instances, difficult=difficult)
        instances = [thing(one.category, one.box, float(rng.random())) for one in prediction.instances]
        answers.append((answer(again, *instances), again))
    result = score(VocBox(protocol), answers)
    expected = {f"AP/{name}": devkit(answers, name, protocol == "voc07") for name in NAMES}
    assert result.parts == pytest.approx(expected, abs=1e-9)
    assert result.value == pytest.approx(np.mean(list(expected.values())))


def test_refusals():
    item = Item((Sample("a", SIZE, no_image),))
    with pytest.raises(DataError, match="needs images whose objects are marked"):
        CocoBox().update(answer(item), item)
    item = scene("a", Instance("cat"))
    with pytest.raises(DataError, match="needs the box of every object"):
        CocoBox().update(answer(item), item)
