"""The functions of kandinsky_backend.ops by MindSpore's own operators, which exist on CPU and Ascend alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import mindspore as ms
from mindspore import Tensor, ops

from kandinsky_backend.ops.stored import StoredWeight, as_tensor

_matmul = ops.MatMul(transpose_b=True)  # on a CPU about twice as fast as ops.dense
_product = ops.MatMul()
_scores = ops.BatchMatMul(transpose_b=True)
_mix = ops.BatchMatMul()
_add_bias = ops.BiasAdd()  # on a CPU up to 26 times as fast as "+", which broadcasts

_CPU_INFO = Path("/proc/cpuinfo")

# Attention computes its scores for as many queries at a time as keep them below this many bytes, and a convolution by
# products its windows for as many rows.
MAX_SCORE_BYTES = 256 * 2**20


def linear(x: Tensor, weight: Tensor | StoredWeight, bias: Tensor | None = None) -> Tensor:
    """x (..., in) times weight (out, in) transposed, plus bias (out,): (..., out)."""
    y = _matmul(x.reshape(-1, x.shape[-1]), as_tensor(weight))
    if bias is not None:
        y = _add_bias(y, bias)
    return y.reshape(*x.shape[:-1], weight.shape[0])


def conv2d(x: Tensor, weight: Tensor | StoredWeight, bias: Tensor | None, stride: int = 1, padding: int = 0) -> Tensor:
    """Convolution of x (B, in, H, W) with weight (out, in, k, k), zero padded by `padding` pixels on each side."""
    if _convolves_slowly():
        return conv2d_by_products(x, as_tensor(weight), bias, stride, (padding, padding))
    return ops.conv2d(x, as_tensor(weight), bias, stride=stride, pad_mode="pad", padding=padding)


def downsample_conv2d(x: Tensor, weight: Tensor | StoredWeight, bias: Tensor | None) -> Tensor:
    """Halve x (B, in, H, W), H and W even, with weight (out, in, 3, 3), zero padded below and on the right only."""
    if _convolves_slowly():
        return conv2d_by_products(x, as_tensor(weight), bias, 2, (0, 1))
    # "same" puts the one row and column that an even size lacks at the end.
    return ops.conv2d(x, as_tensor(weight), bias, stride=2, pad_mode="same")


def conv2d_by_products(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: tuple[int, int]) -> Tensor:
    """A convolution as matrix products, a band of rows at a time; `padding` is that before and behind."""
    batch, _, height, width = x.shape
    out, _, kernel, _ = weight.shape
    padded = ops.pad(x, [*padding, *padding])
    rows, columns = ((side + sum(padding) - kernel) // stride + 1 for side in (height, width))
    matrix = weight.transpose(0, 2, 3, 1).reshape(out, -1)
    row_bytes = columns * matrix.shape[1] * 4
    step = max(1, MAX_SCORE_BYTES // row_bytes)
    bands = []
    for start in range(0, rows, step):
        taken = min(step, rows - start)
        parts = [
            padded[:, :, start * stride + i :, j:][
                :, :, : (taken - 1) * stride + 1 : stride, : (columns - 1) * stride + 1 : stride
            ]
            for i in range(kernel)
            for j in range(kernel)
        ]
        windows = ops.concat(parts, axis=1).reshape(batch, matrix.shape[1], -1)
        products = [_product(matrix, windows[i]).reshape(1, out, taken, columns) for i in range(batch)]
        bands.append(ops.concat(products, axis=0))
    result = ops.concat(bands, axis=2)
    return result if bias is None else _add_bias(result, bias)


@lru_cache
def _convolves_slowly() -> bool:
    """Whether MindSpore's convolution is oneDNN's reference kernel here: 21 s where products take half a second.

    From 2.9.0 on it is that for weights in MindSpore's layout on a CPU with AVX-512 (tests/benchmarks).
    """
    if ms.get_context("device_target") != "CPU" or not _CPU_INFO.is_file():
        return False
    return " avx512f " in _CPU_INFO.read_text(encoding="utf-8")


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Normalise the last axis of x."""
    return ops.LayerNorm(begin_norm_axis=-1, begin_params_axis=-1, epsilon=eps)(x, weight, bias)[0]


