import contextlib
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from gensight.errors import ConfigError, DataError
from gensight.metrics.bootstrap import interval_by_weights
from gensight.metrics.coco.matching import RECALLS, levels_reached
from gensight.metrics.coco.oks import CocoOks
from gensight.metrics.coco.results import coco_results
from gensight.samples import Instance, Item, Keypoints, Prediction, Sample, Visibility
from gensight.skeletons import COCO_17, OPENPOSE_18, Skeleton
from gensight.transforms.keypoints import convert_keypoints
from tests.contracts.metric import MetricContract, only, score
from tests.metrics.subjects import SIZE, SKELETON, answer, answers, item, scene, subject

PARTS = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")


class TestCocoOks(MetricContract):
    best, worst = 1.0, 0.0

    def metric(self):
        return CocoOks(SKELETON)

    def answers(self, kind):
        return answers(kind, scene())

    def test_by_hand(self):
        # One keypoint of sigma 0.1 on an area of 5000: OKS = exp(-d^2 / (2 * 5000 * 0.2^2)) = exp(-d^2 / 400).
        # 10 px give 0.779, which passes 0.5 to 0.75 (6 of 10 thresholds); 30 px give 0.105, which passes none.
        points = np.array([(100.0, 100), (np.nan, np.nan), (np.nan, np.nan)])
        near, far = (item(key, subject(points, area=5000.0)) for key in "ab")
        predictions = [
            (answer(near, np.array([(110.0, 100), (0, 0), (0, 0)]), confidence=0.9), near),
            (answer(far, np.array([(130.0, 100), (0, 0), (0, 0)]), confidence=0.8), far),
        ]
        result = score(self.metric(), predictions)
        # Half of the truths are found, first: precision 1 up to recall 0.5, which is 51 of 101 levels.
        assert result.value == pytest.approx(0.6 * 51 / 101)
        assert result.parts["AR"] == pytest.approx(0.6 * 0.5)
        assert [row["score"] for row in result.rows] == pytest.approx([np.exp(-0.25), 0.0])
        # In the other order of confidence, the false alarm comes first: precision 1/2.
        predictions = [
            (answer(scored_item, p.instances[0].keypoints.points, 1 - p.instances[0].confidence), scored_item)
            for p, scored_item in predictions
        ]
        assert score(self.metric(), predictions).value == pytest.approx(0.6 * 0.5 * 51 / 101)

    def test_area_by_the_box_is_said(self):
        scored_item = item("a", subject(np.full((3, 2), 150.0)))
        assert score(self.metric(), answers("perfect", [scored_item])).notes == (
            "area by the box for 1 subjects without a segment",
        )

    def test_animals_are_left_out_where_people_are_scored(self):
        person = subject(np.random.default_rng(0).uniform(100, 200, (17, 2)), area=5000.0)
        animal = subject(np.full((3, 2), 150.0), area=5000.0)
        result = score(CocoOks(COCO_17), answers("perfect", [item("a", person, animal)]))
        assert result.value == pytest.approx(1)
        assert result.rows[0]["num_truths"] == 1

    def test_mistakes(self):
        with pytest.raises(ConfigError) as error:
            CocoOks(Skeleton("mouse", ("snout", "tail")))
        assert str(error.value) == (
            "`coco-oks` needs a fall-off (sigma) per keypoint, which nobody measured for `mouse`\n"
            "  where: evaluation.sigmas\n"
            "  next:  set evaluation.sigmas=0.05 (one for all keypoints) or a list of one for each (COCO's lie between "
            "0.025, eyes, and 0.107, hips); or score with pck-box, mean-px or median-px"
        )
        with pytest.raises(ConfigError, match="needs one positive sigma per keypoint: 3, got 2"):
            CocoOks(SKELETON, sigmas=(0.1, 0.1))
        bare = item("a", subject(np.ones((3, 2)), box=None))
        with pytest.raises(DataError, match="needs the box or the area of every subject"):
            CocoOks(SKELETON).update(answer(bare, None), bare)
        with pytest.raises(DataError, match=r"a prediction of `b` cannot be scored against `a\|0`"):
            CocoOks(SKELETON).update(Prediction("b", SIZE), bare)


# --- Against pycocotools ---


def coco_eval(truth: dict, results: list, sigmas=None) -> dict[str, float]:
    """pycocotools' ten numbers; -1 becomes NaN."""
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO()
        data.dataset = json.loads(json.dumps(truth))
        data.createIndex()
        evaluation = COCOeval(data, data.loadRes(json.loads(json.dumps(results))), "keypoints")
        if sigmas is not None:
            evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: np.nan if value == -1 else value for name, value in zip(PARTS, evaluation.stats, strict=True)}


