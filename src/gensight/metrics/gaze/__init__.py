"""Gaze scores by protocol, and their exact areas under the ROC curve."""
