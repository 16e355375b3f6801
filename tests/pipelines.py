"""Builders of text-to-image pipelines with random weights, saved in diffusers' folder format: tiny, or full-sized."""

import json
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

Family = Literal["sd", "xl"]


def save_pipeline(
    folder: Path, family: Family = "sd", *, full_size: bool = False, dtype: torch.dtype = torch.float32, seed: int = 0
) -> Path:
    """Saves a pipeline with random weights and returns its folder.

    The small ones have the families' block structure (12 decoder layers at strides 64 to 8, or 9 at 32 to 8) with 8 to
    32 channels; the full-sized ones are shaped like SD 1.5 and SDXL.
    """
    torch.manual_seed(seed)
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)  # initialise in the precision of the file: SDXL in float32 takes 10 GB
    try:
        parts = _sd_parts(full_size) if family == "sd" else _xl_parts(full_size)
    finally:
        torch.set_default_dtype(default)
    tokenizer = _tokenizer(folder.parent / f"{folder.name}_vocabulary", parts["vocab_size"])
    del parts["vocab_size"]
    if family == "sd":
        pipeline: Any = StableDiffusionPipeline(
            **parts, tokenizer=tokenizer, scheduler=_pndm(), safety_checker=None, feature_extractor=None,
            requires_safety_checker=False,
        )  # fmt: skip
    else:
        pipeline = StableDiffusionXLPipeline(**parts, tokenizer=tokenizer, tokenizer_2=tokenizer, scheduler=_euler())
    pipeline.save_pretrained(folder)
    return folder


def edit_json(path: Path, **changes: Any) -> None:
    """Changes top-level keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _sd_parts(full_size: bool) -> dict[str, Any]:
    width = 768 if full_size else 16
    unet = UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(320, 640, 1280, 1280) if full_size else (8, 16, 32, 32),
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=width,
        attention_head_dim=8 if full_size else 2,
        norm_num_groups=32 if full_size else 4,
    )
    text = _text_config(width, 12, 3072) if full_size else _text_config(width, 2, 32)
    return {
        "unet": unet,
        "vae": _vae(full_size, 0.18215),
        "text_encoder": CLIPTextModel(text),
        "vocab_size": text.vocab_size,
    }


def _xl_parts(full_size: bool) -> dict[str, Any]:
    widths = (768, 1280) if full_size else (16, 24)
    pooled = widths[1]
    time_width = 256 if full_size else 8
    unet = UNet2DConditionModel(
        sample_size=128,
        block_out_channels=(320, 640, 1280) if full_size else (8, 16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10) if full_size else 1,
        cross_attention_dim=sum(widths),
        attention_head_dim=(5, 10, 20) if full_size else 2,
        norm_num_groups=32 if full_size else 4,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=time_width,
        projection_class_embeddings_input_dim=pooled + 6 * time_width,
    )
    small = _text_config(widths[0], 12, 3072) if full_size else _text_config(widths[0], 2, 32)
    large = _text_config(widths[1], 32, 5120, pooled) if full_size else _text_config(widths[1], 2, 32, pooled)
    return {
        "unet": unet,
        "vae": _vae(full_size, 0.13025),
        "text_encoder": CLIPTextModel(small),
        "text_encoder_2": CLIPTextModelWithProjection(large),
        "vocab_size": small.vocab_size,
    }


def _vae(full_size: bool, scaling_factor: float) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512) if full_size else (4, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2 if full_size else 1,
        norm_num_groups=32 if full_size else 4,
        latent_channels=4,
        scaling_factor=scaling_factor,
    )


def _text_config(width: int, depth: int, inner: int, projection: int = 512) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=514 + 256,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=depth,
        num_attention_heads=max(1, width // 64) if width > 64 else 2,
        projection_dim=projection,
        eos_token_id=1,
        bos_token_id=0,
        pad_token_id=1,
    )


def _tokenizer(folder: Path, vocab_size: int) -> CLIPTokenizer:
    """Byte-level, without merges: every character is a token."""
    folder.mkdir(parents=True, exist_ok=True)
    printable = [chr(code) for code in range(33, 127)]
    tokens = ["<|startoftext|>", "<|endoftext|>", *printable, *(f"{character}</w>" for character in printable)]
    assert len(tokens) <= vocab_size
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), unk_token="<|endoftext|>", model_max_length=77
    )


def _schedule() -> dict[str, Any]:
    return {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


def _pndm() -> PNDMScheduler:
    return PNDMScheduler(**_schedule(), skip_prk_steps=True, set_alpha_to_one=False)


def _euler() -> EulerDiscreteScheduler:
    return EulerDiscreteScheduler(**_schedule(), timestep_spacing="leading")
