"""The decoder's text encoder: XLM-RoBERTa, averaged over the prompt's tokens and mapped into CLIP's space.

Conneau et al., 2020, arXiv:1911.02116; the average and the one linear layer are M-CLIP's (Carlsson et al., LREC 2022).
Laid out as diffusers' kandinsky/text_encoder.py on transformers' modeling_xlm_roberta.py, whose checkpoints these are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mindspore as ms
from mindspore import Tensor, nn

from kandinsky_backend import ops
from kandinsky_backend.models.config import check_supported, epsilon, size, token_id
from kandinsky_backend.models.layers import (
    Embedding,
    LayerNorm,
    Linear,
    check_token_ids,
    multi_head_attention,
    padding_mask,
)
from kandinsky_backend.weights import Weights

# Buffers that older checkpoints hold and that follow from the sizes; and the pooler, which the average replaces.
IGNORED_KEYS: frozenset[str] = frozenset(
    {
        "transformer.embeddings.position_ids",
        "transformer.embeddings.token_type_ids",
        "transformer.pooler.dense.weight",
        "transformer.pooler.dense.bias",
    }
)


@dataclass(frozen=True)
class MultilingualCLIPConfig:
    """The architecture of XLM-RoBERTa, and the width `projection_dim` of the text embeddings."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int
    type_vocab_size: int
    projection_dim: int
    pad_token_id: int
    layer_norm_eps: float

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"XLM-RoBERTa's hidden_size {self.hidden_size} does not divide into num_attention_heads "
                f"{self.num_attention_heads}"
            )
        if self.max_tokens < 1:
            raise ValueError(
                f"XLM-RoBERTa's max_position_embeddings {self.max_position_embeddings} leaves no position above "
                f"pad_token_id {self.pad_token_id}"
            )

    @property
    def max_tokens(self) -> int:
        """The longest prompt: positions are counted from pad_token_id + 1."""
        return self.max_position_embeddings - self.pad_token_id - 1

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> MultilingualCLIPConfig:
        """Read a text_encoder/config.json.

        Raises:
            ValueError: a size is missing, or a value is not implemented; the message names the key.
        """
        hidden_size = size(config, "hidden_size")
        check_supported(
            config,
            {
                "hidden_act": ("gelu",),
                "position_embedding_type": ("absolute",),
                "is_decoder": (False,),
                "transformerDimensions": (hidden_size,),
            },
        )
        return cls(
            hidden_size=hidden_size,
            vocab_size=size(config, "vocab_size"),
            intermediate_size=size(config, "intermediate_size"),
            num_hidden_layers=size(config, "num_hidden_layers"),
            num_attention_heads=size(config, "num_attention_heads"),
            max_position_embeddings=size(config, "max_position_embeddings"),
            type_vocab_size=size(config, "type_vocab_size"),
            projection_dim=size(config, "numDims"),
            pad_token_id=token_id(config, "pad_token_id", default=1),
            layer_norm_eps=epsilon(config, "layer_norm_eps", default=1e-12),
        )


