"""Drags 50 synthetic people 16 pixels to the side, each in a picture of its own; reports how near they come.

python docs/measure_drags.py RUN EVALUATOR OUT [SCENES [WEIGHT]]       # 0-49; 0.02, or 0 for copied latents alone

RUN and EVALUATOR are correspondence runs (docs/guidance.md). The handles are the person's visible keypoints; they move
to the side where there is more room. Writes a folder for each scene, and sheet.png: pictures, unguided images, dragged.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np

from gensight.drawing import contact_sheet
from gensight.files.images import read_image, write_image
from gensight.guidance.options import seed_list
from gensight.guidance.sampling import ImageSampling
from gensight.guidance.scores import summarise
from gensight.guidance.steering import Steering
from gensight.guidance.targets import GuidanceTargets
from gensight.readers.puppets import PuppetsReader
from gensight.verbs.guide import guide, scores_text

SIDE, SHIFT, SEED = 128, 16, 4243
SHOWN = 14


def scenes(numbers: tuple[int, ...]) -> dict[int, tuple[np.ndarray, np.ndarray, int, str]]:
    """Number -> picture, handles (n, 2), signed shift, caption; of people who fill the picture's middle."""
    truths = ("keypoints", "boxes", "caption")
    reader = PuppetsReader(4000, SEED, (SIDE, SIDE), truths, num_subjects=(1, 1))
    found: dict[int, tuple[np.ndarray, np.ndarray, int, str]] = {}
    number = 0
    for index in range(len(reader)):
        if number > max(numbers):
            break
        sample = reader.sample(index)
        if len(sample.instances) != 1:
            continue
        [person] = sample.instances
        assert person.keypoints is not None
        assert person.box is not None
        left, top, right, bottom = person.box
        shift = SHIFT if left + right < SIDE else -SHIFT
        points = person.keypoints.points[person.keypoints.located & (person.keypoints.visibility == 2)]
        ends = np.concatenate([points, points + np.array([shift, 0])])
        big = 50 <= bottom - top <= 115 and right - left >= 14
        if not big or len(points) < 8 or left + shift < 2 or right + shift > SIDE - 2:
            continue
        if ends.min() >= 2 and ends.max() <= SIDE - 2:
            if number in numbers:
                found[number] = (sample.image(), points, shift, str(sample.caption))
            number += 1
    return found


def main(run: Path, evaluator: Path, out: Path, numbers: tuple[int, ...], weight: float) -> None:
    rows: list[dict[str, object]] = []
    shown: list[np.ndarray] = []
    for number, (picture, handles, shift, caption) in scenes(numbers).items():
        folder = out / f"{number:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        write_image(folder / "source.png", picture)
        drags = tuple(f"{x:.2f},{y:.2f}:{x + shift:.2f},{y:.2f}" for x, y in handles)
        targets = GuidanceTargets(source=folder / "source.png", drags=drags, carry=SIDE / 8)
        sampling = ImageSampling(caption, size=(SIDE, SIDE), steps=25, guidance_scale=1.0, eta=0.0, strength=0.5)
        steering = Steering(weight, "unit", share=1.0)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            guide([run], folder, targets, sampling, steering, film=False, evaluators=[evaluator])
        [row] = json.loads((folder / "guide.json").read_text())["images"]
        rows.append({**row, "seed": number})
        if len(shown) < 3 * SHOWN:
            shown += [picture, *(read_image(folder / f"{name}-0.png") for name in ("unguided", "guided"))]
        print(number, *(f"{value:.1f}" for value in next(iter(row["scores"].values()))), flush=True)
    print(scores_text(summarise(rows)).replace("seeds", "scenes"))
    by_row = shown[0::3] + shown[1::3] + shown[2::3]
    write_image(out / "sheet.png", np.asarray(contact_sheet(by_row, len(shown) // 3, tile=(SIDE, SIDE))))


if __name__ == "__main__":
    given = [*sys.argv[1:], *("0-49", "0.02")[len(sys.argv) - 4 :]]
    main(Path(given[0]), Path(given[1]), Path(given[2]), seed_list(given[3]), float(given[4]))
