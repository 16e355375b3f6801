"""Colour and depth: RGB-D folders, NYU Depth V2, SUN RGB-D; geometry of the two cameras."""
