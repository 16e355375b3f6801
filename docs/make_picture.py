"""The picture of the README: overlays of a run's test images, from its result files.

python docs/make_picture.py runs/demo docs/demo.png
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from gensight.drawing import contact_sheet
from gensight.files.images import write_image
from gensight.report.pictures import draw_item
from gensight.report.results import read_run

COLUMNS, ROWS, TILE = 6, 2, 256


def main(folder: Path, out: Path) -> None:
    run = read_run(folder)
    items = run.predictions.items if run.predictions is not None else []
    step = max(1, len(items) // (COLUMNS * ROWS))
    overlays = [draw_item(run, item) for item in items[::step][: COLUMNS * ROWS]]
    tiles = [cv2.resize(picture, (TILE, TILE), interpolation=cv2.INTER_AREA) for picture in overlays]
    write_image(out, np.asarray(contact_sheet(tiles, COLUMNS)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
