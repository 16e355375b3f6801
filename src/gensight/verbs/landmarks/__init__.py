"""`gensight landmarks`: keypoints, tables and pictures from learned landmarks."""
