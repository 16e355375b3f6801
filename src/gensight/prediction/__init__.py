"""A trained run applied to images, folders and videos: one way to answer.

- `request.py`: `Request`, what to predict about an image: the whole of it, boxes, heads, an instruction, or how another
  image compares. `instructions.py`, `pairs.py`, `sampling_choice.py` resolve its parts against a run.
- `predictor.py`: `Predictor`, requests about images -> predictions, batch by batch; `batch_predictor.py` below it, from
  batches to predictions; `merging.py`, the answers to one image's items as one.
- `trained_run.py`: `TrainedRun`, what `gensight.load` gives; `landmark_run.py`: a run of landmarks.
- `sources.py`, `pixels.py`: images, folders, videos, arrays and boxes of the user.
- `jobs.py`: several runs on several sources, task by task; `work.py`: what is done so far, on disk, so that a kill
  loses little; `shared_backbone.py`: runs on one backbone's pass.
- `exporting.py`: a run as ONNX networks.
- `outputs/`: one writer per kind of files, and the one rule for drawing predictions.
- `detection/`, `tracking/`: where subjects are. `scoring/`: predictions against their truth.
- `baselines/`: predictors without a trained model, for comparison.
"""
