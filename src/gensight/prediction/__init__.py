"""A trained run applied to images, folders and videos.

- `predictor.py`: `Predictor`, a method and an encoding as one function from cases to predictions.
- `baselines.py`: predictors that look at nothing, for comparison.
- `trained_run.py`: `TrainedRun`, what `gensight.load` gives.
- `sources.py`: images, folders and videos of the user as items.
- `outputs.py`: COCO results, DeepLabCut-style csv, overlays, overlaid video.
"""
