"""Layers that the models share, built of their sizes and their weights; parameters are named as in the checkpoint."""

from __future__ import annotations

import math
from typing import Any

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn

from kandinsky_backend import ops
from kandinsky_backend.weights import Weights


class Linear(nn.Cell):
    """(..., in_features) -> (..., out_features)."""

    def __init__(self, in_features: int, out_features: int, weights: Weights, bias: bool = True) -> None:
        super().__init__()
        self.weight = weights.take_to_multiply("weight", (out_features, in_features))
        self.bias = weights.take("bias", (out_features,)) if bias else None

    def construct(self, x: Tensor) -> Tensor:
        return ops.linear(x, self.weight, self.bias)


class Conv2d(nn.Cell):
    """(B, in_channels, H, W) -> (B, out_channels, H', W'); zero padded so that stride 1 keeps the size."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        weights: Weights,
        stride: int = 1,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        self.weight = weights.take_to_multiply("weight", (out_channels, in_channels, kernel_size, kernel_size))
        self.bias = weights.take("bias", (out_channels,))
        self.stride = stride
        self.padding = kernel_size // 2 if padding is None else padding

    def construct(self, x: Tensor) -> Tensor:
        return ops.conv2d(x, self.weight, self.bias, self.stride, self.padding)


class LayerNorm(nn.Cell):
    """Normalises the last axis, of `width`."""

    def __init__(self, width: int, weights: Weights, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = weights.take("weight", (width,))
        self.bias = weights.take("bias", (width,))
        self.eps = eps

    def construct(self, x: Tensor) -> Tensor:
        return ops.layer_norm(x, self.weight, self.bias, self.eps)


class GroupNorm(nn.Cell):
    """Normalises (B, channels, H, W) over `groups` groups of channels."""

    def __init__(self, groups: int, channels: int, eps: float, weights: Weights) -> None:
        super().__init__()
        if channels % groups:
            raise ValueError(f"{channels} channels cannot be split into {groups} groups of a group norm")
        self.weight = weights.take("weight", (channels,))
        self.bias = weights.take("bias", (channels,))
        self.groups = groups
        self.eps = eps

    def construct(self, x: Tensor) -> Tensor:
        return ops.group_norm(x, self.groups, self.weight, self.bias, self.eps)


class Embedding(nn.Cell):
    """Integer ids (...) -> rows (..., width)."""

    def __init__(self, count: int, width: int, weights: Weights) -> None:
        super().__init__()
        self.weight = weights.take("weight", (count, width))

    def construct(self, ids: Tensor) -> Tensor:
        return ops.take_rows(self.weight, ids)


def check_token_ids(input_ids: npt.NDArray[np.integer[Any]], vocabulary: int) -> None:
    """Check that an embedding of `vocabulary` rows has one for every id: a device may read past its end unnoticed.

    Raises:
        ValueError: an id is outside; the message names the first one.
    """
    outside = input_ids[(input_ids < 0) | (input_ids >= vocabulary)]
    if outside.size:
        raise ValueError(
            f"token id {outside[0]} is not in the text encoder's vocabulary of {vocabulary}: "
            "the tokenizer belongs to another model"
        )


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, tokens, heads * head_dim) -> (B, heads, tokens, head_dim)."""
    batch, tokens, width = x.shape
    return x.reshape(batch, tokens, heads, width // heads).transpose(0, 2, 1, 3)


def merge_heads(x: Tensor) -> Tensor:
    """(B, heads, tokens, head_dim) -> (B, tokens, heads * head_dim)."""
    batch, heads, tokens, head_dim = x.shape
    return x.transpose(0, 2, 1, 3).reshape(batch, tokens, heads * head_dim)


def multi_head_attention(query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """Attention of query (B, Q, heads * head_dim) to key and value (B, K, heads * head_dim): as wide as the query.

    `mask` is added to the scores and broadcast to (B, heads, Q, K).
    """
    mixed = ops.attention(split_heads(query, heads), split_heads(key, heads), split_heads(value, heads), mask)
    return merge_heads(mixed)


# Added to the score of a key that a query may not see. Its weight after the softmax is exactly 0 in every precision,
# and two such masks still add up to a finite float16.
MASKED = -10000.0


def causal_mask(tokens: int, dtype: ms.Type) -> Tensor:
    """An additive mask (1, 1, tokens, tokens) that hides every later token."""
    later = np.triu(np.full((1, 1, tokens, tokens), MASKED, np.float32), k=1)
    return Tensor.from_numpy(later).astype(dtype)


def padding_mask(attention_mask: Tensor, dtype: ms.Type) -> Tensor:
    """An additive mask (B, 1, 1, T) that hides the tokens where `attention_mask` (B, T) of any dtype is 0 and not 1."""
    return ((1.0 - attention_mask.astype(ms.float32)) * MASKED).astype(dtype)[:, None, None, :]


def timestep_sinusoid(timestep: int, batch: int, width: int) -> Tensor:
    """The position code of a denoising step, the same for each of the batch: float32 (batch, width).

    The first half are cosines, the second sines, of the timestep times frequencies that fall geometrically from 1 to
    1/10000: Vaswani et al., 2017, arXiv:1706.03762, in the order that Kandinsky was trained with
    (diffusers: embeddings.py, flip_sin_to_cos=True, downscale_freq_shift=0).

    Raises:
        ValueError: `width` is odd.
    """
    if width % 2:
        raise ValueError(f"a timestep embedding needs an even width, not {width}")
    half = width // 2
    # Frequencies and phases are rounded to float32 where the reference rounds them: at timestep 999 a frequency's last
    # bit moves its phase by 6e-5.
    exponents = np.arange(half, dtype=np.float32) * np.float32(-math.log(10000.0)) / np.float32(half)
    phases = np.float32(timestep) * np.exp(exponents.astype(np.float64)).astype(np.float32)
    row = np.concatenate([np.cos(phases), np.sin(phases)])
    return Tensor.from_numpy(np.tile(row, (batch, 1)))


class TimestepEmbedding(nn.Cell):
    """Timestep sinusoids (B, in_width) -> (B, width): linear, SiLU, linear."""

    def __init__(self, in_width: int, width: int, weights: Weights) -> None:
        super().__init__()
        self.linear_1 = Linear(in_width, width, weights.child("linear_1"))
        self.linear_2 = Linear(width, width, weights.child("linear_2"))

    def construct(self, sinusoid: Tensor) -> Tensor:
        return self.linear_2(ops.silu(self.linear_1(sinusoid)))
