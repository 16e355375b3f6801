"""Learning-free baselines: what a score is worth is seen beside them."""
