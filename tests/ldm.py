"""Small editors in the layout of single-file checkpoints: what InstructPix2Pix and InstructCV publish."""

import re
from typing import Any

from torch import Tensor

_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
_UNET = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
}  # fmt: skip
_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def single_file_state(unet: Any, vae: Any, text_encoder: Any, average: float | None = None) -> dict[str, Tensor]:
    """The tensors of a pipeline under their original names; `average` adds averages of that factor."""
    per_block = unet.config.layers_per_block
    state = {f"model.diffusion_model.{_unet(name, per_block)}": one for name, one in unet.state_dict().items()}
    if average is not None:
        names = {name: "model_ema." + name.removeprefix("model.").replace(".", "") for name in state}
        state |= {names[name]: average * one for name, one in list(state.items())}
    for name, one in vae.state_dict().items():
        original = _vae(name, len(vae.config.up_block_types))
        flat = ".attn_1." in original and one.ndim == 2
        state[f"first_stage_model.{original}"] = one[..., None, None] if flat else one
    for name, one in text_encoder.state_dict().items():
        state[f"cond_stage_model.transformer.text_model.{name.removeprefix('text_model.')}"] = one
    return {name: one.clone() for name, one in state.items()}


def _unet(name: str, per_block: int) -> str:
    for new, old in _UNET.items():
        if name.startswith(f"{new}."):
            return name.replace(new, old, 1)
    found = re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.+)", name)
    if found:
        place = 1 if found[1] == "attentions" else 2 * int(found[2])
        return f"middle_block.{place}.{_inner(found[1], found[3])}"
    found = re.fullmatch(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.+)", name)
    assert found, name
    way, block, kind, layer, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
    first = block * (per_block + 1)
    if kind == "downsamplers":
        return f"input_blocks.{first + per_block + 1}.0.{rest.replace('conv', 'op', 1)}"
    if kind == "upsamplers":
        return f"output_blocks.{first + per_block}.{2 if block else 1}.{rest}"
    place = f"input_blocks.{first + 1 + layer}" if way == "down" else f"output_blocks.{first + layer}"
    return f"{place}.{1 if kind == 'attentions' else 0}.{_inner(kind, rest)}"


def _inner(kind: str, rest: str) -> str:
    if kind == "attentions":
        return rest
    part, _, last = rest.rpartition(".")
    return f"{_RESNET[part]}.{last}"


def _vae(name: str, num_blocks: int) -> str:
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}", name)
    name = re.sub(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    up = re.compile(r"up_blocks\.(\d)\.(resnets\.(\d)|upsamplers\.0)")
    name = up.sub(lambda found: f"up.{num_blocks - 1 - int(found[1])}."
                  + (f"block.{found[3]}" if found[3] else "upsample"), name)  # fmt: skip
    if "mid_block.attentions.0" in name:
        name = name.replace("mid_block.attentions.0", "mid.attn_1")
        for new, old in _ATTENTION.items():
            name = name.replace(f".{new}.", f".{old}.")
    return name
