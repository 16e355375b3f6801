"""Reader + items + transforms + encoding -> Batch.

- `views.py`: which part of an image an item's view shows (whole frame, padded box, stretched box).
- `memory.py`: decoded images kept in memory, as many as fit.
- `cases.py`: `Cases`, one reader's items with their views, images and targets; `collate` stacks them into a Batch.
- `draws.py`: which item is drawn at which step. The batch of step s depends on (seed, s) alone, so a resumed run draws
  what the uninterrupted one would have drawn, and the state to save is the step.
- `stream.py`: `BatchStream`, the endless stream of training batches, with workers; `test_batches`, each item once.
"""
