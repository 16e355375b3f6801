"""Teachers: existing models, classical algorithms and trained runs that label images and videos (pseudo-labels).

- `base`: `Teacher` and `Labels`, what every teacher is and gives; "Adding a teacher".
- `choose`: teachers by name; `names`: equal names.
- `models/`: pose, depth, masks, detection, captions, edges, tracks, SDEdit variants. `run`: a trained run.
- `labelling/`: the labelling job, from what is labelled to the finished data set and its contact sheet.
- `baseline`, `specialist`: a teacher scored as a run is.
"""
