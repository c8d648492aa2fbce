"""Operators that run layers on a device: models call these, and nothing of mindspore.ops that computes heavily.

Feature maps are (batch, channels, height, width); sequences are (batch, tokens, width).

There are two halves behind these names. MindSpore's own operators (`reference`) run on any device. On a CPU, methods of
models that are `@planned` run as compiled plans (`plans`): there these functions record what they are called with.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import mindspore as ms
from mindspore import Tensor

from kandinsky_backend.ops import reference
from kandinsky_backend.ops.plans import trace
from kandinsky_backend.ops.plans.planned import packed_bytes, planned, plans_compute
from kandinsky_backend.ops.plans.rehearsal import RehearsalOver, rehearsing, weighing

__all__ = ["RehearsalOver", "packed_bytes", "planned", "plans_compute", "rehearsing", "weighing"]


def _half(*values: object) -> ModuleType:
    """Who computes with these values: the trace of a plan where one of them is a stand-in, or MindSpore."""
    return trace if trace.is_traced(*values) else reference


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (..., in) times weight (out, in) transposed, plus bias (out,): (..., out)."""
    return _half(x).linear(x, weight, bias)


def conv2d(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int = 0) -> Tensor:
    """Convolution of x (B, in, H, W) with weight (out, in, k, k), zero padded by `padding` pixels on each side."""
    return _half(x).conv2d(x, weight, bias, stride, padding)


def downsample_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Halve x (B, in, H, W), H and W even, with weight (out, in, 3, 3), zero padded below and on the right only."""
    return _half(x).downsample_conv2d(x, weight, bias)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Normalise the last axis of x."""
    return _half(x).layer_norm(x, weight, bias, eps)


def group_norm(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Normalise x (B, C, H, W) over each of `groups` groups of channels; weight and bias are (C,)."""
    return _half(x).group_norm(x, groups, weight, bias, eps)


def group_norm_each(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """group_norm with a weight and a bias for each sample, (B, C)."""
    return _half(x).group_norm_each(x, groups, weight, bias, eps)


def concat(parts: Sequence[Tensor], axis: int) -> Tensor:
    """`parts`, of equal shape but for `axis`, one after the other."""
    return _half(*parts).concat(parts, axis)


def take_rows(table: Tensor, rows: Tensor) -> Tensor:
    """The rows of `table` (N, width) that `rows` (...), int32, name: (..., width)."""
    return _half(table, rows).take_rows(table, rows)


def split(x: Tensor, count: int, axis: int) -> tuple[Tensor, ...]:
    """`x` in `count` equal parts along `axis`."""
    return _half(x).split(x, count, axis)


def broadcast_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`x` repeated along its axes of length 1, and along new ones in front, to `shape`."""
    return reference.broadcast_to(x, shape)


def ones(shape: tuple[int, ...], dtype: ms.Type) -> Tensor:
    """A tensor of ones."""
    return reference.ones(shape, dtype)


def cumulative_sum(x: Tensor, axis: int) -> Tensor:
    """The sum of each value of `x` and all before it along `axis`."""
    return reference.cumulative_sum(x, axis)


def silu(x: Tensor) -> Tensor:
    """x * sigmoid(x)."""
    return _half(x).silu(x)


def quick_gelu(x: Tensor) -> Tensor:
    """x * sigmoid(1.702 x), the activation of OpenAI's CLIP."""
    return _half(x).quick_gelu(x)


def gelu(x: Tensor) -> Tensor:
    """The exact GELU, with erf."""
    return _half(x).gelu(x)


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(query key^T / sqrt(head_dim) + mask) value.

    Args:
        query: (B, heads, Q, head_dim).
        key, value: (B, heads, K, head_dim).
        mask: added to the scores; broadcastable to (B, heads, Q, K).
    """
    return _half(query, key, value).attention(query, key, value, mask)


def map_to_tokens(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H * W, C), row by row."""
    return _half(x).map_to_tokens(x)


def tokens_to_map(x: Tensor, height: int, width: int) -> Tensor:
    """(B, height * width, C) -> (B, C, height, width), the inverse of map_to_tokens."""
    return _half(x).tokens_to_map(x, height, width)


def nearest_rows(points: Tensor, table: Tensor) -> Tensor:
    """For each of `points` (N, D) the index of the nearest row of `table` (K, D), the first of equals: int32 (N,)."""
    return reference.nearest_rows(points, table)


def upsample_nearest(x: Tensor) -> Tensor:
    """Double height and width of x (B, C, H, W) by repeating pixels."""
    return _half(x).upsample_nearest(x)


def resize_nearest(x: Tensor, height: int, width: int) -> Tensor:
    """x (B, C, h, w) at (height, width), each a whole multiple of h and w, by repeating pixels."""
    return _half(x).resize_nearest(x, height, width)


def downsample_mean(x: Tensor) -> Tensor:
    """Halve height and width of x (B, C, H, W) by averaging 2 x 2 pixels."""
    return _half(x).downsample_mean(x)
