"""Opening a COCO file of 118,000 images and 260,000 persons (generated): first, second, and against the json module.

Each side runs in a process of its own, so that its peak memory is its own. The images exist as empty files, since
opening looks whether they are there. Targets: first under 10 s and 1.5 GB, second under 1 s.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from gensight.readers.coco.reader import CocoReader
from gensight.skeletons import COCO_17

NUM_IMAGES, NUM_PERSONS, NUM_CORNERS = 118_000, 260_000, 30
MAX_FIRST, MAX_SECOND, MAX_MEGABYTES = 10.0, 1.0, 1500.0


def generate(root: Path) -> None:
    """Labels as long as the real ones: a polygon and 17 keypoints for each person, links and licences for images."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir()
    images = []
    for number in range(NUM_IMAGES):
        name = f"{number:012d}.jpg"
        (root / "images" / name).touch()
        images.append({"license": 3, "file_name": name, "coco_url": f"http://images.cocodataset.org/train2017/{name}",
                       "height": 480, "width": 640, "date_captured": "2013-11-14 11:18:45",
                       "flickr_url": f"http://farm9.staticflickr.com/8186/{name}", "id": number})  # fmt: skip
    category = {"supercategory": "person", "id": 1, "name": "person", "keypoints": COCO_17.keypoints,
                "skeleton": [[a + 1, b + 1] for a, b in COCO_17.edges]}  # fmt: skip
    with (root / "labels.json").open("w") as file:
        file.write('{"info": {}, "licenses": [], "images": ' + json.dumps(images) + ', "annotations": [')
        for number in range(NUM_PERSONS):
            flags = rng.integers(0, 3, 17)
            triples = np.stack([rng.integers(0, 640, 17), rng.integers(0, 480, 17), flags], axis=1)
            triples[flags == 0] = 0
            polygon = np.round(rng.uniform(0, 480, 2 * NUM_CORNERS), 2).tolist()
            entry = {"segmentation": [polygon], "num_keypoints": int((flags > 0).sum()), "area": 17376.91885,
                     "iscrowd": 0, "keypoints": triples.reshape(-1).tolist(), "image_id": number % NUM_IMAGES,
                     "bbox": [388.66, 69.92, 109.41, 277.62], "category_id": 1, "id": number}  # fmt: skip
            file.write((", " if number else "") + json.dumps(entry))
        file.write('], "categories": [' + json.dumps(category) + "]}")


def measure(side: str, root: Path) -> dict[str, float]:
    """Seconds to open, and the peak memory of this process in MB, libraries included."""
    begun = time.perf_counter()
    if side == "json":
        json.loads((root / "labels.json").read_bytes())
    else:
        reader = CocoReader(root / "images", root / "labels.json")
        assert len(reader) == NUM_IMAGES
        assert len(reader[-1].instances or ()) == NUM_PERSONS // NUM_IMAGES
    seconds = time.perf_counter() - begun
    unit = 1 if sys.platform == "darwin" else 1024
    return {"seconds": seconds, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6}


def main() -> int:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
        return 0
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        generate(root)
        print(f"file of {(root / 'labels.json').stat().st_size / 1e6:.0f} MB")
        environment = {**os.environ, "GENSIGHT_CACHE": str(root / "cache")}
        for side in ("first", "second", "json"):
            command = [sys.executable, __file__, side, folder]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            results[side] = json.loads(done.stdout)
            print(f"{side:7} {results[side]['seconds']:6.2f} s, peak {results[side]['megabytes']:5.0f} MB")
    first, second, plain = results["first"], results["second"], results["json"]
    met = first["seconds"] < MAX_FIRST and first["megabytes"] < MAX_MEGABYTES and second["seconds"] < MAX_SECOND
    print(f"COCO file, against the json module alone: first opening {first['seconds'] / plain['seconds']:.2f} x the "
          f"time and {first['megabytes'] / plain['megabytes']:.2f} x the memory, second "
          f"{second['seconds'] / plain['seconds']:.3f} x the time: {'met' if met else 'MISSED'}")  # fmt: skip
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
