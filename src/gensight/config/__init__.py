"""Recipes: the typed, torch-free description of a run.

- `schema.py`: `RunConfig`, the recipe of `gensight train`; `data/`: its `data` section; `pretrain.py`:
  `PretrainConfig`, the recipe of `gensight pretrain`.
- `loader.py`: `load_recipe(name_or_path, overrides)`, `load_pretrain_recipe`, `dump_config`, `list_recipes`.
- `recipes/`: the recipes that come with the package; each opens with its command, cost and expected score.

A section with kinds (`data`, `backbone` ...) is a union of models tagged by `kind`. A new kind is a new model in the
union, with every field described, and a new case in assembly/, which is the only place where a `kind` becomes a class.
"""
