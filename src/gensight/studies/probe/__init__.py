"""How well each layer of a backbone predicts a target at each noise level, by ridge regression."""