def read_samples(truth: dict, skeleton: Skeleton) -> tuple[list[Sample], dict[str, int]]:
    by_image: dict[int, list[Instance]] = {image["id"]: [] for image in truth["images"]}
    for annotation in truth["annotations"]:
        triples = np.array(annotation["keypoints"], dtype=np.float64).reshape(-1, 3)
        labelled = triples[:, 2] > 0
        points = np.where(labelled[:, None], triples[:, :2] + 0.5, np.nan)
        visibility = np.where(labelled, Visibility.VISIBLE, Visibility.UNLABELLED).astype(np.int8)
        x, y, width, height = annotation["bbox"]
        by_image[annotation["image_id"]].append(
            Instance(
                box=np.array([x, y, x + width, y + height]),
                keypoints=Keypoints(skeleton, points, visibility, np.ones(len(triples), np.float32)),
                area=float(annotation["area"]),
                is_crowd=bool(annotation["iscrowd"]),
                id=annotation["id"],
            )
        )
    samples, ids = [], {}
    for image in truth["images"]:
        key = f"{image['id']:012d}.jpg"
        ids[key] = image["id"]
        samples.append(
            Sample(
                key,
                (image["height"], image["width"]),
                lambda: np.zeros((1, 1, 3), np.uint8),
                tuple(by_image[image["id"]]),
            )
        )
    return samples, ids


def noisy(sample: Sample, generator: np.random.Generator, spread: float, extra: int) -> Prediction:
    """What a detector might say: jittered truths, missing ones, doubles, false alarms and points left out."""
    found = []
    for instance in sample.instances:
        for _ in range(generator.integers(0, 3)):
            points = instance.keypoints.points.copy()
            centre = (instance.box[:2] + instance.box[2:]) / 2
            points[np.isnan(points)] = 0
            points = np.where(points == 0, centre, points)
            size = np.sqrt(instance.area) * spread * generator.random()
            points = points + generator.normal(0, size, points.shape)
            points[generator.random(len(points)) < 0.05] = np.nan
            found.append(points)
    for _ in range(generator.integers(0, extra + 1)):
        height, width = sample.size
        count = len(COCO_17) if not found else len(found[0])
        found.append(generator.uniform(0, (width, height), (count, 2)))
    return Prediction(sample.key, sample.size, tuple(_instance_of(points, generator) for points in found))


def _instance_of(points, generator) -> Instance:
    skeleton = COCO_17 if len(points) == 17 else SKELETON
    visible = np.full(len(points), 3, np.int8)
    keypoints = Keypoints(skeleton, points, visible, np.ones(len(points), np.float32))
    # Two decimals, so that equal scores occur.
    return Instance(keypoints=keypoints, confidence=round(float(generator.random()), 2))


