"""Backbones: pretrained models as feature extractors, and what a cached feature's key is.

- `base`: `Backbone`, the contract; `Layer`, one map that it can give; `Features`, its output.
- `diffusion`: `load_diffusion`, any diffusers text-to-image folder or hub id of the SD 1.x, 2.x and XL families;
  `load_tiny`, the one that comes with the package.
- `pretrained`, `pipeline_folder`: reading and writing such a folder; `capture`: hooks on a U-Net; `text`: prompts.
- `hub`: what a path or a hub id names, and reading it quietly; `presets`: what comes with the package.
- `scratch`: `ScratchEncoder`, a small network without any pretraining: the honest baseline.
- `imagenet`: `ImagenetEncoder`, a small classifier's encoder from the package index.
- `transformers_encoder`: `load_transformers`, image encoders of the transformers library, by folder or hub id: DINOv2,
  DINOv3, SigLIP2, ConvNeXt, ResNet, ViT. A further family is a row of its `FAMILIES`.
- `transformers_models`: finding and loading models of that library.
- `single_file`: editors as published in one file.
- `cache`: features of a frozen backbone, kept on disk.

Adding a backbone:
1. Write `backbones/NAME.py` with a subclass of `Backbone`; its module docstring states, with numbers, what it returns.
2. Fill `layers`, `stride`, `time_channels` and `trainable` in `__init__`, read from the model, never from a name.
3. Return maps at their native resolution from `features`, differentiable, and all that they depend on in `fingerprint`.
4. Raise RunError where weights are missing or damaged, saying how to get them.
5. Add its config class, a `BackboneSection`, to `Backbone` in `config/schema.py`, and its `case` to `build_backbone`.
6. Test it with a subclass of `tests/contracts/backbone.py::BackboneContract` (one method to fill in).
"""

from gensight.backbones.base import Backbone, Features, Layer

__all__ = ["Backbone", "Features", "Layer"]
