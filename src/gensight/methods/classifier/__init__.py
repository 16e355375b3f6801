"""The class of the whole image, by a backbone and one linear layer: the specialist that generalists are measured by.

- `method.py`: `Classifier`, and its loss. On a ResNet or ViT of the transformers library it is their own classifier;
  on a frozen backbone of any kind, a linear probe.
"""
