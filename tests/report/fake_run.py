"""A run folder as training and evaluation would leave it, with synthetic images and made-up but plausible numbers."""

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gensight.engine.card import FORMAT_VERSION
from gensight.files.atomic import write_json, write_text
from gensight.files.images import write_image

KEYPOINTS = ("snout", "leftear", "rightear", "tailbase")
EDGES = ((0, 1), (0, 2), (1, 3), (2, 3))
SIZE = (240, 320)
MODELS = {"readout": 4.0, "random-weights": 14.0, "mean-position": 70.0, "scratch": 7.0}

CONFIG = """\
name: {name}
description: Four points on a synthetic mouse, read out of a frozen backbone.
seed: 0
data: {{kind: deeplabcut, root: data/openfield}}
view: {{size: [240, 320], crop: frame}}
encoding: {{kind: heatmap, skeleton: data}}
backbone: {{kind: tiny, trainable: frozen}}
method: {{kind: readout}}
"""


def write_fake_run(
    folder: Path, name: str = "mouse", num_items: int = 30, seed: int = 0, keypoints: tuple[str, ...] = KEYPOINTS
) -> Path:
    """Writes a whole run folder; `keypoints` renames the four keypoints."""
    rng = np.random.default_rng(seed)
    truths = [_mouse(rng) for _ in range(num_items)]
    errors = {model: rng.normal(0, sigma, (num_items, 4, 2)) for model, sigma in MODELS.items()}
    errors["readout"][0] *= 12  # one clear failure
    write_text(folder / "config.yaml", CONFIG.format(name=name))
    write_json(folder / "model" / "card.json", _card(name))
    _write_log(folder / "log" / "metrics.csv", rng)
    write_json(folder / "metrics.json", _metrics(errors, keypoints))
    items = []
    for index, truth in enumerate(truths):
        picture = f"pictures/{index:04d}.jpg"
        write_image(folder / picture, _draw(truth, rng))
        items.append(_item(index, picture, truth, errors["readout"][index], rng))
    skeleton = {"name": "mouse", "keypoints": list(keypoints), "edges": [list(edge) for edge in EDGES]}
    write_json(folder / "predictions.json", {"skeleton": skeleton, "items": items})
    return folder


def _mouse(rng: np.random.Generator) -> Any:
    """Four points, (4, 2), of a mouse about 60 px long."""
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    body = np.array([[30.0, 0], [18, -9], [18, 9], [-30, 0]])
    return body @ turn + rng.uniform([60, 60], [260, 180])


