"""Targets that relate images: correspondence, appearance, pairs for landmarks; matching, triplets, frame pairs."""
