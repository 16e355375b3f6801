"""What the command line and Python users call: one file per verb, plain arguments in, paths and results out.

- `train.py`, `evaluate.py`, `predict.py`, `ask.py`, `match.py`, `report.py`, `pretrain.py`: the runs.
- `init.py`: a recipe for the user's own data, having looked at it.
- `recipes.py`, `datasets.py`, `doctor.py`: what there is, and whether it is in order.
"""
