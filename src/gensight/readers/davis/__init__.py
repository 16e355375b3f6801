"""DAVIS: frames of short videos with the mask of each object; reader and writer."""
