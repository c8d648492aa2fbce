"""Small architectures of the UNet and of MoVQ, and the published full-size ones, in the form of a config.json."""

from __future__ import annotations

from typing import Any

_UNET: dict[str, Any] = {
    "_class_name": "UNet2DConditionModel",
    "act_fn": "silu",
    "addition_embed_type": "text_image",
    "addition_embed_type_num_heads": 64,
    "center_input_sample": False,
    "class_embed_type": None,
    "encoder_hid_dim_type": "text_image_proj",
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "resnet_time_scale_shift": "scale_shift",
    "sample_size": 64,
    "time_embedding_type": "positional",
}

UNET_TWO_LEVELS = {
    **_UNET,
    "in_channels": 4,
    "out_channels": 8,
    "block_out_channels": [32, 64],
    "down_block_types": ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"],
    "up_block_types": ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"],
    "layers_per_block": 1,
    "attention_head_dim": 8,
    "cross_attention_dim": 24,
    "encoder_hid_dim": 40,
    "norm_num_groups": 32,
    # norm_eps is left out: 1e-5
}

# Inpainting; attention at full resolution too on the way down, and none at one lower level on the way up.
UNET_THREE_LEVELS = {
    **_UNET,
    "in_channels": 9,
    "out_channels": 4,
    "block_out_channels": [16, 48, 32],
    "down_block_types": ["SimpleCrossAttnDownBlock2D", "ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"],
    "up_block_types": ["SimpleCrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"],
    "layers_per_block": 2,
    "attention_head_dim": 16,
    "cross_attention_dim": 20,
    "encoder_hid_dim": 12,
    "norm_num_groups": 8,
    "norm_eps": 1e-3,
}

UNET_FULL = {
    **_UNET,
    "in_channels": 4,
    "out_channels": 8,
    "block_out_channels": [384, 768, 1152, 1536],
    "down_block_types": ["ResnetDownsampleBlock2D"] + ["SimpleCrossAttnDownBlock2D"] * 3,
    "up_block_types": ["SimpleCrossAttnUpBlock2D"] * 3 + ["ResnetUpsampleBlock2D"],
    "layers_per_block": 3,
    "attention_head_dim": 64,
    "cross_attention_dim": 768,
    "encoder_hid_dim": 1024,
    "norm_num_groups": 32,
    "norm_eps": 1e-05,
    "class_embeddings_concat": False,
    "conv_in_kernel": 3,
    "conv_out_kernel": 3,
    "cross_attention_norm": None,
    "downsample_padding": 1,
    "dual_cross_attention": False,
    "mid_block_only_cross_attention": None,
    "mid_block_scale_factor": 1,
    "num_class_embeds": None,
    "only_cross_attention": False,
    "projection_class_embeddings_input_dim": None,
    "resnet_out_scale_factor": 1.0,
    "resnet_skip_time_act": False,
    "time_cond_proj_dim": None,
    "time_embedding_act_fn": None,
    "time_embedding_dim": None,
    "timestep_post_act": None,
    "upcast_attention": False,
    "use_linear_projection": False,
}

_MOVQ: dict[str, Any] = {
    "_class_name": "VQModel",
    "act_fn": "silu",
    "in_channels": 3,
    "latent_channels": 4,
    "norm_type": "spatial",
    "out_channels": 3,
    "sample_size": 32,
    "scaling_factor": 0.18215,
    "vq_embed_dim": 4,
}

MOVQ_TWO_LEVELS = {
    **_MOVQ,
    "block_out_channels": [32, 64],
    "down_block_types": ["DownEncoderBlock2D", "AttnDownEncoderBlock2D"],
    "up_block_types": ["AttnUpDecoderBlock2D", "UpDecoderBlock2D"],
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "num_vq_embeddings": 12,
}

MOVQ_THREE_LEVELS = {
    **_MOVQ,
    "latent_channels": 6,
    "vq_embed_dim": None,
    "block_out_channels": [32, 32, 96],
    "down_block_types": ["DownEncoderBlock2D", "AttnDownEncoderBlock2D", "DownEncoderBlock2D"],
    "up_block_types": ["UpDecoderBlock2D", "AttnUpDecoderBlock2D", "UpDecoderBlock2D"],
    "layers_per_block": 2,
    "num_vq_embeddings": 33,
    "norm_num_groups": 32,
}

MOVQ_FULL = {
    **_MOVQ,
    "block_out_channels": [128, 256, 256, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 3 + ["AttnDownEncoderBlock2D"],
    "up_block_types": ["AttnUpDecoderBlock2D"] + ["UpDecoderBlock2D"] * 3,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "num_vq_embeddings": 16384,
}
