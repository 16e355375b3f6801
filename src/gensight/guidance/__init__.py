"""Steering a sampler with trained readouts (Luo et al., "Readout Guidance", CVPR 2024, section 4).

At each guided step the readouts of the noisy latent are compared with a goal, and the latent is moved against the
gradient of the difference before the sampler's own step.

- `heads.py`: `GuidingHead`, one trained readout as a function of features; which runs can guide.
- `goals.py`: the guidance targets: a control map, dragged points, a reference's appearance.
- `steering.py`: the moves of one step: gradient, normalisation, weight, memory.
- `sampling.py`: the sampler's loop, with or without goals; latents and pictures of every step.
- `controls.py`: pictures, drags and boxes of the user; `options.py`: settings as the command line gives them, and the
  presets `gensight` and `published`.
- `carrying.py`: noisy latents copied from the handles of a drag to its targets; `pipelines.py`: steers a diffusers
  pipeline.
- `inversion.py`: a real image as a trajectory of latents (DDIM inversion).
- `targets.py`: the targets of a run of `gensight guide`, as goals of each batch; `scores.py`: how near images are to
  them, by independent evaluators; `pictures.py`: sheets and films.

Adding a goal:
1. Subclass `Goal` in `goals.py`; its `error` gives one number per image, differentiable in the features.
2. State in `heads.py` which type of output it uses.
3. Build it in `targets.py` from the user's options, refusing options that do not fit; score it in `scores.py`.
4. Test that one step of steering lowers it (in `tests/guidance/`).
"""
