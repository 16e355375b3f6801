"""One instruction-following model for several tasks (Gan et al., "InstructCV", ICLR 2024).

- `editor.py`: `Editor`, a latent diffusion model that sees an image beside its noisy latent (Brooks et al.,
  "InstructPix2Pix", CVPR 2023): U-Net calls, three-branch guidance, and the folder that diffusers loads.
- `method.py`: `Instruct`, what both ways share: rephrased instructions, and auxiliary losses.
- `many_steps.py`: `ManySteps`, trained at all noise levels with three dropouts.
- `one_step.py`: `OneStep`, trained end to end in pixels; `losses.py`: its pixel losses.
- `text_pretraining.py`: the text encoder first; `visible_classes.py`: the classes in the image as an auxiliary target.
"""
