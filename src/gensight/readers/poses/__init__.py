"""Tables of keypoints without images, one file per format: what predictions are written as, and what others load.

- `table`: `PoseTable`, what each format is read to and written from, frame by frame.
- `deeplabcut`: csv and h5 of DeepLabCut's layout. `sleap_analysis`: SLEAP's analysis h5. `coco`: a keypoint json.
- `parquet`: a row per keypoint. `nwb`: Neurodata Without Borders, with ndx-pose.
- `formats`: all of them by name and by suffix.
"""