def random_truth(generator: np.random.Generator, num_images: int, num_keypoints: int) -> dict:
    annotations = []
    for image in range(1, num_images + 1):
        for _ in range(generator.integers(0, 5)):
            width, height = generator.uniform(10, 300, 2)
            x, y = generator.uniform(0, 300, 2)
            triples = np.column_stack(
                [generator.uniform(x, x + width, num_keypoints), generator.uniform(y, y + height, num_keypoints),
                 generator.integers(0, 3, num_keypoints)]
            )  # fmt: skip
            crowd = generator.random() < 0.15
            if crowd or generator.random() < 0.15:
                triples[:, 2] = 0
            triples[triples[:, 2] == 0] = 0
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": 1,
                    "bbox": [x, y, width, height],
                    "area": width * height * 0.6,
                    "iscrowd": int(crowd),
                    "keypoints": triples.ravel().tolist(),
                    "num_keypoints": int((triples[:, 2] > 0).sum()),
                }
            )
    return {
        "images": [{"id": image, "height": 500, "width": 500} for image in range(1, num_images + 1)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person"}],
    }


def scored(samples, predictions, skeleton, sigmas=None):
    metric = CocoOks(skeleton, sigmas)
    for sample, prediction in zip(samples, predictions, strict=True):
        metric.update(prediction, Item((sample,)))
    return metric


@pytest.mark.parametrize("seed", range(6))
def test_random_cases_equal_pycocotools(seed):
    generator = np.random.default_rng(seed)
    truth = random_truth(generator, num_images=12, num_keypoints=17 if seed % 2 else 3)
    skeleton = COCO_17 if seed % 2 else SKELETON
    samples, ids = read_samples(truth, skeleton)
    predictions = [noisy(sample, generator, spread=0.25, extra=40 if seed == 5 else 2) for sample in samples]
    if skeleton is SKELETON:
        kept = [tuple(i for i in p.instances if len(i.keypoints.points) == 3) for p in predictions]
        predictions = [replace(p, instances=found) for p, found in zip(predictions, kept, strict=True)]
    expected = coco_eval(truth, coco_results(predictions, ids, skeleton), skeleton.sigmas)
    (result,) = scored(samples, predictions, skeleton).compute()
    assert result.parts == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert result.value == pytest.approx(expected["AP"], abs=1e-9)
    assert 0 < result.value < 1


@pytest.mark.parametrize(("spread", "extra"), [(0.05, 1), (0.15, 6)])
def test_coco_mini_equals_pycocotools(shared_data, spread, extra):
    truth = json.loads((shared_data / "coco_mini/annotations/person_keypoints_val2017.json").read_text())
    samples, ids = read_samples(truth, COCO_17)
    generator = np.random.default_rng(0)
    predictions = [noisy(sample, generator, spread, extra) for sample in samples]
    expected = coco_eval(truth, coco_results(predictions, ids))
    (result,) = scored(samples, predictions, COCO_17).compute()
    assert result.parts == pytest.approx(expected, abs=1e-6)
    assert 0.02 < result.value < 0.95
    assert result.interval[0] < result.value < result.interval[1]
    assert result.num_images == 79


def test_top_down_answers_equal_the_same_ones_merged(shared_data):
    truth = json.loads((shared_data / "coco_mini/annotations/person_keypoints_val2017.json").read_text())
    samples, ids = read_samples(truth, COCO_17)
    generator = np.random.default_rng(0)
    metric, predictions = CocoOks(OPENPOSE_18, sigmas=OPENPOSE_18.sigmas), []
    people = CocoOks(COCO_17)
    for sample in samples:
        for index, instance in enumerate(sample.instances):
            if instance.is_crowd or not instance.keypoints.located.any():
                continue
            scored_item = Item((sample,), index)
            points = np.nan_to_num(instance.keypoints.points, nan=50.0) + generator.normal(0, 5, (17, 2))
            keypoints = Keypoints(COCO_17, points, np.full(17, 3, np.int8), np.ones(17, np.float32))
            prediction = Prediction(
                sample.key,
                sample.size,
                (Instance(keypoints=convert_keypoints(keypoints, OPENPOSE_18), confidence=float(generator.random())),),
                item_key=scored_item.key,
            )
            predictions.append(prediction)
            metric.update(prediction, scored_item)
            people.update(prediction, scored_item)
    (result,) = people.compute()
    with_people = [annotation["image_id"] for annotation in truth["annotations"]]
    truth["images"] = [image for image in truth["images"] if image["id"] in with_people]
    assert result.parts == pytest.approx(coco_eval(truth, coco_results(predictions, ids)), abs=1e-6)
    assert only(metric).value == pytest.approx(result.value, abs=0.1)  # the neck counts too


def test_reweighting_equals_scoring_repeated_images():
    generator = np.random.default_rng(1)
    samples, _ = read_samples(random_truth(generator, 8, 17), COCO_17)
    predictions = [noisy(sample, generator, 0.2, 2) for sample in samples]
    (result,) = scored(samples, predictions, COCO_17).compute()
    for weights in generator.integers(0, 4, (5, 8)):
        copies = [(s, p, n) for s, p, w in zip(samples, predictions, weights, strict=True) for n in range(w)]
        (again,) = scored(
            [replace(sample, key=f"{sample.key}#{n}") for sample, _, n in copies],
            [replace(prediction, sample_key=f"{prediction.sample_key}#{n}") for _, prediction, n in copies],
            COCO_17,
        ).compute()
        assert result.scores(weights[None].astype(np.float64))[0] == pytest.approx(again.value, abs=1e-12)


def test_the_interval_is_a_percentile_of_those():
    generator = np.random.default_rng(2)
    samples, _ = read_samples(random_truth(generator, 20, 17), COCO_17)
    (result,) = scored(samples, [noisy(sample, generator, 0.2, 2) for sample in samples], COCO_17).compute()
    assert interval_by_weights(result.reweigh, result.groups) == result.interval


def test_recall_levels_are_compared_as_pycocotools_does():
    truths = np.arange(1, 200)
    reached = levels_reached(truths.astype(np.float64))
    for num_truths, levels in zip(truths, reached, strict=True):
        recalls = np.arange(num_truths + 1) / num_truths
        assert levels[: num_truths + 1].tolist() == np.searchsorted(RECALLS, recalls, side="right").tolist()


def test_results_entries():
    points = np.array([(10.5, 20.5), (np.nan, np.nan), (1.0, 2.0)])
    scored_item = item("a", subject(points))
    entries = coco_results([answer(scored_item, points, confidence=0.25)], {"a": 7}, SKELETON)
    assert entries == [{"image_id": 7, "category_id": 1, "keypoints": [10, 20, 1, 0, 0, 0, 0.5, 1.5, 1], "score": 0.25}]
    with pytest.raises(DataError, match="this image has no id in the data set's file"):
        coco_results([answer(scored_item, points)], {}, SKELETON)
