"""Targets: what is predicted of an image, and how it is laid out in tensors. Encode and decode in one class.

- `base`: `Encoding`, the contract, and `OutputSpec`.
- `heatmap`, `pose_image`, `points`: keypoints as one Gaussian map each, as a drawn skeleton, as numbers.
- `depth`, `edge_image`, `surface_normals`: `DepthMap`, `DepthImage`, `EdgeImage`, `SurfaceNormals`.
- `gaze`: `GazeMap`, where a person looks.
- `class_label`: `ClassLabel`, the class of the whole image as one probability per class.
- `painted/`: masks, boxes, depth, classes and drawings as RGB pictures, chosen by an instruction.
- `pairs/`: targets that relate images: correspondence, appearance, landmark pairs.
- `joint`: `Joint`, several of them on one backbone pass.
- `peaks`: where a map's peak lies: `argmax`, `dark`, `soft_argmax`; `grids`: grids of a stride; `panels`: pictures of
  predictions beside their truth.

Adding an encoding:
1. Write `encodings/NAME.py` with a subclass of `Encoding`; its docstring states the bound of encode -> decode. `items`
   selects the samples that have the labels it needs; every target has a `NAME_weight`, 0 where nothing is labelled.
   Coordinates go through `gensight.geometry` only, and `view.mirrored` is honoured in both directions (and in
   `mirror`).
2. Decode to a field of `Prediction`, or to a map whose `ScoreMap.kind` states how it is shown and written; draw `panel`
   for the report.
3. Write its section in `config/encodings/`, with its facts (`EncodingFacts`: truths, protocols, baselines, files ...),
   and add it to a union in `config/encodings/__init__.py`. A new protocol's name goes to `config/protocols.py`, its
   metric to a file in `metrics/`, and its case to `assembly/metrics.py`.
4. Add its case to `_build_part` in `assembly/encodings.py`.
5. Test it with a subclass of `tests/contracts/encoding.py::EncodingContract` (three methods to fill in).
6. Name it in the list above, in the table of `config/encodings/__init__.py`, and in a recipe.
"""

from gensight.encodings.base import Encoding, OutputSpec
from gensight.encodings.heatmap import Heatmap, fit_calibration

__all__ = ["Encoding", "Heatmap", "OutputSpec", "fit_calibration"]
