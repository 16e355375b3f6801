"""One model for several tasks, told in words what to paint (Gan et al., "InstructCV", ICLR 2024).

- `editor.py`: `Editor`, a latent diffusion model that sees an image beside its noisy latent (Brooks et al.,
  "InstructPix2Pix", CVPR 2023): U-Net calls, three-branch guidance, samplers, and the folder that diffusers loads.
- `method.py`: `Instruct`, what is common: instructions in other words, and what is taught beside the answers.
- `many_steps.py`: `ManySteps`, trained at all noise levels with three dropouts.
- `one_step.py`: `OneStep`, trained end to end in pixels; `losses.py`: what its pixels are taught by.
- `text_pretraining.py`: the text encoder alone, before all else; `visible_classes.py`: what an image shows, whatever
  the instruction.
"""
