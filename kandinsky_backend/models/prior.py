"""The image prior: a transformer that predicts a picture's CLIP embedding from its text's, inside a diffusion loop.

Ramesh et al., 2022, arXiv:2204.06125 (section 2.2). Laid out as diffusers' prior_transformer.py, whose checkpoints
these are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from mindspore import Tensor, nn

from kandinsky_backend import ops
from kandinsky_backend.models.config import check_supported, size
from kandinsky_backend.models.layers import (
    LayerNorm,
    Linear,
    TimestepEmbedding,
    causal_mask,
    merge_heads,
    padding_mask,
    split_heads,
    timestep_sinusoid,
)
from kandinsky_backend.weights import Weights

IGNORED_KEYS: frozenset[str] = frozenset()  # the model takes all that checkpoints hold

# Behind the text tokens come the text embedding, the timestep, the noisy image embedding, and a learned token in whose
# place the prediction appears. No token sees a later one, so all up to the text embedding are the same at every step.
_ADDITIONAL_TOKENS = 4
_TOKENS_OF_A_STEP = 3


@dataclass(frozen=True)
class PriorTransformerConfig:
    """The prior's architecture; `num_embeddings` is how many text tokens it takes."""

    num_attention_heads: int
    attention_head_dim: int
    num_layers: int
    embedding_dim: int
    num_embeddings: int

    def __post_init__(self) -> None:
        if self.inner_dim % 2:
            raise ValueError(
                f"the prior's width must be even for its timestep sinusoid, not {self.num_attention_heads} "
                f"num_attention_heads * {self.attention_head_dim} attention_head_dim"
            )

    @property
    def inner_dim(self) -> int:
        """The width of the transformer."""
        return self.num_attention_heads * self.attention_head_dim

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> PriorTransformerConfig:
        """Read a prior/config.json.

        Raises:
            ValueError: a size is missing, or a value is not implemented; the message names the key.
        """
        result = cls(
            num_attention_heads=size(config, "num_attention_heads"),
            attention_head_dim=size(config, "attention_head_dim"),
            num_layers=size(config, "num_layers"),
            embedding_dim=size(config, "embedding_dim"),
            num_embeddings=size(config, "num_embeddings"),
        )
        check_supported(
            config,
            {
                "additional_embeddings": (_ADDITIONAL_TOKENS,),
                "time_embed_act_fn": ("silu",),
                "norm_in_type": (None,),
                "embedding_proj_norm_type": (None,),
                "encoder_hid_proj_type": ("linear",),
                "added_emb_type": ("prd",),
                "time_embed_dim": (None, result.inner_dim),
                "embedding_proj_dim": (None, result.embedding_dim),
                "clip_embed_dim": (None, result.embedding_dim),
            },
        )
        return result


class KeysValues(NamedTuple):
    """Keys and values of one layer's attention: two tensors (B, heads, tokens, head_dim)."""

    keys: Tensor
    values: Tensor

    def followed_by(self, later: KeysValues) -> KeysValues:
        """Those of these tokens, then those of `later` ones."""
        keys, values = (ops.concat(pair, axis=2) for pair in zip(self, later, strict=True))
        return KeysValues(keys, values)


class TextPrefix(NamedTuple):
    """Keys and values of a text's tokens, in the precision of the weights: made once, read at every step."""

    layers: tuple[KeysValues, ...]  # of the text's tokens, the text embedding last
    mask: Tensor  # added to the scores of a step's tokens: (B, 1, 3, all tokens)


