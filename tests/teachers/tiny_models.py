"""Tiny models of every family that teachers know, with random weights, in folders as `save_pretrained` writes them."""

import json
from pathlib import Path
from typing import Any

import torch
import transformers as t

FAMILIES = {
    "pose": ("vitpose", "vitpose-experts"),
    "depth": ("dpt", "depth-anything", "depth-anything-metric", "zoedepth"),
    "detect": ("detr", "rt-detr", "rt-detr-v2", "rf-detr"),
    "masks": ("sam", "sam-hq", "sam2", "sam2-video"),
    "caption": ("blip", "blip-2"),
}
CATEGORIES = {0: "person", 1: "cat"}
_HALF = [0.5, 0.5, 0.5]


def save_tiny(family: str, folder: Path) -> Path:
    """A folder with the family's tiny model and its preprocessing file."""
    torch.manual_seed(0)
    model, preprocessing = _BUILDERS[family]()
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing))
    if family == "sam2-video":  # published SAM 2 folders call themselves so
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "model_type": "sam2_video"}))
    if family.startswith("blip"):
        _tokenizer(family).save_pretrained(folder)
    return folder


def _vitpose(num_experts: int = 1) -> tuple[Any, dict[str, Any]]:
    backbone = t.VitPoseBackboneConfig(
        image_size=[64, 48], patch_size=[16, 16], hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        mlp_ratio=2, num_experts=num_experts, part_features=8, out_indices=[2],
    )  # fmt: skip
    config = t.VitPoseConfig(backbone_config=backbone, num_labels=17, use_simple_decoder=True)
    size = {"height": 64, "width": 48}
    return t.VitPoseForPoseEstimation(config), {"size": size, "image_mean": _HALF, "image_std": _HALF}


def _dpt() -> tuple[Any, dict[str, Any]]:
    config = t.DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
        reassemble_factors=[4, 2, 1, 0.5], is_hybrid=False, num_channels=3,
    )  # fmt: skip
    size = {"height": 32, "width": 32}
    return t.DPTForDepthEstimation(config), {"size": size, "image_mean": _HALF, "image_std": _HALF, "resample": 3}


def _depth_anything(kind: str = "relative") -> tuple[Any, dict[str, Any]]:
    backbone = t.Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, mlp_ratio=2, image_size=28, patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"], apply_layernorm=True, reshape_hidden_states=False,
    )  # fmt: skip
    config = t.DepthAnythingConfig(
        backbone_config=backbone, patch_size=14, reassemble_hidden_size=16, reassemble_factors=[4, 2, 1, 0.5],
        neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, head_hidden_size=4, depth_estimation_type=kind,
        max_depth=20 if kind == "metric" else 1,
    )  # fmt: skip
    return t.DepthAnythingForDepthEstimation(config), {
        "size": {"height": 28, "width": 28}, "keep_aspect_ratio": True, "ensure_multiple_of": 14, "resample": 3,
        "image_mean": _HALF, "image_std": _HALF,
    }  # fmt: skip


def _zoedepth() -> tuple[Any, dict[str, Any]]:
    backbone = t.BeitConfig(
        image_size=64, patch_size=16, hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16,
        out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False,
        use_absolute_position_embeddings=False, use_relative_position_bias=True,
        use_shared_relative_position_bias=False,
    )  # fmt: skip
    config = t.ZoeDepthConfig(
        backbone_config=backbone, backbone_hidden_size=16, reassemble_factors=[4, 2, 1, 0.5],
        neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, bottleneck_features=8, num_relative_features=8,
        num_attractors=[4, 2, 1, 1], bin_embedding_dim=8, num_patch_transformer_layers=1,
        patch_transformer_hidden_size=8, patch_transformer_intermediate_size=8, patch_transformer_num_attention_heads=2,
        bin_configurations=[{"name": "indoor", "n_bins": 8, "min_depth": 0.001, "max_depth": 10.0}],
    )  # fmt: skip
    return t.ZoeDepthForDepthEstimation(config), {
        "size": {"height": 64, "width": 64}, "keep_aspect_ratio": True, "ensure_multiple_of": 32, "resample": 2,
        "image_mean": _HALF, "image_std": _HALF, "do_pad": True,
    }  # fmt: skip