class MultilingualCLIP(nn.Cell):
    """Token ids of a prompt in any of a hundred languages to a text embedding."""

    def __init__(self, config: MultilingualCLIPConfig, weights: Weights) -> None:
        super().__init__()
        self.config = config
        self.transformer = Transformer(config, weights.child("transformer"))
        self.LinearTransformation = Linear(
            config.hidden_size, config.projection_dim, weights.child("LinearTransformation")
        )

    def construct(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Encode prompts.

        Args:
            input_ids: int32 (B, T), T at most `config.max_tokens`, padded with pad_token_id.
            attention_mask: (B, T), 1 for a token and 0 for padding; each row holds a 1.

        Returns:
            text_embeds (B, projection_dim) and the last hidden state (B, T, hidden_size).

        Raises:
            ValueError: there are more tokens than positions, or an id is outside the vocabulary.
        """
        check_token_ids(input_ids.asnumpy(), self.config.vocab_size)
        last_hidden_state = self.transformer(input_ids, attention_mask)
        return self.project(masked_mean(last_hidden_state, attention_mask)), last_hidden_state

    @ops.planned
    def project(self, mean: Tensor) -> Tensor:
        """The embeddings (B, projection_dim) of mean states (B, hidden_size)."""
        return self.LinearTransformation(mean)


def masked_mean(states: Tensor, attention_mask: Tensor) -> Tensor:
    """The mean (B, W) of states (B, T, W) where attention_mask (B, T) is 1; summed in float32."""
    mask = attention_mask.astype(ms.float32)[:, :, None]
    return ((states.astype(ms.float32) * mask).sum(axis=1) / mask.sum(axis=1)).astype(states.dtype)


class Transformer(nn.Cell):
    def __init__(self, config: MultilingualCLIPConfig, weights: Weights) -> None:
        super().__init__()
        self.embeddings = Embeddings(config, weights.child("embeddings"))
        self.encoder = Encoder(config, weights.child("encoder"))

    def construct(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        dtype = self.embeddings.word_embeddings.weight.dtype
        positions = position_ids(input_ids, self.embeddings.config.pad_token_id)
        return self.encode(input_ids, positions, padding_mask(attention_mask, dtype))

    @ops.planned
    def encode(self, input_ids: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """The last hidden state (B, T, hidden_size) under an additive mask."""
        return self.encoder(self.embeddings(input_ids, positions), mask)


class Embeddings(nn.Cell):
    def __init__(self, config: MultilingualCLIPConfig, weights: Weights) -> None:
        super().__init__()
        self.config = config
        width = config.hidden_size
        self.word_embeddings = Embedding(config.vocab_size, width, weights.child("word_embeddings"))
        self.position_embeddings = Embedding(
            config.max_position_embeddings, width, weights.child("position_embeddings")
        )
        self.token_type_embeddings = Embedding(config.type_vocab_size, width, weights.child("token_type_embeddings"))
        self.LayerNorm = LayerNorm(width, weights.child("LayerNorm"), config.layer_norm_eps)

    def construct(self, input_ids: Tensor, positions: Tensor) -> Tensor:
        tokens = input_ids.shape[1]
        if tokens > self.config.max_tokens:
            raise ValueError(f"{tokens} tokens were given to XLM-RoBERTa, which takes {self.config.max_tokens}")
        first_type = self.token_type_embeddings.weight[0]  # a prompt is one sentence
        return self.LayerNorm(self.word_embeddings(input_ids) + first_type + self.position_embeddings(positions))


def position_ids(input_ids: Tensor, pad_token_id: int) -> Tensor:
    """RoBERTa's positions, int32 (B, T): tokens count up from pad_token_id + 1, padding stays at pad_token_id."""
    is_token = (input_ids != pad_token_id).astype(ms.int32)
    return ops.cumulative_sum(is_token, axis=1) * is_token + pad_token_id


class Encoder(nn.Cell):
    def __init__(self, config: MultilingualCLIPConfig, weights: Weights) -> None:
        super().__init__()
        self.layer = nn.CellList([Layer(config, weights.child(f"layer.{i}")) for i in range(config.num_hidden_layers)])

    def construct(self, x: Tensor, mask: Tensor) -> Tensor:
        for layer in self.layer:
            x = layer(x, mask)
        return x


class Layer(nn.Cell):
    """Attention, then a feed-forward part, each added to its input and normed afterwards."""

    def __init__(self, config: MultilingualCLIPConfig, weights: Weights) -> None:
        super().__init__()
        self.attention = Attention(config, weights.child("attention"))
        self.intermediate = Intermediate(config, weights.child("intermediate"))
        self.output = AddAndNorm(config, weights.child("output"), config.intermediate_size)

    def construct(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.attention(x, mask)
        return self.output(self.intermediate(x), x)


class Attention(nn.Cell):
    def __init__(self, config: MultilingualCLIPConfig, weights: Weights) -> None:
        super().__init__()
        self.self = SelfAttention(config, weights.child("self"))  # the checkpoints call it so
        self.output = AddAndNorm(config, weights.child("output"), config.hidden_size)

    def construct(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.output(self.self(x, mask), x)


class SelfAttention(nn.Cell):
    def __init__(self, config: MultilingualCLIPConfig, weights: Weights) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.query = Linear(width, width, weights.child("query"))
        self.key = Linear(width, width, weights.child("key"))
        self.value = Linear(width, width, weights.child("value"))

    def construct(self, x: Tensor, mask: Tensor) -> Tensor:
        return multi_head_attention(self.query(x), self.key(x), self.value(x), self.heads, mask)


class Intermediate(nn.Cell):
    def __init__(self, config: MultilingualCLIPConfig, weights: Weights) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.intermediate_size, weights.child("dense"))

    def construct(self, x: Tensor) -> Tensor:
        return ops.gelu(self.dense(x))


class AddAndNorm(nn.Cell):
    """A linear layer (..., in_features) -> (..., hidden_size), added to the skip and normed."""

    def __init__(self, config: MultilingualCLIPConfig, weights: Weights, in_features: int) -> None:
        super().__init__()
        self.dense = Linear(in_features, config.hidden_size, weights.child("dense"))
        self.LayerNorm = LayerNorm(config.hidden_size, weights.child("LayerNorm"), config.layer_norm_eps)

    def construct(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(x) + skip)
