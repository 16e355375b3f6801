"""Readout heads: a small network reads a target out of a backbone's features (Luo et al., CVPR 2024).

- `model.py`: `ReadoutHead`, aggregation and one map head per output.
- `loss.py`: what each kind of output is taught by; `descriptors.py`: the losses between images.
- `method.py`: `Readout`, backbone + heads as a Method.
"""
