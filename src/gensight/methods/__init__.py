"""Methods: ways of learning, each `Batch` -> losses and `Batch` -> outputs.

- `base`: `Method`, the contract; `loss`: `Loss`, a term as its sum, count and weight, and how processes share them.
- `gaze/`: gaze targets, by three methods.
- `readout/`: a small head reads a target out of a backbone's features.
- `landmarks/`: a subject's parts, found by redrawing one frame in the pose of another; without labels, with one or two
  optimizer groups; and keypoints fitted to them.
- `instruct/`: an image and an instruction become a painted answer; the multi-step model and the one-step model.
- `classifier/`: the class of the whole image, by one linear layer on a backbone's pooled features.
- `pretrain/`: an autoencoder and a denoiser learn from images without labels; what `gensight pretrain` trains.

Adding a method:
1. Make a folder `methods/NAME/` with `NAME/model.py` (networks), `NAME/loss.py` (one function per formula) and
   `NAME/method.py`.
2. Subclass `Method` with plain keyword arguments; draw all noise from the batch's keys (`diffusion/noise.py`). Two
   `optimizer_groups` take turns in each step, each with an optimiser, a schedule and a clipping of its own.
3. Give what is sampled its own `sampling`, and let `predict`'s argument change it for one call. Trainings that come
   before the method's own are its `stages`; it has no loop of its own.
4. Refuse outputs or backbones that it cannot work with in `__init__`, naming both sides (ConfigError).
5. Write its config class, a `MethodSection` that states which encodings it takes and what it needs of the recipe
   (`check`), add it to `Method` in `config/schema.py`, and its `case` to `build_method` in `assembly/methods.py`;
   forbid it the other methods in `pyproject.toml` (import-linter).
6. Add its first losses to `tests/golden/`, its small case to `tests/methods/test_loss.py`, and a train-kill-resume test
   like `tests/engine/test_fit.py`.
7. Write a recipe that opens with its command, cost, expected score, and whether it was run.
"""

from gensight.methods.base import Method

__all__ = ["Method"]
