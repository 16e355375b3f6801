"""What several readers share: lists of names, class and label maps, annotators of gaze, checks."""
