"""Labels as annotation tools save them: one reader, and a small parser for each tool's files.

- `records`: what every parser makes of its files: images, and shapes or subjects in them.
- `subjects`: from loose shapes (points, boxes, outlines) to subjects with keypoints.
- `sleap`, `yolo`, `cvat`, `json_tools` (labelme, VIA, Label Studio), `points_csv`: the parsers.
- `formats`: all of them by name, and how their files are recognised; `reader`: Samples from what they read.

Adding a format: a function from (root, files) to a `LabelSet`; an entry in `formats.FORMATS`, with how a file of it is
recognised; its kind in `config/data/keypoints.py`; a row in docs/own-data.md; a layout in tests/readers/label_files.
"""