_RESNET = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "layer_type": "basic"}


def _detr() -> tuple[Any, dict[str, Any]]:
    backbone = t.ResNetConfig(**_RESNET, out_features=["stage4"])
    config = t.DetrConfig(
        use_timm_backbone=False, backbone=None, backbone_config=backbone, use_pretrained_backbone=False, d_model=16,
        encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16,
        decoder_ffn_dim=16, num_queries=5, id2label=CATEGORIES,
    )  # fmt: skip
    size = {"shortest_edge": 48, "longest_edge": 80}
    return t.DetrForObjectDetection(config), {"size": size, "image_mean": _HALF, "image_std": _HALF, "do_pad": True}


def _rt_detr(second: bool = False) -> tuple[Any, dict[str, Any]]:
    kinds = (t.RTDetrV2Config, t.RTDetrV2ForObjectDetection) if second else (t.RTDetrConfig, t.RTDetrForObjectDetection)
    backbone = t.RTDetrResNetConfig(**_RESNET, out_features=["stage2", "stage3", "stage4"])
    config = kinds[0](
        backbone_config=backbone, encoder_hidden_dim=16, encoder_in_channels=[8, 16, 16], feat_strides=[8, 16, 32],
        encoder_layers=1, encoder_ffn_dim=16, encoder_attention_heads=2, d_model=16, num_queries=5,
        decoder_in_channels=[16, 16, 16], decoder_ffn_dim=16, decoder_layers=2, decoder_attention_heads=2,
        num_denoising=0, id2label=CATEGORIES, hidden_expansion=0.5,
    )  # fmt: skip
    return kinds[1](config), {"size": {"height": 64, "width": 64}, "do_normalize": False}


def _rf_detr() -> tuple[Any, dict[str, Any]]:
    backbone = t.RfDetrDinov2Config(
        image_size=56, patch_size=14, hidden_size=16, num_hidden_layers=4, num_attention_heads=2, mlp_ratio=2,
        num_windows=2, out_features=["stage2", "stage4"], num_register_tokens=0, reshape_hidden_states=True,
    )  # fmt: skip
    config = t.RfDetrConfig(
        backbone_config=backbone, d_model=16, num_queries=5, group_detr=1, decoder_layers=1, decoder_ffn_dim=16,
        decoder_self_attention_heads=2, decoder_cross_attention_heads=2, decoder_n_points=2, id2label=CATEGORIES,
        hidden_expansion=0.5, c2f_num_blocks=1,
    )  # fmt: skip
    size = {"height": 56, "width": 56}
    return t.RfDetrForObjectDetection(config), {"size": size, "image_mean": _HALF, "image_std": _HALF}


