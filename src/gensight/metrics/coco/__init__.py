"""COCO's own measures: average precision of boxes (`detection`) and of keypoints (`oks`), matching, results files."""
