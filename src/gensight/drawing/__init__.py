"""Pictures of samples and predictions: numpy in, numpy out.

Every function takes a uint8 image (RGB (height, width, 3), or grey), leaves it as it is and returns a new RGB one.
Widths and letters grow with the image; left and right differ for colour-blind eyes too; what cannot be drawn (NaN,
far outside) is left out.

- `overlay`: a prediction on its image, with the ground truth beside it where it is known. Start here.
- `draw_keypoints`: filled dots and limbs; ground truth as rings, errors as lines between the two.
- `draw_names`: the names of keypoints beside their dots.
- `draw_boxes`, `draw_masks`, `draw_gaze`: subjects.
- `draw_depth`, `draw_heatmaps`: maps in perceptually even colours.
- `map_picture`: a map that is a picture already.
- `draw_matches`: two images side by side, the same points in one colour. `draw_drags`: points and where they go.
- `closeup`: an image, its prediction and truth, cropped and enlarged together, before drawing.
- `contact_sheet`: many pictures with captions on one.

Adding a drawing of a new prediction field:
1. Write `draw_<field>(image, <field>, ...)` in a file of this folder; begin with `canvas.as_canvas`, which copies.
2. Take widths from `canvas.unit` and colours from `palette`; paint with the functions of `canvas`, which blend.
3. Call it in `overlay`, below whatever should stay on top, and map its coordinates in `closeup`.
4. Name it here, and add it to the list in `tests/drawing/test_contract.py`.
"""

from gensight.drawing.closeup import closeup
from gensight.drawing.keypoints import draw_keypoints
from gensight.drawing.maps import draw_depth, draw_heatmaps, map_picture
from gensight.drawing.matches import draw_drags, draw_matches
from gensight.drawing.names import draw_names
from gensight.drawing.overlay import overlay
from gensight.drawing.regions import draw_boxes, draw_gaze, draw_masks
from gensight.drawing.sheet import contact_sheet

__all__ = [
    "closeup",
    "contact_sheet",
    "draw_boxes",
    "draw_depth",
    "draw_drags",
    "draw_gaze",
    "draw_heatmaps",
    "draw_keypoints",
    "draw_masks",
    "draw_matches",
    "draw_names",
    "map_picture",
    "overlay",
]
