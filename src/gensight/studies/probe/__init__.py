"""What each layer of a backbone knows at each noise level, by ridge regression."""
