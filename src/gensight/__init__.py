"""gensight: read keypoints, depth, masks and more out of generative image models."""

__version__ = "0.1.0"
