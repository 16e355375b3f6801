"""The project's own data sets: images with the labels of teachers (docs/dataset-format.md)."""