_PROMPTS = {"hidden_size": 16, "image_size": 64, "patch_size": 16, "mask_input_channels": 4}
_DECODER = {"hidden_size": 16, "mlp_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "iou_head_hidden_dim": 16, "iou_head_depth": 2}  # fmt: skip
_PAD = {"size": {"longest_edge": 64}, "do_pad": True, "pad_size": {"height": 64, "width": 64}, "image_mean": _HALF,
        "image_std": _HALF}  # fmt: skip


def _sam(hq: bool = False) -> tuple[Any, dict[str, Any]]:
    vision = {
        "hidden_size": 16, "output_channels": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64,
        "patch_size": 16, "mlp_dim": 16, "window_size": 2, "global_attn_indexes": [1], "num_pos_feats": 8,
    }  # fmt: skip
    kind, decoder = (t.SamHQConfig, {**_DECODER, "vit_dim": 16}) if hq else (t.SamConfig, _DECODER)
    prompts = {**_PROMPTS, "image_embedding_size": 4}
    config = kind(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder)
    return (t.SamHQModel if hq else t.SamModel)(config), _PAD


def _sam2() -> tuple[Any, dict[str, Any]]:
    backbone = {
        "hidden_size": 8, "num_attention_heads": 1, "image_size": [64, 64], "patch_kernel_size": [7, 7],
        "patch_stride": [4, 4], "patch_padding": [3, 3], "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64], "num_attention_heads_per_stage": [1, 1, 2, 2],
        "window_size_per_stage": [4, 4, 4, 2], "global_attention_blocks": [3],
        "window_positional_embedding_background_size": [2, 2], "model_type": "sam2_hiera_det_model",
    }  # fmt: skip
    vision = {
        "backbone_config": backbone, "backbone_channel_list": [64, 32, 16, 8], "fpn_hidden_size": 32,
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
    }  # fmt: skip
    prompts, decoder = {**_PROMPTS, "hidden_size": 32}, {**_DECODER, "hidden_size": 32}
    config = t.Sam2Config(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder)
    size = {"height": 64, "width": 64}
    return t.Sam2Model(config), {"size": size, "image_mean": _HALF, "image_std": _HALF}


_TEXT = {"vocab_size": 12, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
_VISION = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
           "image_size": 32, "patch_size": 16}  # fmt: skip


def _blip() -> tuple[Any, dict[str, Any]]:
    text = {**_TEXT, "encoder_hidden_size": 16, "projection_dim": 16, "bos_token_id": 1, "sep_token_id": 3,
            "pad_token_id": 0, "eos_token_id": 3, "max_position_embeddings": 32}  # fmt: skip
    config = t.BlipConfig(text_config=text, vision_config=_VISION, projection_dim=16)
    size = {"height": 32, "width": 32}
    return t.BlipForConditionalGeneration(config), {"size": size, "image_mean": _HALF, "image_std": _HALF}


def _blip2() -> tuple[Any, dict[str, Any]]:
    text = {"model_type": "opt", "vocab_size": 12, "hidden_size": 16, "num_hidden_layers": 1, "ffn_dim": 16,
            "num_attention_heads": 2, "word_embed_proj_dim": 16, "max_position_embeddings": 64, "bos_token_id": 1,
            "eos_token_id": 3, "pad_token_id": 0}  # fmt: skip
    former = {**_TEXT, "encoder_hidden_size": 16}
    config = t.Blip2Config(
        vision_config=_VISION, qformer_config=former, text_config=text, num_query_tokens=4, image_token_index=11
    )
    size = {"height": 32, "width": 32}
    return t.Blip2ForConditionalGeneration(config), {"size": size, "image_mean": _HALF, "image_std": _HALF}


def _tokenizer(family: str) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["[PAD]", "[BOS]", "[UNK]", "[SEP]", "a", "cat", "dog", "on", "the", "red", "mat", "<image>"]
    own = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    return t.PreTrainedTokenizerFast(
        tokenizer_object=own, pad_token="[PAD]", bos_token="[BOS]", unk_token="[UNK]", sep_token="[SEP]"
    )


_BUILDERS = {
    "vitpose": _vitpose,
    "vitpose-experts": lambda: _vitpose(3),
    "dpt": _dpt,
    "depth-anything": _depth_anything,
    "depth-anything-metric": lambda: _depth_anything("metric"),
    "zoedepth": _zoedepth,
    "detr": _detr,
    "rt-detr": _rt_detr,
    "rt-detr-v2": lambda: _rt_detr(True),
    "rf-detr": _rf_detr,
    "sam": _sam,
    "sam-hq": lambda: _sam(True),
    "sam2": _sam2,
    "sam2-video": _sam2,
    "blip": _blip,
    "blip-2": _blip2,
}
