"""Predictions on disk: one writer per kind of output, and the writer that drives them."""
