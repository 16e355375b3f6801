"""Reader + items + transforms + encoding -> Batch.

- `views.py`: which part of an image an item's view shows (whole frame, padded box, stretched box); `gaze_views.py`,
  `landmark_views.py`: those of scenes with heads, and of pairs of frames.
- `image_memory.py`: decoded images kept in memory, as many as fit.
- `cases.py`: `Cases`, one reader's items with their views, images and targets; `collate` stacks them into a Batch.
- `draw_order.py`: which items each step gets. The batch of step s depends on (seed, s) alone, so a resumed run gets
  the same batches as an uninterrupted one, and the state to save is the step.
- `stream.py`: `Batches`, where a training's batches come from: of cases (`CaseBatches`, with loader processes) or of
  numbered items (`IndexedBatches`); `each_once`, for testing.
"""
