"""Description of the machine that measures: its processor, what it can do at most, and our libraries' versions."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

FLAGS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16")
_SIDE = 4096  # of the matrices
_BYTES = 1 << 28  # of the memory that each core copies
_REPEATS = 5


def describe(threads: int) -> dict[str, Any]:
    """The processor, its flags that matter, memory, and the rates that it was measured to reach."""
    info = parse_cpuinfo(Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    flags = [flag for flag in FLAGS if flag in info.get("flags", "").split()]
    return {
        "processor": info.get("model name", platform.processor()),
        "flags": flags,
        "bfloat16": bool({"avx512_bf16", "amx_bf16"} & set(flags)),
        "threads": threads,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "flops": product_rate(),
        "bandwidth": copy_rate(threads),
    }


def parse_cpuinfo(text: str) -> dict[str, str]:
    """The fields of the first processor of /proc/cpuinfo."""
    first = text.partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def product_rate() -> float:
    """Operations a second of numpy's float32 matrix product, the best of several."""
    a = np.ones((_SIDE, _SIDE), np.float32)
    out = np.empty_like(a)
    return 2 * _SIDE**3 / _best(lambda: np.matmul(a, a, out))


def copy_rate(threads: int) -> float:
    """Bytes a second that all cores together read and write while they copy."""
    pairs = [(np.ones(_BYTES, np.uint8), np.zeros(_BYTES, np.uint8)) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        return 2 * threads * _BYTES / _best(lambda: list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs)))


def _best(call: Callable[[], Any]) -> float:
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def our_versions() -> dict[str, str]:
    """The libraries that ours computes with."""
    return {name: version(name) for name in ("mindspore", "numpy")}
