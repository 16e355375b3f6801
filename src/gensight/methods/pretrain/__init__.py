"""Pretraining: images without labels become a small latent text-to-image model that readouts can read.

- `architecture.py`: the networks, as ordinary diffusers and transformers modules with fresh weights.
- `tokenizer.py`: the words, those of `words.txt` and of captions, each of them one token.
- `autoencoder.py`, `denoiser.py`: the two methods, `AutoencoderMethod` and `DenoiserMethod`.
- `pool.py`, `latents.py`: what they learn from, computed once and kept on disk.
- `pipeline.py`: the folder to start from; the card and the pictures of the one that is written.

`gensight.assembly.pretraining` makes trainings of a recipe, and `gensight.verbs.pretrain` runs them.
"""