class PriorTransformer(nn.Cell):
    """One denoising step's prediction of the image embedding itself."""

    def __init__(self, config: PriorTransformerConfig, weights: Weights) -> None:
        super().__init__()
        self.config = config
        width, embedding_dim = config.inner_dim, config.embedding_dim
        self.tokens = config.num_embeddings + _ADDITIONAL_TOKENS
        self.time_embedding = TimestepEmbedding(width, width, weights.child("time_embedding"))
        self.proj_in = Linear(embedding_dim, width, weights.child("proj_in"))
        self.embedding_proj = Linear(embedding_dim, width, weights.child("embedding_proj"))
        self.encoder_hidden_states_proj = Linear(embedding_dim, width, weights.child("encoder_hidden_states_proj"))
        self.positional_embedding = weights.take("positional_embedding", (1, self.tokens, width))
        self.prd_embedding = weights.take("prd_embedding", (1, 1, width))
        self.transformer_blocks = nn.CellList(
            [Block(config, weights.child(f"transformer_blocks.{i}")) for i in range(config.num_layers)]
        )
        self.norm_out = LayerNorm(width, weights.child("norm_out"))
        self.proj_to_clip_embeddings = Linear(width, embedding_dim, weights.child("proj_to_clip_embeddings"))
        self.clip_mean = weights.take("clip_mean", (1, embedding_dim))
        self.clip_std = weights.take("clip_std", (1, embedding_dim))

    def encode_text(self, text_embeds: Tensor, text_hidden_states: Tensor, attention_mask: Tensor) -> TextPrefix:
        """Do the part of every step that depends on the text alone.

        Args:
            text_embeds: CLIP's text embeddings (B, embedding_dim).
            text_hidden_states: CLIP's last hidden states (B, num_embeddings, embedding_dim).
            attention_mask: (B, num_embeddings), 1 for a token and 0 for padding; the first is always a token.

        Floating inputs may have any precision; the model computes in that of its weights.
        """
        mask = self._mask(attention_mask)
        text_mask = mask[..., :-_TOKENS_OF_A_STEP, :-_TOKENS_OF_A_STEP]
        layers = self.read_text(text_embeds, text_hidden_states, text_mask)
        return TextPrefix(layers, mask[..., -_TOKENS_OF_A_STEP:, :])

    @ops.planned
    def read_text(self, text_embeds: Tensor, text_hidden_states: Tensor, text_mask: Tensor) -> tuple[KeysValues, ...]:
        """Keys and values of the text's tokens for each layer; `text_mask` (B, 1, T, T) is added to their scores."""
        dtype = self.prd_embedding.dtype
        words = self.encoder_hidden_states_proj(text_hidden_states.astype(dtype))
        text = self.embedding_proj(text_embeds.astype(dtype))[:, None]
        x = ops.concat([words, text], axis=1) + self.positional_embedding[:, :-_TOKENS_OF_A_STEP]
        *blocks, last_block = self.transformer_blocks
        layers = []
        for block in blocks:
            layers.append(block.keys_values(x))
            x = block(x, layers[-1], text_mask)
        layers.append(last_block.keys_values(x))  # nothing reads what the text's own tokens become
        return tuple(layers)

    def construct(self, latents: Tensor, timestep: int, prefix: TextPrefix) -> Tensor:
        """Predict the noiseless latents.

        Args:
            latents: noisy, normalised image embeddings (B, embedding_dim) of any precision.
            timestep: 0 (no noise) to the scheduler's last (noise alone).
            prefix: `encode_text` of B texts.

        Returns:
            Normalised image embeddings (B, embedding_dim); `post_process_latents` scales them back.
        """
        sinusoid = timestep_sinusoid(timestep, latents.shape[0], self.config.inner_dim)
        return self.predict(latents, sinusoid, prefix)

    @ops.planned
    def predict(self, latents: Tensor, sinusoid: Tensor, prefix: TextPrefix) -> Tensor:
        """`construct` with the sinusoids (B, inner_dim) of a timestep."""
        x = self._tokens_of_a_step(latents, sinusoid)
        for block, text in zip(self.transformer_blocks, prefix.layers, strict=True):
            x = block(x, text.followed_by(block.keys_values(x)), prefix.mask)
        return self.proj_to_clip_embeddings(self.norm_out(x[:, -1]))

    def post_process_latents(self, latents: Tensor) -> Tensor:
        """Normalised image embeddings (B, embedding_dim) to CLIP's own scale."""
        return latents * self.clip_std + self.clip_mean

    def _tokens_of_a_step(self, latents: Tensor, sinusoid: Tensor) -> Tensor:
        """(B, 3, inner_dim)."""
        dtype = self.prd_embedding.dtype
        parts = [
            self.time_embedding(sinusoid.astype(dtype))[:, None],
            self.proj_in(latents.astype(dtype))[:, None],
            ops.broadcast_to(self.prd_embedding, (latents.shape[0], 1, self.config.inner_dim)),
        ]
        return ops.concat(parts, axis=1) + self.positional_embedding[:, -_TOKENS_OF_A_STEP:]

    def _mask(self, attention_mask: Tensor) -> Tensor:
        """The additive mask (B, 1, tokens, tokens): no padding, no later token."""
        dtype = self.prd_embedding.dtype
        additional = ops.ones((attention_mask.shape[0], _ADDITIONAL_TOKENS), attention_mask.dtype)
        seen = ops.concat([attention_mask, additional], axis=1)
        return padding_mask(seen, dtype) + causal_mask(self.tokens, dtype)


