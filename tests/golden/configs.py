"""The architectures behind the golden files, as published config.json files hold them.

"published" is the real Kandinsky 2.1; "a" and "b" are small ones that differ wherever code could take one number for
another. Both sides of the comparison, and the script that makes the golden files, build from these.
"""

from __future__ import annotations

from typing import Any

Configs = dict[str, dict[str, Any]]

CLIP_TEXT: Configs = {
    "published": {
        "attention_dropout": 0.0,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "hidden_act": "quick_gelu",
        "hidden_size": 768,
        "intermediate_size": 3072,
        "layer_norm_eps": 1e-05,
        "max_position_embeddings": 77,
        "model_type": "clip_text_model",
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "pad_token_id": 1,
        "projection_dim": 768,
        "vocab_size": 49408,
    },
    # The end of a text is its highest id, whatever eos_token_id 2 says.
    "a": {
        "eos_token_id": 2,
        "hidden_size": 32,
        "intermediate_size": 69,
        "max_position_embeddings": 77,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "projection_dim": 24,
        "vocab_size": 99,
    },
    # The end of a text is eos_token_id, though higher ids may stand before it.
    "b": {
        "eos_token_id": 57,
        "hidden_act": "quick_gelu",
        "hidden_size": 48,
        "intermediate_size": 96,
        "layer_norm_eps": 1e-3,
        "max_position_embeddings": 16,
        "num_attention_heads": 3,
        "num_hidden_layers": 3,
        "projection_dim": 40,
        "vocab_size": 61,
    },
}

CLIP_VISION: Configs = {
    "published": {
        "attention_dropout": 0.0,
        "hidden_act": "quick_gelu",
        "hidden_size": 1024,
        "image_size": 224,
        "intermediate_size": 4096,
        "layer_norm_eps": 1e-05,
        "model_type": "clip_vision_model",
        "num_attention_heads": 16,
        "num_channels": 3,
        "num_hidden_layers": 24,
        "patch_size": 14,
        "projection_dim": 768,
    },
    "a": {
        "hidden_size": 32,
        "image_size": 56,
        "intermediate_size": 80,
        "num_attention_heads": 4,
        "num_hidden_layers": 3,
        "patch_size": 14,
        "projection_dim": 24,
    },
    # The picture is not a whole number of patches.
    "b": {
        "hidden_act": "quick_gelu",
        "hidden_size": 48,
        "image_size": 30,
        "intermediate_size": 64,
        "layer_norm_eps": 1e-3,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "patch_size": 8,
        "projection_dim": 40,
    },
}

MULTILINGUAL_CLIP: Configs = {
    "published": {
        "attention_probs_dropout_prob": 0.1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "layer_norm_eps": 1e-05,
        "max_position_embeddings": 514,
        "modelBase": "xlm-roberta-large",
        "model_type": "M-CLIP",
        "numDims": 768,
        "num_attention_heads": 16,
        "num_hidden_layers": 24,
        "output_past": True,
        "pad_token_id": 1,
        "position_embedding_type": "absolute",
        "transformerDimensions": 1024,
        "type_vocab_size": 1,
        "use_cache": True,
        "vocab_size": 250002,
    },
    "a": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "max_position_embeddings": 24,
        "numDims": 24,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "transformerDimensions": 32,
        "type_vocab_size": 1,
        "vocab_size": 97,
    },
    "b": {
        "hidden_act": "gelu",
        "hidden_size": 48,
        "intermediate_size": 80,
        "layer_norm_eps": 1e-3,
        "max_position_embeddings": 13,
        "numDims": 56,
        "num_attention_heads": 2,
        "num_hidden_layers": 3,
        "pad_token_id": 3,
        "transformerDimensions": 48,
        "type_vocab_size": 2,
        "vocab_size": 65,
    },
}

PRIOR: Configs = {
    "published": {
        "_class_name": "PriorTransformer",
        "added_emb_type": "prd",
        "additional_embeddings": 4,
        "attention_head_dim": 64,
        "clip_embed_dim": None,
        "dropout": 0.0,
        "embedding_dim": 768,
        "embedding_proj_dim": None,
        "embedding_proj_norm_type": None,
        "encoder_hid_proj_type": "linear",
        "norm_in_type": None,
        "num_attention_heads": 32,
        "num_embeddings": 77,
        "num_layers": 20,
        "time_embed_act_fn": "silu",
        "time_embed_dim": None,
    },
    "a": {
        "attention_head_dim": 16,
        "embedding_dim": 24,
        "num_attention_heads": 2,
        "num_embeddings": 77,
        "num_layers": 2,
    },
    "b": {
        "additional_embeddings": 4,
        "attention_head_dim": 8,
        "embedding_dim": 40,
        "num_attention_heads": 5,
        "num_embeddings": 16,
        "num_layers": 3,
        "time_embed_dim": 40,
    },
}
