"""What the command line and Python users call: plain arguments in, paths and results out; nothing is printed.

- `train.py`, `evaluate.py`, `predict.py`, `match.py`, `export.py`, `report.py`, `study.py`, `probe.py`: runs.
- `pretrain.py`, `import_weights.py`, `editor.py`: models.
- `data/`: a recipe for the user's own data (`init`), data sets, pools of instructions, labelling by teachers.
- `guidance/`, `landmarks.py`: `gensight guide` and `gensight landmarks`.
- `recipes.py`, `doctor.py`: what there is, and whether it is in order.
"""
