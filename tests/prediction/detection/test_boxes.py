import json
from dataclasses import dataclass

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from gensight.errors import DataError
from gensight.metrics.coco.oks import CocoOks
from gensight.metrics.coco.results import coco_results
from gensight.prediction.detection.boxes import (
    detect_boxes,
    detected_prediction,
    distinct_poses,
    read_detections,
    scored_by_box,
)
from gensight.prediction.request import subject_items
from gensight.prediction.sources import read_boxes
from gensight.samples import Instance, Item, Keypoints, Prediction, Sample, Visibility
from gensight.skeletons import COCO_17

SIGMAS = COCO_17.sigmas


@dataclass
class Found:
    instances: tuple[Instance, ...] | None


class Detector:
    """Finds the given instances."""

    def __init__(self, answers: dict[str, tuple[Instance, ...] | None]) -> None:
        self.answers = answers

    def label(self, samples):
        return [Found(self.answers[sample.key]) for sample in samples]


def _sample(key: str, instances=None) -> Sample:
    return Sample(key, (100, 120), lambda: np.zeros((100, 120, 3), np.uint8), instances=instances)


def _box(*box: float, category: str = "person", score: float = 1.0) -> Instance:
    return Instance(category, np.array(box, dtype=np.float64), confidence=score)


def _pose(points, confidence, box=(10.0, 10.0, 50.0, 90.0), score: float = 1.0) -> Instance:
    points = np.asarray(points, dtype=np.float64)
    confidence = np.broadcast_to(np.float32(confidence), (17,)).astype(np.float32)
    keypoints = Keypoints(COCO_17, points, np.full(17, Visibility.VISIBLE, np.int8), confidence)
    return Instance("person", np.array(box), keypoints, confidence=score)


def test_a_detector_gives_boxes_best_first():
    detector = Detector(
        {
            "a": (_box(0, 0, 9, 9, score=0.6), _box(5, 5, 9, 9, score=0.9)),
            "b": None,
            "c": (_box(0, 0, 9, 9, score=0.4),),
        }
    )
    boxes = detect_boxes(detector, [_sample(key) for key in "abc"])
    assert [score for _, score in boxes["a"]] == [0.9, 0.6]
    assert boxes["b"] == boxes["c"] == []
    items = subject_items(_sample("a"), boxes)
    np.testing.assert_array_equal(items[0].subject.box, [5, 5, 9, 9])
    assert subject_items(_sample("b"), boxes) == []


def test_a_results_file_is_read_by_image_id_or_by_file_name(tmp_path):
    entry = {"image_id": 139, "file_name": "a.jpg", "category_id": 1, "bbox": [1.5, 2.0, 9.75, 20.0], "score": 0.9}
    (tmp_path / "found.json").write_text(json.dumps([entry]))
    by_id = read_detections(tmp_path / "found.json", {"a.jpg": 139, "b.jpg": 5})
    for found in (by_id, read_boxes(tmp_path / "found.json")):
        np.testing.assert_allclose(found["a.jpg"][0][0], [1.5, 2.0, 11.25, 22.0])
        assert found["a.jpg"][0][1] == 0.9
    assert by_id["b.jpg"] == []


