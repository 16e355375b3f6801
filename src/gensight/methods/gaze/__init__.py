"""Gaze targets, by three methods; all take a scene and the close-up of a head.

- `frozen.py`: `FrozenGaze`, a few transformer layers on a backbone's features with the head as a prompt (Gaze-LLE).
- `diffusion.py`: `DiffusionGaze`, a U-Net that denoises the heatmap under cross-attention to both images.
- `convolutional.py`: `ConvolutionalGaze`, one shot from the same encoders (Chong et al., CVPR 2020).
- `encoders.py`: the scene and head encoders of the last two.
- `prompts.py`: where the head is; `directions.py`: which way it is turned. `losses.py`: terms that all share.
"""
