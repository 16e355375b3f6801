"""One model for several tasks, told in words what to paint (Gan et al., "InstructCV", ICLR 2024).

- `editor.py`: `Editor`, a latent diffusion model that sees an image beside its noisy latent (Brooks et al.,
  "InstructPix2Pix", CVPR 2023): U-Net calls, three-branch guidance, samplers, and the folder that diffusers loads.
- `method.py`: `Instruct`, trained at all noise levels with three dropouts, or in one step, end to end in pixels.
- `losses.py`: what the one step is taught by.
"""
