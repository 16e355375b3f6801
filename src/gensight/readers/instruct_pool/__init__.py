"""Pooled instruction data sets: pairs of an image and a painted answer, each with an instruction."""
