"""Recipes: the typed, torch-free description of a run.

- `schema.py`: `RunConfig`, the recipe of `gensight train`; `data/`: its `data` section; `encodings/`, `gaze.py`,
  `instruct.py`, `landmarks.py`, `classifier.py`: sections of targets and methods.
- `pretrain.py`, `study.py`: the recipes of `gensight pretrain` and `gensight study`.
- `loading/`: recipes found, read, overridden, checked and written; mistakes in the recipe's own words.
- `recipes/`: the recipes that come with the package; each opens with its command, cost and expected score.

A section with kinds (`data`, `backbone` ...) is a union of models tagged by `kind`. A new kind is a new model in the
union, with every field described, and a new case in `assembly/`, the only place where a `kind` becomes a class.
"""
