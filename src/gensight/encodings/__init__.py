"""Targets: what is asked of an image, and how the answer is laid out in tensors. Encode and decode in one class.

- `base`: `Encoding`, the contract, and `OutputSpec`.
- `heatmap`: `Heatmap`, keypoints as one Gaussian map each.
- `pose_image`, `skeleton_decoding`: a skeleton as a picture, and back. `points`: keypoints as numbers.
- `depth`, `edge_image`: depth and edges as maps. `gaze`: where somebody looks. `joint`: several encodings at once.
- `pairs/`: correspondence, appearance and landmarks, of two or three images.
- `painted/`: masks, boxes, depth, edges, skeletons and classes as pictures, for instructions.
- `class_label`: `ClassLabel`, the class of the whole image as one probability per class.
- `peaks`: where a map's peak lies: `argmax`, `dark`, `soft_argmax`. `calibration`: how outputs are read.

Adding an encoding:
1. Write `encodings/NAME.py` with a subclass of `Encoding`; its docstring states the bound of encode -> decode.
2. Say in `items` which samples can pose it, and give every target a `NAME_weight` that is 0 where nothing is labelled.
3. Take coordinates through `gensight.geometry` only, and honour `view.mirrored` in both directions.
4. Add its config class to `config/encodings.py` and its `case` to `assembly/encodings.py`.
5. Test it with a subclass of `tests/contracts/encoding.py::EncodingContract` (three methods to fill in).
6. Name it in the list above and in a recipe.
"""

from gensight.encodings.base import Encoding, OutputSpec
from gensight.encodings.heatmap import Heatmap, fit_calibration

__all__ = ["Encoding", "Heatmap", "OutputSpec", "fit_calibration"]
