"""Readout heads: a small network reads a target out of a backbone's features (Luo et al., CVPR 2024).

- `model.py`: `ReadoutHead`, aggregation and one map head per output.
- `loss.py`: the masked losses.
- `method.py`: `Readout`, backbone + head as a Method.
"""
