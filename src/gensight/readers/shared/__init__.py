"""Shared by several readers: lists of names, class and label maps, annotators of gaze, checks."""
