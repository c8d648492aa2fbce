"""The functions of kandinsky_backend.ops in plain numpy, in float64: what plans are held to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def linear(x: Array, weight: Array, bias: Array) -> Array:
    return x @ weight.T + bias


def conv2d(x: Array, weight: Array, bias: Array, stride: int, padding: tuple[int, int]) -> Array:
    kernel = weight.shape[2]
    padded = np.pad(x, ((0, 0), (0, 0), padding, padding))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("bchwij,ocij->bohw", windows, weight) + bias[:, None, None]


def group_norm(x: Array, groups: int, weight: Array, bias: Array, eps: float) -> Array:
    grouped = x.reshape(x.shape[0], groups, -1)
    normed = (grouped - grouped.mean(axis=2, keepdims=True)) / np.sqrt(grouped.var(axis=2, keepdims=True) + eps)
    return normed.reshape(x.shape) * weight[..., None, None] + bias[..., None, None]


def layer_norm(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + eps) * weight + bias


def attention(query: Array, key: Array, value: Array, mask: Array | float = 0.0) -> Array:
    scores = query @ key.swapaxes(2, 3) / math.sqrt(query.shape[-1]) + mask
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True) @ value


def silu(x: Array) -> Array:
    return x / (1.0 + np.exp(-x))


def quick_gelu(x: Array) -> Array:
    return x / (1.0 + np.exp(-1.702 * x))


def gelu(x: Array) -> Array:
    return 0.5 * x * (1.0 + np.vectorize(math.erf)(x * math.sqrt(0.5)))


def resize(x: Array, factor: int) -> Array:
    return x.repeat(factor, axis=2).repeat(factor, axis=3)


def mean_of_four(x: Array) -> Array:
    batch, channels, height, width = x.shape
    return x.reshape(batch, channels, height // 2, 2, width // 2, 2).mean(axis=(3, 5))
