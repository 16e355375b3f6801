"""Training mathematics on top of diffusers' schedulers: only what they lack.

- `noise.py`: noise and timesteps that belong to an item: drawn from (seed, step, item), whatever stands beside it.
- `targets.py`: what a network predicts (epsilon, v, x0), the x0 that it stands for, and Min-SNR weights.
"""
