"""Prompts -> what a U-Net of the SD 1.x, 2.x or XL family is conditioned on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class TextEmbedding:
    """Embedded prompts.

    Attributes:
        tokens: (batch, tokens, channels), what cross-attention reads.
        pooled: (batch, channels), SDXL's summary of the prompt; None for SD 1.x and 2.x.
    """

    tokens: Tensor
    pooled: Tensor | None = None

    def expand(self, batch: int) -> "TextEmbedding":
        """One prompt repeated for a whole batch, without copying."""
        pooled = None if self.pooled is None else self.pooled.expand(batch, -1)
        return TextEmbedding(self.tokens.expand(batch, -1, -1), pooled)


def embed_each(
    prompts: Sequence[str], tokenizers: Sequence[Any], encoders: Sequence[nn.Module], device: torch.device
) -> Tensor:
    """(batch, tokens, channels): what cross-attention reads, each distinct prompt embedded once."""
    distinct = list(dict.fromkeys(prompts))
    known = embed_prompts(distinct, tokenizers, encoders, device).tokens
    return known[torch.tensor([distinct.index(prompt) for prompt in prompts], device=known.device)]


def embed_prompts(
    prompts: Sequence[str], tokenizers: Sequence[Any], encoders: Sequence[nn.Module], device: torch.device
) -> TextEmbedding:
    """Embeds prompts as diffusers' own pipelines do; long ones are cut to the encoder's length.

    One encoder gives its last hidden state (SD 1.x and 2.x). Two give their next to last, concatenated, and the second
    one's projected summary (Podell et al., "SDXL", 2023, section 2.1).
    """
    tokens, pooled = [], None
    for tokenizer, encoder in zip(tokenizers, encoders, strict=True):
        encoded = tokenizer(
            list(prompts),
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        masked = getattr(encoder.config, "use_attention_mask", False)
        output = encoder(
            encoded.input_ids.to(device),
            attention_mask=encoded.attention_mask.to(device) if masked else None,
            output_hidden_states=len(encoders) > 1,
        )
        if len(encoders) == 1:
            tokens.append(output.last_hidden_state)
        else:
            tokens.append(output.hidden_states[-2])
            pooled = getattr(output, "text_embeds", None)
    return TextEmbedding(torch.cat(tokens, dim=-1), pooled)
