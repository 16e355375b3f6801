"""Many pictures on one sheet."""

from collections.abc import Sequence

import cv2
import numpy as np

from gensight.drawing import canvas as draw
from gensight.drawing.palette import INK
from gensight.errors import DataError
from gensight.geometry import scaling, warp_image
from gensight.samples import Array, Size, View

_PAPER = (255, 255, 255)
_LETTERBOX = (236, 236, 238)


def contact_sheet(
    images: Sequence[Array], columns: int, captions: Sequence[str] = (), tile: Size | None = None, gap: int = 8
) -> Array:
    """Pictures in rows on white paper, each with its caption below.

    Args:
        images: uint8 RGB or grey, of any sizes; each is scaled to fit its tile, aspect kept.
        columns: Pictures per row, >= 1.
        captions: One line per picture, shortened in the middle to the tile's width. Or none.
        tile: (height, width) of the room for each picture; by default that of the largest height and width.
        gap: Pixels between tiles and around the sheet.

    Returns:
        uint8 RGB (height, width, 3).

    Raises:
        DataError: No images, fewer columns than one, or another number of captions.
    """
    if not images:
        raise DataError("a contact sheet needs at least one picture")
    if columns < 1:
        raise DataError(f"a contact sheet needs at least one column, got {columns}")
    if len(captions) not in (0, len(images)):
        raise DataError(f"{len(captions)} captions for {len(images)} pictures", hint="pass one for each, or none")
    pictures = [draw.as_canvas(image) for image in images]
    if tile is None:
        tile = (max(p.shape[0] for p in pictures), max(p.shape[1] for p in pictures))
    letters = max(11, round(tile[1] / 24))
    strip = round(1.7 * letters) if captions else 0
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    size = (gap + rows * (tile[0] + strip + gap), gap + columns * (tile[1] + gap), 3)
    sheet = np.full(size, _PAPER, dtype=np.uint8)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        top, left = gap + row * (tile[0] + strip + gap), gap + column * (tile[1] + gap)
        sheet[top : top + tile[0], left : left + tile[1]] = _fitted(picture, tile)
        if captions:
            region = sheet[top + tile[0] : top + tile[0] + strip, left : left + tile[1]]
            caption = draw.shorten(captions[index], tile[1], letters)
            draw.label(region, caption, np.array([0.0, 0.15 * letters]), INK, None, letters)
    return sheet


def _fitted(picture: Array, tile: Size) -> Array:
    """The picture scaled to fit the tile, centred."""
    height, width = picture.shape[:2]
    scale = min(tile[0] / height, tile[1] / width)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    if size != (height, width):
        matrix = scaling(size[1] / width, size[0] / height)
        picture = warp_image(picture, View((height, width), size, matrix))
    top, left = (tile[0] - size[0]) // 2, (tile[1] - size[1]) // 2
    pads = (top, tile[0] - size[0] - top, left, tile[1] - size[1] - left)
    return cv2.copyMakeBorder(picture, *pads, cv2.BORDER_CONSTANT, value=_LETTERBOX)