class Block(nn.Cell):
    """Norm, attention, norm, MLP, each pair beside a skip: diffusers' BasicTransformerBlock without cross-attention."""

    def __init__(self, config: PriorTransformerConfig, weights: Weights) -> None:
        super().__init__()
        width = config.inner_dim
        self.norm1 = LayerNorm(width, weights.child("norm1"))
        self.attn1 = Attention(config, weights.child("attn1"))
        self.norm3 = LayerNorm(width, weights.child("norm3"))
        self.ff = FeedForward(width, weights.child("ff"))

    def keys_values(self, x: Tensor) -> KeysValues:
        """Keys and values of x (B, tokens, width) in this block."""
        return self.attn1.keys_values(self.norm1(x))

    def construct(self, x: Tensor, seen: KeysValues, mask: Tensor) -> Tensor:
        """x (B, Q, width) attends to the K tokens `seen`, its own among them, under `mask` (B, 1, Q, K)."""
        x = x + self.attn1(self.norm1(x), seen, mask)
        return x + self.ff(self.norm3(x))


class Attention(nn.Cell):
    def __init__(self, config: PriorTransformerConfig, weights: Weights) -> None:
        super().__init__()
        width = config.inner_dim
        self.heads = config.num_attention_heads
        self.to_q = Linear(width, width, weights.child("to_q"))
        self.to_k = Linear(width, width, weights.child("to_k"))
        self.to_v = Linear(width, width, weights.child("to_v"))
        self.to_out = nn.CellList([Linear(width, width, weights.child("to_out.0"))])

    def keys_values(self, x: Tensor) -> KeysValues:
        return KeysValues(split_heads(self.to_k(x), self.heads), split_heads(self.to_v(x), self.heads))

    def construct(self, x: Tensor, seen: KeysValues, mask: Tensor) -> Tensor:
        query = split_heads(self.to_q(x), self.heads)
        return self.to_out[0](merge_heads(ops.attention(query, *seen, mask)))


class FeedForward(nn.Cell):
    """(..., width) -> (..., width) through four times the width."""

    def __init__(self, width: int, weights: Weights) -> None:
        super().__init__()
        expand = GELU(width, 4 * width, weights.child("net.0"))
        contract = Linear(4 * width, width, weights.child("net.2"))
        self.net = nn.SequentialCell(OrderedDict([("0", expand), ("2", contract)]))  # 1 was a dropout

    def construct(self, x: Tensor) -> Tensor:
        return self.net(x)


class GELU(nn.Cell):
    """A linear layer and the exact GELU."""

    def __init__(self, in_features: int, out_features: int, weights: Weights) -> None:
        super().__init__()
        self.proj = Linear(in_features, out_features, weights.child("proj"))

    def construct(self, x: Tensor) -> Tensor:
        return ops.gelu(self.proj(x))
