"""Baselines without a trained network, reported beside every score."""
