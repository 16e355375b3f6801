"""Training mathematics on top of diffusers' schedulers: only what they lack.

- `noise.py`: noise and timesteps that belong to an item: drawn from (seed, step, item), independent of the batch.
- `targets.py`: what a network predicts (epsilon, v, x0), and the x0 that it stands for.
- `schedules.py`: linear and cosine schedules, with zero terminal SNR by choice.
- `weighting.py`: weights of noise levels, in the right form for each target, and what must not be combined.
- `variational.py`: learned variances, the hybrid and the KL loss.
- `sampling.py`: the one sampling loop, samplers by name, what a user sets of them; input scaling, normalisation.
"""