def group_norm(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Normalise x (B, C, H, W) over each of `groups` groups of channels; weight and bias are (C,)."""
    return ops.group_norm(x, groups, weight, bias, eps)


def group_norm_each(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """group_norm with a weight and a bias for each sample, (B, C)."""
    # A sample's groups do not meet, so the batch may count as channels.
    batch, channels, height, width = x.shape
    as_one = x.reshape(1, batch * channels, height, width)
    return group_norm(as_one, batch * groups, weight.reshape(-1), bias.reshape(-1), eps).reshape(x.shape)


def concat(parts: Sequence[Tensor], axis: int) -> Tensor:
    """`parts`, of equal shape but for `axis`, one after the other."""
    return ops.concat(parts, axis=axis)


def take_rows(table: Tensor, rows: Tensor) -> Tensor:
    """The rows of `table` (N, width) that `rows` (...), int32, name: (..., width)."""
    return table[rows]


def split(x: Tensor, count: int, axis: int) -> tuple[Tensor, ...]:
    """`x` in `count` equal parts along `axis`."""
    return ops.split(x, x.shape[axis] // count, axis=axis)


def broadcast_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`x` repeated along its axes of length 1, and along new ones in front, to `shape`."""
    return ops.broadcast_to(x, shape)


def ones(shape: tuple[int, ...], dtype: ms.Type) -> Tensor:
    """A tensor of ones."""
    return ops.ones(shape, dtype)


def cumulative_sum(x: Tensor, axis: int) -> Tensor:
    """The sums of each element of `x` and of all before it along `axis`."""
    return ops.cumsum(x, axis)


def silu(x: Tensor) -> Tensor:
    """x * sigmoid(x)."""
    return x * ops.sigmoid(x)


def quick_gelu(x: Tensor) -> Tensor:
    """x * sigmoid(1.702 x), the activation of OpenAI's CLIP."""
    return x * ops.sigmoid(1.702 * x)


def gelu(x: Tensor) -> Tensor:
    """The exact GELU, with erf."""
    return x * 0.5 * (1.0 + ops.erf(x * math.sqrt(0.5)))


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(query key^T / sqrt(head_dim) + mask) value.

    Args:
        query: (B, heads, Q, head_dim).
        key, value: (B, heads, K, head_dim).
        mask: added to the scores; broadcastable to (B, heads, Q, K).
    """
    scale = 1.0 / math.sqrt(query.shape[-1])
    queries = query.shape[2]
    row_bytes = query.shape[0] * query.shape[1] * key.shape[2] * 4
    rows = max(1, min(queries, MAX_SCORE_BYTES // row_bytes))
    if rows == queries:
        return _attend(query * scale, key, value, mask)
    parts = []
    for start in range(0, queries, rows):
        part = slice(start, min(start + rows, queries))
        part_mask = mask if mask is None or mask.shape[-2] == 1 else mask[..., part, :]
        parts.append(_attend(query[:, :, part] * scale, key, value, part_mask))
    return ops.concat(parts, axis=2)


def _attend(scaled_query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    scores = _scores(scaled_query, key)
    if mask is not None:
        scores = scores + mask
    return _mix(ops.softmax(scores.astype(ms.float32), axis=-1).astype(value.dtype), value)


def map_to_tokens(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H * W, C), row by row."""
    return x.reshape(*x.shape[:2], -1).transpose(0, 2, 1)


def tokens_to_map(x: Tensor, height: int, width: int) -> Tensor:
    """(B, height * width, C) -> (B, C, height, width), the inverse of map_to_tokens."""
    return x.transpose(0, 2, 1).reshape(x.shape[0], x.shape[2], height, width)


def nearest_rows(points: Tensor, table: Tensor) -> Tensor:
    """For each of `points` (N, D) the index of the nearest row of `table` (K, D), the first of equals: int32 (N,)."""
    points, table = points.astype(ms.float32), table.astype(ms.float32)
    half_norms = 0.5 * (table * table).sum(axis=1)
    rows = max(1, MAX_SCORE_BYTES // (4 * table.shape[0]))
    # |p - t|^2 / 2 without |p|^2 / 2, which is the same for every row
    parts = [(half_norms - _matmul(points[i : i + rows], table)).argmin(axis=1) for i in range(0, len(points), rows)]
    return ops.concat(parts).astype(ms.int32)


def upsample_nearest(x: Tensor) -> Tensor:
    """Double height and width of x (B, C, H, W) by repeating pixels."""
    wide = ops.stack([x, x], axis=-1).reshape(*x.shape[:-1], -1)
    return ops.stack([wide, wide], axis=-2).reshape(*x.shape[:-2], -1, wide.shape[-1])


def resize_nearest(x: Tensor, height: int, width: int) -> Tensor:
    """x (B, C, h, w) at (height, width), each a whole multiple of h and w, by repeating pixels."""
    batch, channels, h, w = x.shape
    spread = ops.broadcast_to(x.reshape(batch, channels, h, 1, w, 1), (batch, channels, h, height // h, w, width // w))
    return spread.reshape(batch, channels, height, width)


def downsample_mean(x: Tensor) -> Tensor:
    """Halve height and width of x (B, C, H, W) by averaging 2 x 2 pixels."""
    return ops.avg_pool2d(x, kernel_size=2, stride=2)
