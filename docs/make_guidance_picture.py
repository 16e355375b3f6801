"""The picture of docs/guidance.md: images without guidance, then images of the same noise with guidance.

python docs/make_guidance_picture.py docs/guidance/guided.jpg TARGET FOLDER [TARGET FOLDER ...]    # of gensight guide
"""

import sys
from pathlib import Path

import numpy as np

from gensight.drawing import contact_sheet
from gensight.files.images import read_image, write_image

SEEDS, TILE = (0, 6, 12, 18, 24, 30, 36), 128


def main(out: Path, pairs: list[tuple[Path, Path]]) -> None:
    blank = np.full((TILE, TILE, 3), 255, np.uint8)
    tiles = [blank, *(read_image(pairs[0][1] / f"unguided-{seed}.png") for seed in SEEDS)]
    for target, folder in pairs:
        tiles += [read_image(target), *(read_image(folder / f"guided-{seed}.png") for seed in SEEDS)]
    write_image(out, np.asarray(contact_sheet(tiles, len(SEEDS) + 1, tile=(TILE, TILE))))


if __name__ == "__main__":
    given = [Path(text) for text in sys.argv[2:]]
    main(Path(sys.argv[1]), list(zip(given[::2], given[1::2], strict=True)))
