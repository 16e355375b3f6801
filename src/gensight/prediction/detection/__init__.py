"""Where the subjects are: boxes from a file or a detector, heads from a keypoint run."""
