"""SPair-71k: pairs of images with common keypoints; reader and writer."""
