"""Answers painted as pictures: masks, boxes, depth, classes, skeletons and edges, asked for in words."""
