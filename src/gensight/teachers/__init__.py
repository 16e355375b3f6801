"""Teachers: existing models, classical algorithms and trained runs that label images and videos (pseudo-labels).

- `base`: `Teacher` and `Labels`, what every teacher is and gives; "Adding a teacher".
- `choose`: teachers by name.
- `edges`, `tracks`, `variants`, `run`: an edge detector, point trackers, SDEdit, a trained run. `catalogue` lists those
  that are models of the transformers library: `pose`, `depth`, `masks`, `detection`, `captions`, upon `pretrained`.
- `job`: the labelling job. `sources`: what is labelled; `names`: teachers that are called alike; `labeller`: a teacher
  at work on one batch; `shards`: work in progress on disk; `assembly`: from finished work to the data set;
  `ray_engine`: the same on a cluster.
- `contact_sheet`: a page to judge labels by. docs/dataset-format.md describes the data sets.
"""
