"""What the command line and Python users call: one file per verb, plain arguments in, paths and results out.

- `train.py`, `evaluate.py`, `predict.py`, `report.py`, `pretrain.py`: the runs.
- `evaluate_models.py`, `probe.py`, `study.py`: other models, layers and many runs compared.
- `match.py`, `predict_instruct.py`; `guidance/`, `landmarks/`: what some runs can do besides.
- `data/`: `init.py`, a recipe for the user's own data, having looked at it; `datasets.py`, `annotate.py` and others.
- `editor.py`, `import_weights.py`, `export.py`: runs to and from other formats.
- `recipes.py`, `doctor.py`: what there is, and whether it is in order.
"""
