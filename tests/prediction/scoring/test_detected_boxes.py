"""Keypoints scored on detected boxes and beside a teacher; people found by a detector before a run."""

import json
from pathlib import Path

import pytest

from gensight.config.schema import RunConfig
from gensight.errors import ConfigError, DataError
from gensight.readers.coco.reader import CocoReader
from gensight.readers.coco.writer import write_coco
from gensight.readers.puppets import PuppetsReader
from gensight.verbs.evaluate import evaluate
from gensight.verbs.predict import predict
from gensight.verbs.train import train
from tests.teachers.tiny_models import save_tiny
from tests.verbs.small_recipe import small_recipe


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("coco")
    write_coco(PuppetsReader(5, seed=3, size=(64, 64)), root)
    return root


def recipe(root: Path, **changes: object) -> RunConfig:
    part = {"images": "images", "annotations": "annotations.json"}
    data = {"kind": "coco", "root": str(root), "train": part, "test": part, "validation_share": 0.2}
    return small_recipe(root, data=data, **changes)


def test_detected_boxes_and_a_teacher_stand_beside_the_true_boxes(coco: Path, tmp_path: Path) -> None:
    teacher = f"teacher:{save_tiny('vitpose', tmp_path / 'vitpose')}"
    config = recipe(coco, evaluation={"protocols": ["coco-oks"], "baselines": ["mean-position", teacher]})
    run = train(config, tmp_path / "run", "cpu")
    reader = CocoReader(coco / "images", coco / "annotations.json")
    boxes = [(sample.key, one.box) for sample in reader for one in sample.instances or () if one.box is not None]
    found = [
        {"image_id": reader.image_ids[key], "category_id": 1, "bbox": [x0, y0, x1 - x0, y1 - y0], "score": 0.9}
        for key, (x0, y0, x1, y1) in ((key, box.tolist()) for key, box in boxes)
    ]
    (tmp_path / "detections.json").write_text(json.dumps(found))
    evaluate(run, device="cpu", detections=tmp_path / "detections.json")
    scores = json.loads((run / "metrics.json").read_text())["scores"]
    assert [entry["model"] for entry in scores] == ["readout", "mean-position", teacher]
    for entry in scores:
        plain, detected = entry["results"]
        assert detected["protocol"] == f"{plain['protocol']} (detected boxes)"
        # The boxes are the true ones, so only the poses that nearly agree are fewer.
        assert detected["value"] == pytest.approx(plain["value"], abs=0.1)


def test_a_file_about_other_images_is_refused(coco: Path, tmp_path: Path) -> None:
    run = train(recipe(coco, evaluation={"protocols": ["mean-px"], "baselines": []}), tmp_path / "run", "cpu")
    (tmp_path / "d.json").write_text('[{"image_id": 999, "bbox": [1, 2, 3, 4], "score": 1, "category_id": 1}]')
    with pytest.raises(DataError):
        evaluate(run, device="cpu", detections=tmp_path / "d.json")
    puppets = train(
        small_recipe(tmp_path, evaluation={"protocols": ["mean-px"], "baselines": []}), tmp_path / "p", "cpu"
    )
    with pytest.raises(ConfigError, match="scored on COCO keypoint data"):
        evaluate(puppets, device="cpu", detections=tmp_path / "d.json")


def test_a_detector_finds_the_people_first(coco: Path, tmp_path: Path) -> None:
    detector = f"detect:{save_tiny('detr', tmp_path / 'detr')}"
    config = recipe(coco, evaluation={"protocols": ["mean-px"], "baselines": []})
    run = train(config, tmp_path / "run", "cpu")
    folder = predict(run, coco / "images", tmp_path / "out", "cpu", detector=detector, detector_threshold=0.0)
    assert len(json.loads((folder / "images.json").read_text())["images"]) == 5
    assert len(list((folder / "openpose").rglob("*.json"))) == 5
    with pytest.raises(ConfigError, match="from a file or from a detector"):
        predict(run, coco / "images", tmp_path / "out", "cpu", boxes=coco / "annotations.json", detector=detector)
