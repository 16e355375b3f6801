"""Pretraining: images without labels become a small latent text-to-image model that readouts can read.

- `architecture.py`: the networks, as ordinary diffusers and transformers modules with fresh weights.
- `vocabulary.py`, `tokenizer.py`: the words, each of them one token.
- `autoencoder.py`, `denoiser.py`: the two methods, `AutoencoderMethod` and `DenoiserMethod`.
- `pool.py`, `latents.py`: what they learn from, computed once and kept on disk.
- `training.py`: the loop that both share, resumable to the same weights.
- `pipeline.py`: the diffusers folder, its card and its pictures.

`gensight.verbs.pretrain` puts them together.
"""