def _draw(points: Any, rng: np.random.Generator) -> Any:
    image = np.full((*SIZE, 3), (196, 190, 180), dtype=np.uint8)
    for _ in range(40):
        x, y = rng.integers(0, SIZE[1]), rng.integers(0, SIZE[0])
        cv2.circle(image, (int(x), int(y)), int(rng.integers(4, 30)), tuple(map(int, rng.integers(165, 215, 3))), -1)
    head, tail = points[1:3].mean(0), points[3]
    centre = tuple(np.rint((head + tail) / 2).astype(int).tolist())
    angle = float(np.rad2deg(np.arctan2(*(head - tail)[::-1])))
    cv2.ellipse(image, centre, (28, 14), angle, 0, 360, (60, 55, 52), -1, cv2.LINE_AA)
    for ear in points[1:3]:
        cv2.circle(image, tuple(np.rint(ear).astype(int).tolist()), 6, (120, 95, 95), -1, cv2.LINE_AA)
    cv2.line(
        image, tuple(np.rint(head).astype(int)), tuple(np.rint(points[0]).astype(int)), (60, 55, 52), 9, cv2.LINE_AA
    )
    noise = rng.normal(0, 5, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _item(index: int, picture: str, truth: Any, error: Any, rng: np.random.Generator) -> dict[str, Any]:
    visibility = np.where(rng.uniform(size=4) < 0.15, 2, 3)
    distances: list[float | None] = np.linalg.norm(error, axis=1).tolist()
    labels: list[list[float | None]] = [[*point, int(v)] for point, v in zip(truth.tolist(), visibility, strict=True)]
    if index % 9 == 5:
        labels[3], distances[3] = [None, None, 0], None
    predicted = [[*point, float(rng.uniform(0.5, 1))] for point in (truth + error).tolist()]
    return {
        "sample_key": f"m4s1/img{index:04d}.png",
        "item_key": f"m4s1/img{index:04d}.png|0",
        "image": picture,
        "size": list(SIZE),
        "instances": [{"category": "mouse", "confidence": 0.9, "box": None, "keypoints": predicted}],
        "truth": [{"keypoints": labels, "box": None}],
        "error_px": distances,
    }


def _metrics(errors: dict[str, Any], keypoints: tuple[str, ...]) -> dict[str, Any]:
    distances = {model: np.linalg.norm(error, axis=-1) for model, error in errors.items()}
    scores: list[dict[str, Any]] = [
        {"model": model, "results": [_pixels("mean-px", of, keypoints, np.mean), _pck(of, keypoints)]}
        for model, of in distances.items()
    ]
    scores[-1]["cost"] = {"parameters_trained": 480_000, "training_minutes": 4.0, "hardware": "2 CPU cores"}
    differences = []
    for baseline in ("random-weights", "mean-position", "scratch"):
        gap = distances["readout"].mean(1) - distances[baseline].mean(1)
        spread = 1.96 * gap.std() / np.sqrt(len(gap))
        interval = [gap.mean() - spread, gap.mean() + spread]
        entry = {
            "protocol": "mean-px",
            "model": "readout",
            "baseline": baseline,
            "unit": "px",
            "higher_is_better": False,
        }
        differences.append({**entry, "value": gap.mean(), "interval": interval})
    cost = {"images_per_second": 21.4, "peak_memory_bytes": 1.3e9}
    return {"split": "test", "scores": scores, "differences": differences, "cost": cost}


def _pixels(protocol: str, distances: Any, keypoints: tuple[str, ...], average: Any) -> dict[str, Any]:
    spread = 1.96 * distances.mean(1).std() / np.sqrt(len(distances))
    value = average(distances)
    return {
        "protocol": protocol,
        "value": value,
        "interval": [value - spread, value + spread],
        "higher_is_better": False,
        "unit": "px",
        "num_images": len(distances),
        "parts": dict(zip(keypoints, average(distances, axis=0), strict=True)),
        "rows": [
            {"sample_key": str(row), "errors": {name: [of[k]] for k, name in enumerate(keypoints)}}
            for row, of in enumerate(distances)
        ],
        "notes": ["3 groups of images were resampled"],
    }


def _pck(distances: Any, keypoints: tuple[str, ...]) -> dict[str, Any]:
    correct = distances < 12
    value, spread = correct.mean(), 1.96 * correct.mean(1).std() / np.sqrt(len(correct))
    return {
        "protocol": "pck-box@0.10",
        "value": value,
        "interval": [max(value - spread, 0), min(value + spread, 1)],
        "higher_is_better": True,
        "unit": "%",
        "num_images": len(distances),
        "parts": dict(zip(keypoints, correct.mean(0), strict=True)),
        "rows": [],
    }


def _card(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "method": "readout",
        "format_version": FORMAT_VERSION,
        "backbone": {"kind": "tiny", "id": "tiny", "fingerprint": "5f0c9a1be2d34c77"},
        "skeleton": None,
        "calibration": [1.0, 0.0],
        "threshold": 0.5,
        "num_parameters_trained": 1_234_567,
        "hardware": "2 CPU cores, 16 GB",
        "training_minutes": 8.4,
        "steps": 1200,
        "best_step": 1000,
        "versions": {"gensight": "0.1.0", "torch": "2.13.0"},
    }


def _write_log(path: Path, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "time", "loss", "learning_rate", "validation_loss", "validation_mean-px"])
        for step in range(0, 1200, 5):
            loss = 0.02 + 0.5 * np.exp(-step / 150) * rng.uniform(0.7, 1.3)
            checks = ["", ""] if step % 100 else [0.03 + 0.5 * np.exp(-step / 160), 5 + 60 * np.exp(-step / 200)]
            writer.writerow([step, step * 0.4, loss if step else "nan", 1e-3, *checks])