def test_reading_filters_and_sorts(tmp_path):
    entries = [
        {"image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5], "score": 0.3},
        {"image_id": 1, "category_id": 1, "bbox": [0, 0, 6, 6], "score": 0.8},
        {"image_id": 1, "category_id": 2, "bbox": [0, 0, 7, 7], "score": 0.9},
        {"image_id": 1, "category_id": 1, "bbox": [0, 0, 0, 7], "score": 0.9},
        {"image_id": 77, "category_id": 1, "bbox": [0, 0, 7, 7], "score": 0.9},
        {"file_name": "a", "bbox": [0, 0, 8, 8], "score": 0.5},
    ]
    (tmp_path / "d.json").write_text(json.dumps(entries))
    found = read_detections(tmp_path / "d.json", {"a": 1})
    assert [score for _, score in found["a"]] == [0.8, 0.5, 0.3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "a detections file is a json list"),
        ([{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 1}, {"image_id": 1, "bbox": [1]}], "entry 1 is no detection"),
        ([{"image_id": 1, "bbox": [1, 2, 3, 4]}], "entry 0 is no detection: KeyError\\('score'\\)"),
        ([3], "entry 0 is no detection"),
        ([{"image_id": 9, "bbox": [1, 2, 3, 4], "score": 1}], "none of the detections is about an image"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, content, message):
    (tmp_path / "d.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        read_detections(tmp_path / "d.json", {"a": 1})


def test_a_poses_score_is_the_boxs_times_that_of_the_sure_keypoints():
    confidence = np.zeros(17)
    confidence[:2] = 0.4, 0.8
    confidence[5] = 0.2
    assert scored_by_box(_pose(np.zeros((17, 2)), confidence), 0.5).confidence == pytest.approx(0.5 * 0.6)
    assert scored_by_box(_pose(np.zeros((17, 2)), 0.1), 0.5).confidence == 0
    assert scored_by_box(_box(0, 0, 1, 1), 0.5).confidence == 0.5


def test_of_poses_that_nearly_agree_the_best_is_kept():
    points = np.random.default_rng(0).uniform(10, 90, (17, 2))
    best, near, far = _pose(points, 1, score=0.9), _pose(points + 0.3, 1, score=0.8), _pose(points + 30, 1, score=0.7)
    kept = distinct_poses([far, near, best], SIGMAS)
    assert [one.confidence for one in kept] == [0.9, 0.7]


def test_detected_boxes_score_as_pycocotools_scores_them(tmp_path):
    """Several boxes per image, images without people, people without boxes: a file of results gives the same AP."""
    rng = np.random.default_rng(4)
    metric, predictions, ids = CocoOks(COCO_17), [], {}
    images, annotations = [], []
    for number in range(1, 13):
        truths = []
        for _ in range(rng.integers(0, 4)):
            points = rng.uniform(10, 90, (17, 2))
            low, high = points.min(0), points.max(0)
            truths.append(_pose(points, 1, (*low, *high)))
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": 0, "num_keypoints": 17,
                    "bbox": [*low, *(high - low)], "area": float(np.prod(high - low)),
                    "keypoints": np.column_stack([points - 0.5, np.full(17, 2)]).ravel().tolist(),
                }
            )  # fmt: skip
        sample = _sample(f"{number}.jpg", tuple(truths))
        images.append({"id": number, "height": 100, "width": 120})
        ids[sample.key] = number
        found = [*truths[: rng.integers(0, 4)], *truths[:1]][: rng.integers(0, 4)]
        answers, scores = [], []
        for truth in found:
            points = truth.keypoints.points + rng.normal(0, rng.uniform(0, 6), (17, 2))
            answers.append(Prediction(sample.key, sample.size, (_pose(points, rng.uniform(0, 1, 17), truth.box),)))
            scores.append(float(rng.uniform(0.1, 1)))
        prediction = detected_prediction(sample, answers, scores, SIGMAS)
        predictions.append(prediction)
        metric.update(prediction, Item((sample,)))
    truth = COCO()
    truth.dataset = {
        "images": images, "annotations": annotations, "info": {},
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.keypoints), "skeleton": []}],
    }  # fmt: skip
    truth.createIndex()
    evaluation = COCOeval(truth, truth.loadRes(coco_results(predictions, ids)), "keypoints")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    parts = metric.compute()[0].parts
    expected = dict(zip(("AP", "AP50", "AP75"), evaluation.stats[:3], strict=True))
    assert 0.05 < expected["AP"] < 0.95
    for name, value in expected.items():
        assert parts[name] == pytest.approx(value, abs=1e-6)
