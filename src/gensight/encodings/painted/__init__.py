"""Predictions painted as images: masks, boxes, depth, classes, skeletons and edges, chosen by an instruction."""
