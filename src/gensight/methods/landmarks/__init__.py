"""Landmarks without labels: a subject's parts from its own video (Dundar et al., arXiv 2001.09518), written anew.

- `parts.py`: landmarks as Gaussians: read off maps, rendered, pooled over, painted.
- `networks.py`: U-Nets, the SPADE decoder, patch discriminators; `model.py`: the landmark model made of them.
- `perception.py`: spaces in which reconstructions are compared; VGG-19.
- `jitter.py`: random colours and draws by an item's key; `separation_loss.py`: equivariance, separation and adversarial
  losses; `Adversary`. `spade.py`: normalisation that is modulated by maps.
- `method.py`: `Landmarks`, the Method.
- `regression.py`: linear regression from landmarks to keypoints; `keypoints.py`: `LandmarkKeypoints`, the Method that
  predicts with it.
"""
