"""How fast MindSpore's own operators are at the sizes that Kandinsky uses, through kandinsky_backend.ops.

    .venv/bin/python -m tests.benchmarks.operators

Prints the best of several calls. Read the rates as ratios within one run: machines differ, and are noisy. This is what
the choice of the MindSpore version in pyproject.toml rests on; run it in an environment with another to compare.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import mindspore as ms
import numpy as np
from mindspore import Tensor

from kandinsky_backend import ops

REPEATS = 3


def tensor(*shape: int) -> Tensor:
    return Tensor.from_numpy(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))


def seconds(call: Callable[[], Tensor]) -> float:
    call().asnumpy()
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        call().asnumpy()
        best = min(best, time.perf_counter() - start)
    return best


def show(name: str, flop: float, call: Callable[[], Tensor]) -> None:
    took = seconds(call)
    rate = f"{flop / took / 1e9:8.0f} GFLOP/s" if flop else ""
    print(f"{name:34} {took * 1e3:9.2f} ms {rate}")


def convolution(batch: int, channels: int, side: int, kernel: int) -> None:
    x, weight, bias = tensor(batch, channels, side, side), tensor(channels, channels, kernel, kernel), tensor(channels)
    flop = 2 * batch * side**2 * channels**2 * kernel**2
    name = f"conv {kernel}x{kernel} {channels}, {batch}x{side}x{side}"
    show(name, flop, lambda: ops.conv2d(x, weight, bias, padding=kernel // 2))


def product(rows: int, inner: int, columns: int) -> None:
    x, weight, bias = tensor(rows, inner), tensor(columns, inner), tensor(columns)
    show(f"linear {rows} x {inner} -> {columns}", 2 * rows * inner * columns, lambda: ops.linear(x, weight, bias))


def main() -> None:
    print(f"MindSpore {ms.__version__}, float32")
    for channels, side in ((384, 64), (768, 32), (1152, 16), (1536, 8)):
        convolution(2, channels, side, 3)
    convolution(2, 384, 64, 1)
    convolution(1, 256, 256, 3)
    product(2048, 2048, 2048)
    product(162, 2048, 8192)
    x, scale = tensor(2, 384, 64, 64), tensor(384)
    query, key = tensor(2, 12, 1024, 64), tensor(2, 12, 1111, 64)
    show("attention 2x12x1024x64, 1111 keys", 4 * 24 * 1024 * 1111 * 64, lambda: ops.attention(query, key, key))
    show("group norm 2x384x64x64", 0, lambda: ops.group_norm(x, 32, scale, scale, 1e-5))
    show("silu 2x384x64x64", 0, lambda: ops.silu(x))
    show("gelu 2x384x64x64", 0, lambda: ops.gelu(x))
    show("upsample 2x384x64x64", 0, lambda: ops.upsample_nearest(x))


if __name__ == "__main__":
    main()
